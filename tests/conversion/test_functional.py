"""What is only named functional is what tracing it again gives, node by node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lading.conversion.functional import functional, is_functional
from lading.network.source import Source, load
from tests.conftest import CAMUS, genuine_unet, nnunet_file
from tests.mutants import networks, strangers

X = torch.linspace(-1.0, 2.0, 2 * 3 * 8 * 8).reshape(2, 3, 8, 8)


def nodes(program: torch.export.ExportedProgram) -> list[Any]:
    """Every node with what it is made of; names are torch's own matter."""
    place = {node: number for number, node in enumerate(program.graph.nodes)}
    return [
        (node.op, node.target if node.op == "call_function" else "",
         torch.fx.map_arg((node.args, node.kwargs), place.__getitem__),
         torch.utils._pytree.tree_map(str, node.meta.get("val")))
        for node in program.graph.nodes
    ]  # fmt: skip


class Of(nn.Module):
    """A function of one input, with a weight and a buffer at hand."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function
        self.w = nn.Parameter(torch.linspace(-0.5, 0.5, 27).reshape(1, 3, 3, 3))
        self.register_buffer("mean", torch.tensor([0.1, 0.2, 0.3]))
        self.register_buffer("kept", torch.zeros(3))

    def forward(self, input: Any) -> Any:  # noqa: A002 - a name that is Python's own
        return self.function(self, input)


def _in_place(s: Any, x: Any) -> Any:
    y = x * 2.0
    y[:, 0] = 1.0
    return y


def _kept(s: Any, x: Any) -> Any:
    s.kept.add_(1.0)
    return x + s.kept.reshape(1, 3, 1, 1)


def _no_gradient(s: Any, x: Any) -> Any:
    with torch.no_grad():
        y = x * 2.0
    return y + F.conv2d(x, s.w).sum()


FUNCTIONS = {
    "convolution": lambda s, x: F.leaky_relu(F.conv2d(x, s.w, padding=1)),
    "instance norm": lambda s, x: F.instance_norm(x, eps=1e-3),
    "batch norm": lambda s, x: F.batch_norm(x, s.mean, s.mean.abs()),
    "group norm": lambda s, x: F.group_norm(x, 3) + F.layer_norm(x, (8, 8)),
    "attention": lambda s, x: F.scaled_dot_product_attention(x, x, x, scale=0.5),
    "linear": lambda s, x: F.linear(x, s.w.reshape(1, 27)[:, :8]),
    "softmax": lambda s, x: F.softmax(torch.cat([x, x * 2.0], 1), 1).mean(1),
    "resized": lambda s, x: F.interpolate(x, scale_factor=2.0, mode="bilinear"),
    "whole numbers": lambda s, x: torch.ops.aten.argmax(x, 1),
    "dropout": lambda s, x: F.dropout(x, training=False) + 1.0,
    "dropped": lambda s, x: F.dropout(x, training=True) + 1.0,
    "cast": lambda s, x: x.to(torch.float16).float(),
    "to itself": lambda s, x: x.to(torch.float32) * 2.0,
    "views": lambda s, x: x.reshape(2, -1).t().contiguous(),
    "a constant": lambda s, x: x + torch.tensor([1.0]),
    "filled": lambda s, x: x + torch.ones(3, 1, 1) + torch.zeros_like(x),
    "pooled": lambda s, x: F.max_pool2d(x, 2) + F.avg_pool2d(x, 2) + F.adaptive_avg_pool2d(x, 4),
    "padded": lambda s, x: F.pad(x, [1, 1, 1, 1], mode="reflect"),
    "unused": lambda s, x: (x.exp(), x + 1.0)[1],
    "summed up": lambda s, x: x.cumsum(-1),
    "einsum": lambda s, x: torch.einsum("nchw,ncwk->nchk", x, x),
    "in place": _in_place,
    "kept": _kept,
    "no gradient": _no_gradient,
    "the input itself": lambda s, x: x,
    "several": lambda s, x: torch.split(x * 2.0, 1, 1)[1] + x.max(1).values[:, None],
}
#: Of these it is known that nothing has to be traced again.
KNOWN = ("convolution", "instance norm", "group norm", "attention", "softmax")


def exported(module: nn.Module, *inputs: torch.Tensor) -> torch.export.ExportedProgram:
    with torch.no_grad():
        return torch.export.export(module.eval(), inputs)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functional_is_what_tracing_again_gives(name: str) -> None:
    program = exported(Of(FUNCTIONS[name]), X)
    before = nodes(program)
    made = functional(program)
    assert made.dialect == "ATEN"
    assert nodes(made) == nodes(program.run_decompositions({}))
    assert nodes(program) == before
    named = [one.arg.name for one in made.graph_signature.input_specs]
    assert [node.name for node in made.graph.nodes if node.op == "placeholder"] == named
    if name in KNOWN:
        assert is_functional(program)


@pytest.mark.parametrize("seed", range(8))
def test_of_networks_drawn_at_random(seed: int) -> None:
    one = networks.module(seed).interface()
    program = exported(one.module, *one.example().values())
    assert nodes(functional(program)) == nodes(program.run_decompositions({}))


@pytest.mark.parametrize("name", [one for one in strangers.NETWORKS if one != "branch"])
def test_of_strangers_networks(name: str) -> None:
    one = strangers.subject(name).interface()
    program = exported(one.module, *one.example().values())
    assert nodes(functional(program)) == nodes(program.run_decompositions({}))


def test_a_segmentation_is_not_traced_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "checkpoint_best.pth"
    torch.save(nnunet_file(genuine_unet(CAMUS), CAMUS, 256), path)
    program = exported(load(Source(path)).network, torch.zeros(1, 1, 256, 256))
    assert nodes(functional(program)) == nodes(program.run_decompositions({}))
    monkeypatch.delattr(torch.export.ExportedProgram, "run_decompositions")
    assert functional(program).dialect == "ATEN"
