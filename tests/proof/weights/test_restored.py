"""Constants put back to where they came from: an fp16 file's graph alone, in fp32."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from lading.conversion.capture import capture
from lading.conversion.graphs import ROUTES, Graphs
from lading.formats import Format, coreml
from lading.formats import onnx as onnx_format
from lading.interface.original import TorchSide
from lading.interface.settings import Settings
from lading.interface.side import Side
from lading.proof import metrics, noise
from lading.proof.probes import make
from lading.proof.weights.again import Again
from lading.proof.weights.origins import Origins
from lading.proof.weights.restored import Restored
from lading.record import Route
from tests import networks, toys


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("widened") / "net.mlpackage"
    coreml.FORMAT.convert(capture(toys.interface(), "trace"), Settings(), path)
    return path


def widened(program: Path, state: Mapping[str, torch.Tensor]) -> tuple[Side, int]:
    """The program in fp32 with these tensors put back, and how many constants stayed rounded."""
    restored = Restored(Origins(state))
    return coreml.FORMAT.open(program).widened(restored), restored.unknown


def test_the_widened_graph_of_an_fp16_program_is_the_original(program: Path) -> None:
    one = toys.interface()
    probe = make(one)[0]
    side, rounded = widened(program, one.module.state_dict())
    assert rounded == 0
    wanted = TorchSide(one).run(probe.inputs)["logits"]
    assert metrics.psnr(wanted, side.run(probe.inputs)["logits"]) > 110  # fp32, torch's kernels


def test_what_cannot_be_traced_stays_rounded_and_is_counted(program: Path) -> None:
    one = toys.interface()
    probe = make(one)[0]
    side, rounded = widened(program, {})
    assert rounded > 0
    wanted = TorchSide(one).run(probe.inputs)["logits"]
    assert 50 < metrics.psnr(wanted, side.run(probe.inputs)["logits"]) < 90  # fp16 weights


def test_another_epsilon_is_seen_through_the_rounding(program: Path) -> None:
    other = toys.interface()
    norm = other.module.network.norm  # type: ignore[union-attr]
    norm.eps = 1e-3  # type: ignore[union-attr, assignment]
    probe = make(other)[0]
    wanted = TorchSide(other).run(probe.inputs)["logits"]
    side, _ = widened(program, other.module.state_dict())
    gate = noise.gates({"logits": wanted}, noise.disturbed(other, probe))["logits"]
    assert metrics.psnr(wanted, side.run(probe.inputs)["logits"]) < gate


class Steps(nn.Module):
    """Numbers that differ and are one number in fp16, of which a converter keeps one for all who
    read it: [N, 8] -> [N, 8]."""

    numbers = tuple(1.0 + (8.8 + 0.05 * n) / 1024 for n in range(8))

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.first(x)
        for number in self.numbers:
            y = torch.sin(y) * number
        return y


def joined(path: Path) -> None:
    """An ONNX file as tools for half precision and for fewer nodes leave it: all in float16, and
    what is the same then is there once."""
    model = onnx.load(str(path))
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT16
    del model.graph.value_info[:]
    for node in [one for one in model.graph.node if one.op_type == "Constant"]:
        array = numpy_helper.to_array(node.attribute[0].t)
        model.graph.initializer.append(numpy_helper.from_array(array, node.output[0]))
        model.graph.node.remove(node)
    kept: dict[bytes, str] = {}
    for tensor in [*model.graph.initializer]:
        half = numpy_helper.to_array(tensor).astype(np.float16)
        model.graph.initializer.remove(tensor)
        name = kept.setdefault(half.tobytes(), tensor.name)
        if name == tensor.name:
            model.graph.initializer.append(numpy_helper.from_array(half, name))
        for node in model.graph.node:
            node.input[:] = [name if one == tensor.name else one for one in node.input]
    onnx.save(model, str(path))


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("form", [coreml.FORMAT, onnx_format.FORMAT], ids=lambda form: form.name)
def test_numbers_that_rounding_made_one_are_several_again(
    form: Format, route: Route, tmp_path: Path
) -> None:
    torch.manual_seed(3)
    one = networks.plain(Steps().eval(), (1, 8))
    path = tmp_path / f"net{form.suffix}"
    form.convert(capture(one, route), Settings(), path)
    if form is onnx_format.FORMAT:
        joined(path)
    artifact = form.open(path)
    kept = [h for h in artifact.constants() if h.values.size == 1 and h.dtype == "float16"]
    assert [len(one.places) for one in kept] == [len(Steps.numbers)]
    probe = make(one)[0]
    (wanted,) = TorchSide(one).run(probe.inputs).values()

    def near(restored: Restored) -> float:
        (got,) = artifact.widened(restored).run(probe.inputs).values()
        return metrics.psnr(wanted, got)

    origins, again = Origins(one.module.state_dict()), Again(Graphs(one))
    assert near(Restored(origins)) < 90  # what a number was is guessed
    assert near(Restored(origins, fresh=lambda: again.own(artifact))) > 110
