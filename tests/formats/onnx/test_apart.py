"""ONNX Runtime in a process of its own: the same answers, and a death of it is an error."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from lading import cli
from lading.errors import InputError, ProgramError
from lading.formats import open_artifact
from lading.formats.onnx import FORMAT, worker
from lading.formats.onnx.apart import Apart
from lading.formats.onnx.worker import Here, packed, unpacked

F, HALF, TEXT = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.STRING


def graph(
    nodes: list[Any], inputs: dict[str, Any], outputs: dict[str, Any], opset: int = 18,
    weights: dict[str, Any] | None = None, ir: int = 8,
) -> Any:  # fmt: skip
    ports = [
        [helper.make_tensor_value_info(n, kind, shape) for n, (kind, shape) in many.items()]
        for many in (inputs, outputs)
    ]
    held = [onnx.numpy_helper.from_array(v, n) for n, v in (weights or {}).items()]
    made = helper.make_graph(nodes, "g", *ports, held)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = ir
    return model


def saved(model: Any, path: Path) -> Path:
    onnx.save(model, path)
    return path


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    nodes = [
        helper.make_node("Add", ["x", "x"], ["y"]),
        helper.make_node("Cast", ["x"], ["h"], to=HALF),
        helper.make_node("Cast", ["x"], ["t"], to=TEXT),
    ]
    gives = {"y": (F, ["n"]), "h": (HALF, ["n"]), "t": (TEXT, ["n"])}
    return saved(graph(nodes, {"x": (F, ["n"])}, gives), tmp_path / "a.onnx")


# ---------------------------------------------------------------------------------------- the pipe
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "u1", "i8", "u8", "?", ">f4"])
def test_arrays_cross_as_they_are(dtype: str) -> None:
    values = [
        np.arange(6).astype(dtype).reshape(2, 3).T,
        np.zeros((0, 2), dtype),
        np.array(1, dtype),
    ]
    told, parts = packed([*values, np.array([["a", "é"]], object), [1], None])
    made = unpacked(told, [bytes(part) for part in parts])
    for got, wanted in zip(made, values, strict=False):
        np.testing.assert_array_equal(got, wanted)
        assert (got.dtype, got.shape) == (wanted.dtype, wanted.shape)
    assert made[3].tolist() == [["a", "é"]]
    assert made[4:] == [None, None]


def test_the_same_answers_as_in_this_process(plain: Path) -> None:
    x = {"x": np.array([1.5, -2.0], np.float32)}
    for source in (str(plain), plain.read_bytes()):
        here, apart = (engine.open(source, fused=True) for engine in (Here(), Apart(plain)))
        assert apart.inputs == tuple(type(one)(*map(_listed, one)) for one in here.inputs)
        for got, wanted in zip(apart.run(x), here.run(x), strict=True):
            np.testing.assert_array_equal(got, wanted)
            assert got.dtype == wanted.dtype


def test_memory_is_planned_ahead_where_it_is_timed_alone(
    plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And kept for the next value of small files; threads wait busily there alone."""
    import onnxruntime

    made: list[tuple[bool, bool, str]] = []
    session = onnxruntime.InferenceSession

    def watched(source: object, options: Any, **more: object) -> object:
        busy = options.get_session_config_entry("session.intra_op.allow_spinning")
        made.append((options.enable_mem_pattern, options.enable_cpu_mem_arena, busy))
        return session(source, options, **more)

    monkeypatch.setattr(onnxruntime, "InferenceSession", watched)
    here = Here()
    for threads in (0, 2):
        for large in (1 << 26, 1):
            monkeypatch.setattr(worker, "LARGE", large)
            here.threads = threads
            for source in (str(plain), plain.read_bytes()):
                here.open(source, fused=True)
    plainly = [(False, True, "0")] * 2 + [(False, False, "0")] * 2
    assert made == plainly + [(True, True, "1")] * 4


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, (list, tuple)) else value


def test_a_strangers_file_runs_apart_and_ones_own_in_here(plain: Path) -> None:
    assert isinstance(open_artifact(plain)._engine, Apart)  # type: ignore[attr-defined]
    assert isinstance(FORMAT.open(plain, own=True)._engine, Here)
    side = open_artifact(plain).side()
    got = side.run({"x": np.ones(3, np.float32)}, ["y"])
    np.testing.assert_array_equal(got["y"], np.full(3, 2.0))
    with pytest.raises(InputError) as caught:
        side.run({"x": np.ones((3, 3), np.float32)})
    assert "rank" in caught.value.found.lower()
    with pytest.raises(ProgramError):
        open_artifact(_damaged(plain)).side().run({})


def _damaged(path: Path) -> Path:
    model = onnx.load(str(path))
    model.graph.node[0].op_type = "NoSuchOperation"
    return saved(model, path.with_name("damaged.onnx"))


def test_its_death_is_one_error(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = Apart(plain)
    session = engine.open(str(plain), fused=True)
    assert engine._process is not None
    os.kill(engine._process.pid, signal.SIGFPE)
    for _ in range(2):
        with pytest.raises(ProgramError) as caught:
            session.run({"x": np.ones(2, np.float32)})
        assert caught.value.subject == str(plain)
        assert caught.value.found == "ONNX Runtime died of it (SIGFPE)"
    np.save(tmp_path / "x.npy", np.ones(2, np.float32))
    monkeypatch.setattr("lading.formats.onnx.apart._START", "import os; os.abort()")
    assert cli.main(["run", str(plain), "--input", str(tmp_path / "x.npy")]) == 2
    shown = capsys.readouterr()
    assert "ONNX Runtime died of it (SIGABRT)" in shown.err
    assert "Traceback" not in shown.err


def test_the_process_ends_with_what_started_it(plain: Path) -> None:
    engine = Apart(plain)
    engine.open(str(plain), fused=True)
    process = engine._process
    assert process is not None
    del engine
    for _ in range(100):
        if process.poll() is not None:
            break
        time.sleep(0.05)
    assert process.poll() == 0


def _opened(plain: Path, path: Path, *, fused: bool = True) -> Any:
    engine = Apart(path)
    engine.begin(str(plain))
    return engine, engine.open(str(path), fused=fused)


def test_what_was_begun_is_what_is_opened(plain: Path) -> None:
    x = {"x": np.array([1.5, -2.0], np.float32)}
    wanted = Apart(plain).open(str(plain), fused=True).run(x)
    engine, session = _opened(plain, plain)
    for got, one in zip(session.run(x), wanted, strict=True):
        np.testing.assert_array_equal(got, one)
    session = engine.open(str(plain), fused=False)  # not what was begun: that is over
    np.testing.assert_array_equal(session.run(x)[0], wanted[0])


def test_what_was_begun_for_another_file_is_not_taken_for_it(plain: Path, tmp_path: Path) -> None:
    node = helper.make_node("Neg", ["x"], ["y"])
    made = graph([node], {"x": (F, ["n"])}, {"y": (F, ["n"])})
    other = saved(made, tmp_path / "other.onnx")
    _, session = _opened(plain, other)
    np.testing.assert_array_equal(session.run({"x": np.ones(2, np.float32)})[0], [-1.0, -1.0])
    with pytest.raises(RuntimeError, match="NoSuchOperation"):
        _opened(_damaged(plain), tmp_path / "damaged.onnx")
    _, session = _opened(tmp_path / "damaged.onnx", plain)
    assert session.run({"x": np.ones(2, np.float32)})[0].tolist() == [2.0, 2.0]


def test_nobody_waits_for_what_was_begun_in_vain(plain: Path) -> None:
    engine = Apart(plain)
    engine.begin(str(plain))
    process = engine._process
    assert process is not None
    del engine
    assert process.poll() == -signal.SIGKILL


def test_a_verification_begins_with_the_file(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    monkeypatch.setattr(Apart, "begin", lambda self, source: begun.append(source))
    assert cli.main(["verify", str(plain), "--against", str(tmp_path / "none.pth")]) == 2
    assert begun == [str(plain)]


# ----------------------------------------------------------------------------------- older opsets
X = torch.arange(2 * 3 * 4 * 5, dtype=torch.float32).reshape(2, 3, 4, 5) / 7 - 5
B = torch.tensor([1.0, -2.0, 4.0])
OLD: dict[str, tuple[Any, dict[str, Any], Any]] = {
    "Add along 1": (("Add", ["x", "b"], {"broadcast": 1, "axis": 1}), {"b": B},
                    X + B[:, None, None]),
    "Mul along -3": (("Mul", ["x", "b"], {"broadcast": 1, "axis": -3}), {"b": B},
                     X * B[:, None, None]),
    "Sub along 0": (("Sub", ["x", "b"], {"broadcast": 1, "axis": 0}), {"b": B[:2]},
                    X - B[:2, None, None, None]),
    "Div at the end": (("Div", ["x", "b"], {"broadcast": 1}), {"b": torch.arange(1.0, 6.0)},
                       X / torch.arange(1.0, 6.0)),
    "Add of a plane": (("Add", ["x", "b"], {"broadcast": 1, "axis": 1}), {"b": X[0, :, :, 0]},
                       X + X[0, :, :, 0][..., None]),
    "BatchNormalization": (
        ("BatchNormalization", ["x", "b", "c", "d", "e"], {"is_test": 1, "epsilon": 1e-5}),
        {"b": B, "c": B, "d": B, "e": B.abs()},
        torch.nn.functional.batch_norm(X, B, B.abs(), B, B),
    ),
    "Dropout": (("Dropout", ["x"], {"is_test": 1}), {}, X),
    "PRelu": (("PRelu", ["x", "b"], {}), {"b": B[:1]}, torch.prelu(X, B[:1])),
}  # fmt: skip


@pytest.mark.parametrize("name", OLD)
def test_what_a_channels_bias_was_added_to(name: str, tmp_path: Path) -> None:
    """A file of an opset that ONNX Runtime no longer takes gives what it meant then."""
    (kind, takes, attributes), weights, wanted = OLD[name]
    held = {n: np.ascontiguousarray(w.numpy()) for n, w in weights.items()}
    inputs = {"x": (F, list(X.shape)), **{n: (F, list(w.shape)) for n, w in held.items()}}
    node = helper.make_node(kind, takes, ["y"], **attributes)
    old = graph([node], inputs, {"y": (F, list(X.shape))}, 6, held, ir=3)
    artifact = FORMAT.open(saved(old, tmp_path / "old.onnx"), own=name != "Add along 1")
    assert artifact.remark == "opset 6, raised to 7 by onnx.version_converter"
    assert artifact.record.details["runs as"] == artifact.remark
    got = artifact.side().run({"x": X.numpy()})["y"]
    np.testing.assert_allclose(got, wanted.numpy(), rtol=1e-5, atol=1e-5)


def test_where_nothing_says_what_is_added_where_it_is_refused(tmp_path: Path) -> None:
    node = helper.make_node("Add", ["x", "b"], ["y"], broadcast=1, axis=1)
    old = graph([node], {"x": (F, None), "b": (F, [3])}, {"y": (F, None)}, 6, ir=3)
    with pytest.raises(ProgramError, match="opset 6") as caught:
        FORMAT.open(saved(old, tmp_path / "old.onnx")).side()
    assert "nothing says" in caught.value.found


def test_it_is_said_that_it_was_raised(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    node = helper.make_node("Relu", ["x"], ["y"])
    path = saved(graph([node], {"x": (F, [2])}, {"y": (F, [2])}, 5, ir=3), tmp_path / "old.onnx")
    np.save(tmp_path / "x.npy", np.array([-1, 1], np.float32))
    assert cli.main(["run", str(path), "--input", str(tmp_path / "x.npy")]) == 0
    assert "opset 5, raised to 7 by onnx.version_converter" in capsys.readouterr().out
    assert cli.main(["inspect", str(path)]) == 0
    assert "runs as: opset 5, raised to 7" in capsys.readouterr().out
