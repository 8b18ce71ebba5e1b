"""Branches, loops, lists, states and classifiers, from files."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import lading.coreml
from lading.coreml.mil import Model, Taps
from lading.coreml.mil.model import StateTensor
from lading.coreml.mil.ops import control_flow
from lading.errors import InputError, ProgramError, RequestError

mb = importlib.import_module("coremltools.converters.mil.mil").Builder


def test_only_the_chosen_branch_runs(built: Callable[..., Model]) -> None:
    def program(x: Any) -> Any:
        positive = mb.greater(x=mb.reduce_sum(x=x), y=0.0)
        return mb.cond(
            pred=positive,
            _true_fn=lambda: (mb.mul(x=x, y=2.0), mb.add(x=x, y=1.0)),
            _false_fn=lambda: (mb.sub(x=x, y=1.0), mb.identity(x=x)),
        )

    model = built(program, {"x": ((2,), "fp32")})
    names = model.program.functions["main"].block.outputs
    yes = model.predict({"x": np.array([1, 2])})
    assert [yes[name].tolist() for name in names] == [[2, 4], [2, 3]]
    taps = Taps(times=True)
    no = model.predict({"x": np.array([-1, -2])}, taps=taps)
    assert [no[name].tolist() for name in names] == [[-2, -3], [-1, -2]]
    op = next(op for op in model.program.functions["main"].block.operations if op.type == "cond")
    ran = [inner.outputs[0].name in taps.seconds for block in op.blocks for inner in block.walk()]
    assert True in ran
    assert False in ran


def test_loops_run_until_their_condition_fails(built: Callable[..., Model]) -> None:
    def program(x: Any, n: Any) -> Any:
        limit = mb.squeeze(x=n)

        def body(i: Any, total: Any) -> Any:
            inner = mb.while_loop(
                _cond=lambda j, t: mb.less(x=j, y=i),
                _body=lambda j, t: (mb.add(x=j, y=1), mb.add(x=t, y=x)),
                loop_vars=(mb.sub(x=i, y=i), total),
            )
            return mb.add(x=i, y=1), inner[1]

        return mb.while_loop(
            _cond=lambda i, total: mb.less(x=i, y=limit),
            _body=body,
            loop_vars=(mb.sub(x=limit, y=limit), mb.mul(x=x, y=0.0)),
        )

    model = built(program, {"x": ((2,), "fp32"), "n": ((1,), "int32")})
    names = model.program.functions["main"].block.outputs
    for n in (0, 1, 5):
        got = model.predict({"x": np.array([1, 10]), "n": np.array([n])})
        rounds = n * (n - 1) // 2
        assert got[names[0]].tolist() == n
        assert got[names[1]].tolist() == [rounds, 10 * rounds]


def test_lists_grow_and_are_values(built: Callable[..., Model]) -> None:
    def program(x: Any) -> Any:
        ls = mb.make_list(init_length=2, dynamic_length=True, elem_shape=(2,), dtype="fp32")
        one = mb.list_write(ls=ls, index=1, value=x)
        two = mb.list_write(ls=one, index=4, value=mb.add(x=x, y=1.0))
        three = mb.list_scatter(ls=two, indices=[0, 2], value=mb.stack(values=(x, x), axis=0))
        return (
            mb.list_gather(ls=three, indices=[0, 1, 2, 3, 4]),
            mb.list_read(ls=two, index=0),
            mb.list_length(ls=three),
        )

    model = built(program, {"x": ((2,), "fp32")}, "iOS15")
    gathered, untouched, length = model.predict({"x": np.array([1, 2])}).values()
    assert gathered.tolist() == [[1, 2], [1, 2], [1, 2], [0, 0], [2, 3]]
    assert untouched.tolist() == [0, 0]
    assert length == 5


class Counter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("total", torch.zeros(2, dtype=torch.float16))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.total.add_(x)
        return self.total * 2


@pytest.fixture
def counter(converted: Callable[..., Model]) -> Model:
    import coremltools as ct

    return converted(
        Counter(),
        torch.zeros(2, dtype=torch.float16),
        half=True,
        target="iOS18",
        inputs=[ct.TensorType("x0", shape=(2,), dtype=np.float16)],
        outputs=[ct.TensorType("y", dtype=np.float16)],
        states=[ct.StateType(ct.TensorType(shape=(2,), dtype=np.float16), name="total")],
    )


def test_states_last_from_call_to_call(counter: Model) -> None:
    x = {"x0": np.array([1, 2.5])}
    state, other = counter.make_state(), counter.make_state()
    assert counter.states[0].name == "total"
    assert counter.predict(x, state=state)["y"].tolist() == [2, 5]
    assert counter.predict(x, state=state)["y"].tolist() == [4, 10]
    assert counter.predict(x, state=other)["y"].tolist() == [2, 5]
    kept = state.read_state("total")
    assert kept.tolist() == [2, 5]
    assert kept.dtype == np.float16
    state.write_state("total", np.array([10, 20]))
    assert counter.predict(x, state=state)["y"].tolist() == [22, 45]


def test_states_that_are_missing_or_wrong(counter: Model) -> None:
    x = {"x0": np.array([1, 2.5])}
    with pytest.raises(InputError, match=r"state = model.make_state\(\)"):
        counter.predict(x)
    state = counter.make_state()
    with pytest.raises(InputError, match="one of total"):
        state.read_state("totals")
    with pytest.raises(InputError, match=r"shape \(3,\)"):
        state.write_state("total", np.zeros(3))


def test_states_of_two_threads_do_not_mix(counter: Model) -> None:
    ends: dict[int, list[float]] = {}

    def work(n: int) -> None:
        state = counter.make_state()
        for _ in range(20):
            result = counter.predict({"x0": np.array([n, n])}, state=state)
        ends[n] = result["y"].tolist()

    threads = [threading.Thread(target=work, args=(n,)) for n in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ends == {n: [40 * n, 40 * n] for n in (1, 2, 3)}


@pytest.mark.parametrize("labels", [["cat", "dog", "eel"], [7, 5, 3]])
def test_classifiers_give_a_label_and_probabilities(
    converted: Callable[..., Model], labels: list[Any]
) -> None:
    import coremltools as ct

    config = ct.ClassifierConfig(labels)
    x = torch.zeros(1, 3)
    model = converted(nn.Softmax(1), x, classifier_config=config, outputs=[ct.TensorType("p")])
    got = model.predict({"x0": np.array([[0.0, 2.0, 1.0]])})
    want = np.exp([0, 2, 1]) / np.exp([0, 2, 1]).sum()
    assert got["classLabel"] == labels[1]
    assert type(got["classLabel"]) is type(labels[1])
    table = next(value for value in got.values() if isinstance(value, dict))
    assert list(table) == labels
    np.testing.assert_allclose(list(table.values()), want, rtol=1e-6)


def test_several_functions_in_one_package(tmp_path: Path) -> None:
    import coremltools as ct

    paths = []
    for name, layer in (("twice", nn.Hardtanh(-2.0, 2.0)), ("once", nn.ReLU())):
        traced = torch.jit.trace(layer, torch.zeros(2))
        model = ct.convert(
            traced,
            inputs=[ct.TensorType("x", shape=(2,))],
            outputs=[ct.TensorType("y")],
            minimum_deployment_target=ct.target.iOS18,
            skip_model_load=True,
        )
        paths.append(tmp_path / f"{name}.mlpackage")
        model.save(str(paths[-1]))
    description = ct.utils.MultiFunctionDescriptor()
    description.add_function(str(paths[0]), "main", "clip")
    description.add_function(str(paths[1]), "main", "relu")
    description.default_function_name = "relu"
    ct.utils.save_multifunction(description, str(tmp_path / "both.mlpackage"))
    x = {"x": np.array([-5.0, 5.0])}
    both = tmp_path / "both.mlpackage"
    assert lading.coreml.load(both).predict(x)["y"].tolist() == [0, 5]
    assert lading.coreml.load(both, function_name="clip").predict(x)["y"].tolist() == [-2, 2]
    with pytest.raises(RequestError, match="clip, relu"):
        lading.coreml.load(both, function_name="tanh")


def test_pipelines_of_programs(converted: Callable[..., Model], tmp_path: Path) -> None:
    import coremltools as ct

    converted(nn.Conv1d(2, 3, 2), torch.zeros(1, 2, 5))
    first = ct.models.MLModel(str(next(tmp_path.glob("*.mlpackage"))), skip_model_load=True)
    ct.utils.rename_feature(first._spec, "y", "middle")
    second_folder = tmp_path / "second"
    second_folder.mkdir()
    traced = torch.jit.trace(nn.Conv1d(3, 4, 2), torch.zeros(1, 3, 4))
    second = ct.convert(
        traced,
        inputs=[ct.TensorType("middle", shape=(1, 3, 4))],
        outputs=[ct.TensorType("end")],
        compute_precision=ct.precision.FLOAT32,
        minimum_deployment_target=ct.target.iOS16,
        skip_model_load=True,
    )
    pipeline = ct.utils.make_pipeline(first, second)
    pipeline.save(str(tmp_path / "line.mlpackage"))
    model = lading.coreml.load(tmp_path / "line.mlpackage")
    x = np.random.default_rng(0).standard_normal((1, 2, 5)).astype(np.float32)
    got = model.predict({"x0": x})
    assert list(got) == ["end"]
    assert len(model.parts) == 2
    inner = model.parts[0].predict({"x0": x})["middle"]
    np.testing.assert_array_equal(model.parts[1].predict({"middle": inner})["end"], got["end"])
    with pytest.raises(ProgramError, match="a pipeline"):
        _ = model.program


def test_what_was_read_from_a_state_stays_when_it_is_written() -> None:
    kept = StateTensor(torch.zeros(2), "float32")
    before = control_flow.read_state(kept)
    control_flow.write_state(kept, torch.ones(2))
    assert before.tolist() == [0, 0]
    assert control_flow.read_state(kept).tolist() == [1, 1]
    assert control_flow.coreml_update_state(kept, before).tolist() == [0, 0]
    assert control_flow.read_state(kept).tolist() == [0, 0]
