"""Artifacts that lading did not make: described by who asks, ports paired by name, shape, value."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from lading import api
from lading.errors import RequestError
from lading.formats import open_artifact
from tests.mutants import networks

TAKES = ["x:float32[1,6]"]


class Twins(nn.Module):
    """Two outputs of one shape, and a third of another."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(6, 4), nn.Linear(6, 4), nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> Any:
        return self.a(x), self.b(x).tanh(), self.c(x)


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Twins]:
    torch.manual_seed(1)
    network = Twins().eval()
    path = tmp_path_factory.mktemp("twins") / "twins.pth"
    torch.save(network.state_dict(), path)
    return path, network


def foreign(path: Path, network: Twins, wrong: float = 0.0) -> Path:
    """Their file by hand: other names, another order."""
    stored, nodes = [], []
    for name, out in (("c", "third"), ("b", "q"), ("a", "p")):
        layer = getattr(network, name)
        bias = layer.bias.detach().numpy() + (wrong if name == "b" else 0)
        stored += [numpy_helper.from_array(layer.weight.detach().numpy(), f"{name}_w"),
                   numpy_helper.from_array(bias.astype(np.float32), f"{name}_b")]  # fmt: skip
        raw = out if name != "b" else "raw"
        nodes.append(helper.make_node("Gemm", ["data", f"{name}_w", f"{name}_b"], [raw], transB=1))
        if name == "b":
            nodes.append(helper.make_node("Tanh", ["raw"], [out]))
    outputs = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, size])
        for n, size in (("third", 3), ("q", 4), ("p", 4))
    ]
    inputs = [helper.make_tensor_value_info("data", TensorProto.FLOAT, [1, 6])]
    graph = helper.make_graph(nodes, "g", inputs, outputs, stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, str(path))
    return path


def test_outputs_are_paired_by_shape_and_by_value(
    twins: tuple[Path, Twins], tmp_path: Path
) -> None:
    checkpoint, network = twins
    sound = foreign(tmp_path / "sound.onnx", network)
    bill = api.verify(sound, checkpoint, model=Twins, input=TAKES)
    assert bill.verdict == "pass", [c.reason for c in bill.comparisons]
    wrong = foreign(tmp_path / "wrong.onnx", network, 0.01)
    assert api.verify(wrong, checkpoint, model=Twins, input=TAKES).verdict == "fail"
    assert api.compare(checkpoint, sound, model=Twins, input=TAKES).verdict == "pass"


def test_a_map_decides(twins: tuple[Path, Twins], tmp_path: Path) -> None:
    checkpoint, network = twins
    path = foreign(tmp_path / "sound.onnx", network)
    asked: dict[str, Any] = {"model": Twins, "input": TAKES}
    names = [port.name for port in api.verify(path, checkpoint, **asked).task.outputs]
    right = {"p": names[0], "q": names[1], "third": names[2], "data": "x"}
    assert api.verify(path, checkpoint, **asked, map=right).verdict == "pass"
    swapped = [f"p={names[1]}", f"q={names[0]}"]
    assert api.verify(path, checkpoint, **asked, map=swapped).verdict == "fail"
    with pytest.raises(RequestError, match="no port 'r' of the artifact"):
        api.verify(path, checkpoint, **asked, map=["r=x"])
    with pytest.raises(RequestError, match="against this checkpoint"):
        api.verify(path, checkpoint, **asked, map=[f"third={names[0]}"])
    with pytest.raises(RequestError, match="two artifacts"):
        api.compare(path, path, map=right)


class Tagged(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.head = nn.Embedding(20, 6), nn.Linear(6, 3)

    def forward(self, ids: torch.Tensor) -> Any:
        return self.head(self.embedding(ids).mean(1))


@pytest.mark.parametrize("kind", ["neuralnetwork", "mlprogram"])
def test_shapes_that_a_core_ml_file_leaves_out_are_unknown(tmp_path: Path, kind: Any) -> None:
    import coremltools as ct

    torch.manual_seed(2)
    network = Tagged().eval()
    torch.save(network.state_dict(), tmp_path / "w.pth")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(network, torch.zeros(1, 5, dtype=torch.int32))
        shape = ct.Shape((1, ct.RangeDim(2, 9, 5))) if kind == "mlprogram" else (1, 5)
        how = {"compute_precision": ct.precision.FLOAT32} if kind == "mlprogram" else {}
        model = ct.convert(
            traced, inputs=[ct.TensorType("ids", shape, dtype=np.int32)], convert_to=kind, **how
        )
    path = tmp_path / ("net.mlmodel" if kind == "neuralnetwork" else "net.mlpackage")
    if kind == "neuralnetwork":  # as older tools write it: whole numbers declared as floats
        spec = model.get_spec()
        array = spec.description.input[0].type.multiArrayType
        array.dataType = array.FLOAT32
        path.write_bytes(spec.SerializeToString())
    else:
        model.save(str(path))
    (output,) = open_artifact(path).record.outputs
    if kind == "neuralnetwork":
        assert not output.shaped
    else:
        assert (output.shaped, len(output.shape)) == (True, 2)
    asked: dict[str, Any] = {"model": Tagged, "input": ["ids:int32[1,5]@0..19"]}
    bill = api.verify(path, tmp_path / "w.pth", **asked)
    assert bill.verdict == "pass", [c.reason for c in bill.comparisons]


def test_a_number_stays_one_and_can_be_fed(tmp_path: Path) -> None:
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, []) for n in ("y", "z")]
    node = helper.make_node("Mul", ["y", "y"], ["z"])
    model = helper.make_model(
        helper.make_graph([node], "g", ends[:1], ends[1:]),
        opset_imports=[helper.make_opsetid("", 18)], ir_version=9,
    )  # fmt: skip
    onnx.save(model, str(tmp_path / "m.onnx"))
    ran = api.run(tmp_path / "m.onnx", input={"y": 3})
    assert ran.output.shape == ()
    assert float(ran.output) == 9.0


def test_what_is_assumed_of_sizes_is_read_off_the_artifact(tmp_path: Path) -> None:
    checkpoint = tmp_path / "w.pth"
    torch.save(networks.texts(0).network.state_dict(), checkpoint)
    api.convert(checkpoint, tmp_path / "out", to="onnx", name="net", set={"length": 12})
    model = onnx.load(str(tmp_path / "out" / "net.onnx"))
    del model.metadata_props[:]  # as if another had made it
    onnx.save(model, str(tmp_path / "net.onnx"))
    bill = api.verify(tmp_path / "net.onnx", checkpoint)
    assert bill.verdict == "pass", [c.reason for c in bill.comparisons]
    (length,) = (one for one in bill.hyperparameters if one.name == "length")
    assert (length.value, length.evidence) == (12, "side file")
    assert length.source.startswith("net.onnx: ")
