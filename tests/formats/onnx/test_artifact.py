"""What draws random numbers is found wherever it stands: in branches, loops and functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from lading.formats import open_artifact

X = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])
Y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
INNER = helper.make_tensor_value_info("r", TensorProto.FLOAT, None)


def flag(name: str, value: bool) -> Any:
    return helper.make_tensor(name, TensorProto.BOOL, [], [value])


def random() -> list[Any]:
    return [helper.make_node("RandomNormal", [], ["r"], shape=[2])]


def dropout(training: str = "on") -> list[Any]:
    return [helper.make_node("Dropout", ["x", "", training], ["r"])]


def in_branch(nodes: Sequence[Any]) -> list[Any]:
    inner = helper.make_graph(list(nodes), "inner", [], [INNER])
    other = helper.make_graph([helper.make_node("Identity", ["x"], ["r"])], "other", [], [INNER])
    return [helper.make_node("If", ["off"], ["y"], then_branch=other, else_branch=inner)]


def in_loop(nodes: Sequence[Any]) -> list[Any]:
    step = helper.make_tensor_value_info("i", TensorProto.INT64, [])
    go = helper.make_tensor_value_info("go", TensorProto.BOOL, [])
    kept = helper.make_node("Identity", ["go"], ["went"])
    went = helper.make_tensor_value_info("went", TensorProto.BOOL, [])
    body = helper.make_graph([kept, *nodes], "body", [step, go], [went, INNER])
    return [helper.make_node("Loop", ["", "on"], ["y"], body=body)]


def in_both(nodes: Sequence[Any]) -> list[Any]:
    (branch,) = in_branch(nodes)
    branch.output[0] = "r"
    return in_loop([branch])


def plain(nodes: Sequence[Any]) -> list[Any]:
    return [*nodes, helper.make_node("Identity", ["r"], ["y"])]


def saved(path: Path, nodes: Sequence[Any], functions: Sequence[Any] = ()) -> str:
    graph = helper.make_graph(
        list(nodes), "g", [X], [Y], initializer=[flag("on", True), flag("off", False)]
    )
    model = helper.make_model(graph, functions=list(functions), ir_version=10)
    onnx.save(model, str(path / "a.onnx"))
    return open_artifact(path / "a.onnx").randomness()


PLACES: list[Callable[[Sequence[Any]], list[Any]]] = [plain, in_branch, in_loop, in_both]


@pytest.mark.parametrize("place", PLACES)
def test_what_draws_is_found_at_any_depth(
    place: Callable[[Sequence[Any]], list[Any]], tmp_path: Path
) -> None:
    assert saved(tmp_path, place(random())) == "RandomNormal r draws random numbers"
    assert saved(tmp_path, place(dropout())) == "Dropout r is in training mode"
    assert saved(tmp_path, place(dropout("off"))) == ""


@pytest.mark.parametrize("nodes", [random(), dropout("x")])
def test_functions_are_searched(nodes: list[Any], tmp_path: Path) -> None:
    opsets = [helper.make_opsetid("", 18)]
    made = helper.make_function("own", "Draw", ["x"], ["r"], nodes, opsets)
    call = helper.make_node("Draw", ["x"], ["y"], domain="own")
    assert saved(tmp_path, [call], [made])


def test_a_flag_may_be_a_constant_or_another_name_of_one(tmp_path: Path) -> None:
    for value, said in ((True, "Dropout r is in training mode"), (False, "")):
        constant = helper.make_node("Constant", [], ["c"], value=flag("", value))
        named = helper.make_node("Identity", ["c"], ["d"])
        for name in ("c", "d"):
            assert saved(tmp_path, [constant, named, *plain(dropout(name))]) == said
            assert saved(tmp_path, [constant, named, *in_branch(dropout(name))]) == said


def test_a_flag_that_is_computed_may_be_on(tmp_path: Path) -> None:
    computed = helper.make_node("Not", ["on"], ["n"])
    assert "training mode" in saved(tmp_path, [computed, *plain(dropout("n"))])
