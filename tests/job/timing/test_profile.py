"""Where the time goes: every operation is in it once, and each belongs to its module."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lading.coreml import plan, system
from lading.formats import Artifact, format_named
from lading.formats.onnx.worker import _summed
from lading.interface.original import TorchSide
from lading.interface.side import EVERYTHING, Watched
from lading.job.timing import profile
from lading.record import to_json
from lading.record.bench import Placed, Spent
from tests.toys import interface

X = {"image": np.random.default_rng(0).standard_normal((1, 1, 16, 16)).astype(np.float32)}


@pytest.fixture
def artifacts(files: dict[str, Path]) -> dict[str, Artifact]:
    return {name: format_named(name).open(path, own=True) for name, path in files.items()}


@pytest.mark.parametrize("kind", ["coreml", "mlmodel"])
def test_every_operation_of_a_program_is_timed_once_a_call(
    kind: str, artifacts: dict[str, Artifact]
) -> None:
    side = artifacts[kind].side()
    assert isinstance(side, Watched)
    whole, parts = side.spent(X, 3)
    assert Counter(one.op for one in parts) == Counter(o.op for o in artifacts[kind].work(X))
    assert {one.calls for one in parts} == {1.0}
    assert 0 < sum(one.seconds for one in parts) <= whole


def test_every_operation_of_the_original_is_timed(artifacts: dict[str, Artifact]) -> None:
    side = TorchSide(interface())
    whole, parts = side.spent(X, 2)
    assert 0 < sum(one.seconds for one in parts) <= whole
    assert all(not one._forward_hooks for one in side.interface.module.modules())
    side.run(X, EVERYTHING)
    seen = Counter(one.op for one in side.graph if not one.module_output)
    timed = {one.op: 0.0 for one in parts}
    for one in parts:
        timed[one.op] += one.calls
    assert all(timed[op] == count for op, count in seen.items() if op in ("convolution", "cat"))
    assert {one.module for one in parts if one.op == "convolution"} == {
        "network.stem", "network.down", "network.up", "network.head",
    }  # fmt: skip


@pytest.mark.parametrize("own", [True, False])
def test_onnx_runtime_s_own_profile(own: bool, artifacts: dict[str, Artifact]) -> None:
    opened = artifacts["onnx"]
    side = opened.format.open(opened.path, own=own).side()
    assert isinstance(side, Watched)
    whole, parts = side.spent(X, 3)
    assert whole > 0
    kinds = Counter(one.op for one in parts)
    assert kinds["Conv"] + kinds["FusedConv"] == 3
    assert {one.calls for one in parts} == {1.0}
    convolutions = {one.module for one in parts if one.op in ("Conv", "ConvTranspose")}
    assert {"network.stem", "network.up", "network.head"} <= convolutions
    # one is fused with the activation after it, which the network's own forward computes
    assert convolutions <= {"network", "network.stem", "network.down", "network.up", "network.head"}


def test_what_a_node_holds_is_not_its_own_time() -> None:
    def event(name: str, ts: int, dur: int, cat: str = "Node") -> dict[str, Any]:
        args = {"op_name": name.title()}
        suffix = "_kernel_time" if cat == "Node" else ""
        return {"cat": cat, "name": name + suffix, "ts": ts, "dur": dur, "tid": 1, "args": args}

    events = [
        event("model_run", 0, 1000, "Session"), event("add", 10, 500),  # the one that warms up
        event("model_run", 2000, 100, "Session"),
        event("loop", 2010, 60), event("mul", 2020, 10), event("mul", 2040, 20),
        event("add", 2080, 5),
    ]  # fmt: skip
    whole, rows = _summed(events, 1)
    assert whole == pytest.approx(100e-6)
    assert {name: (round(1e6 * took), calls) for name, _, took, calls in rows} == {
        "loop": (30, 1), "mul": (30, 2), "add": (5, 1),
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["coreml", "mlmodel", "onnx"])
def test_operations_belong_to_the_original_s_modules(
    kind: str, artifacts: dict[str, Artifact]
) -> None:
    artifact = artifacts[kind]
    work = artifact.work(X)
    found = profile.modules(interface(), artifact, work, X)
    products = {found.get(one.name) for one in work if one.macs}
    assert products == {"network.stem", "network.down", "network.up", "network.head"}


def test_parts_are_summed_and_what_is_between_them_is_a_row() -> None:
    parts = [
        Spent("a", "conv", "stem", 0.5, 1), Spent("b", "conv", "head", 0.25, 2),
        Spent("c", "relu", "", 0.125, 1),
    ]  # fmt: skip
    answer = {"whole": 1.0, "parts": to_json(parts), "plan": []}
    done = profile.of(answer, 7, {"b": "net.head"})
    assert done.by_kind == (
        Spent("conv", "conv", "", 0.75, 3), Spent("", "", "", 0.125, 1),
        Spent("relu", "relu", "", 0.125, 1),
    )  # fmt: skip
    assert [(one.name, one.module) for one in done.by_module] == [
        ("stem", "stem"), ("net.head", "net.head"), ("", ""), ("c", ""),
    ]  # fmt: skip
    for rows in (done.by_kind, done.by_module):
        assert sum(one.seconds for one in rows) == pytest.approx(done.seconds)
    assert done.calls == 7


# -------------------------------------------------------------------------------------- Core ML's
class MLCPUComputeDevice:
    """In the place of coremltools' own."""


class MLNeuralEngineComputeDevice:
    """The same."""


def fake_plan() -> Any:
    """As `coremltools.models.compute_plan.MLComputePlan`, with its names."""

    def op(name: str, *inner: Any) -> Any:
        block = [SimpleNamespace(operations=inner)] if inner else []
        return SimpleNamespace(operator_name=f"ios16.{name}", blocks=block)

    operations = [op("const"), op("conv"), op("conv"), op("while_loop", op("add"))]
    program = SimpleNamespace(
        functions={"main": SimpleNamespace(block=SimpleNamespace(operations=operations))}
    )
    structure = SimpleNamespace(pipeline=None, neuralnetwork=None, program=program)

    def usage(one: Any) -> Any:
        if one.operator_name.endswith("const"):
            return None
        conv = one.operator_name.endswith("conv")
        device = MLNeuralEngineComputeDevice() if conv else MLCPUComputeDevice()
        return SimpleNamespace(preferred_compute_device=device, supported_compute_devices=[device])

    def cost(one: Any) -> Any:
        return SimpleNamespace(weight=0.4 if one.operator_name.endswith("conv") else 0.1)

    return SimpleNamespace(
        model_structure=structure,
        get_compute_device_usage_for_mlprogram_operation=usage,
        get_estimated_cost_for_mlprogram_operation=cost,
    )


def test_a_plan_of_core_ml_by_kind_and_device() -> None:
    assert plan.placed(fake_plan()) == (
        Placed("conv", "Neural Engine", 2, 0.8),
        Placed("add", "CPU", 1, 0.1),
        Placed("while_loop", "CPU", 1, 0.1),
    )


def test_core_ml_itself_through_the_stand_in(
    artifacts: dict[str, Artifact], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each compute unit is asked for by coremltools' name, and the plan is of the same one."""
    import coremltools as ct

    import lading.coreml

    asked: list[Any] = []
    real = ct.models.MLModel

    class Model(real):  # type: ignore[misc, valid-type]
        def __init__(self, path: str, compute_units: Any) -> None:
            asked.append(compute_units)
            super().__init__(path, compute_units=compute_units)

        def get_compiled_model_path(self) -> str:
            return "net.mlmodelc"

    def load(path: str, compute_units: Any) -> Any:
        asked.append(compute_units)
        return fake_plan()

    fake = SimpleNamespace(load_from_path=load)
    monkeypatch.setitem(
        sys.modules, "coremltools.models.compute_plan", SimpleNamespace(MLComputePlan=fake)
    )
    monkeypatch.setattr(ct.models, "MLModel", Model)
    path: Path = artifacts["coreml"].path
    with lading.coreml.stand_in():
        for unit in system.UNITS:
            side = system.System(path, unit)
            assert set(side.run(X)) == {"logits"}
            assert side.placed()[0] == Placed("conv", "Neural Engine", 2, 0.8)
    names = [one.name for one in asked]
    assert names == [name for name in system._UNITS.values() for _ in range(2)]
