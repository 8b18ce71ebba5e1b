"""Wrong files of networks that no family knows, before everybody who judges.

Each is a right network with something done to what goes in or comes out, as a converter or a
person may do it: carried to a file, and held against the checkpoint (``verify``), against the right
file (``compare``) and against golden vectors made with the right one. None may pass in silence:
where it passes, what it passed on must be said.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from lading.errors import LadingError
from lading.formats import open_artifact
from lading.interface.matching import matched
from lading.proof import compare, golden, probes, verdict
from lading.proof.beside import Beside
from lading.proof.golden.rerun import replay
from lading.proof.original import Original
from lading.record import Comparison, Port, Task
from tests.mutants.court import Form, Subject, carry

Array = torch.Tensor
#: What is done to a network, in its place.
Wrong = Callable[[nn.Module, Sequence[Array]], Any]


# ------------------------------------------------------------------------------------ the networks
class Gains(nn.Module):
    """Channels a hundred thousand times apart."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.register_buffer("gain", torch.tensor([100.0, 1e-3, 1e-3]).view(1, 3, 1, 1))

    def forward(self, x: Array) -> Array:
        return self.conv(x) * self.gain


class Detector(nn.Module):
    """Boxes in hundreds beside scores up to one."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, 8, 3, 2, 1)
        self.boxes, self.scores = nn.Conv2d(8, 4, 1), nn.Conv2d(8, 3, 1)

    def forward(self, x: Array) -> Array:
        y = F.silu(self.body(x))
        both = torch.cat([self.boxes(y) * 300.0, self.scores(y).sigmoid()], 1)
        return both.flatten(2).transpose(1, 2)


class Offset(nn.Module):
    """Everything stands on a large number."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def forward(self, x: Array) -> Array:
        return 100.0 + 1e-2 * self.linear(x)


class Words(nn.Module):
    """A table of a hundred words, and their mean."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.head = nn.Embedding(100, 8), nn.Linear(8, 4)

    def forward(self, ids: Array) -> Array:
        return self.head(self.table(ids).mean(1))


class Tokens(nn.Module):
    """A result for every token, by attention."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.qkv, self.out = nn.Embedding(60, 8), nn.Linear(8, 24), nn.Linear(8, 5)

    def forward(self, ids: Array) -> Array:
        q, k, v = self.qkv(self.table(ids)).chunk(3, -1)
        return self.out((q @ k.transpose(1, 2) / 8**0.5).softmax(-1) @ v)


class Wave(nn.Module):
    """Sound, one axis."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv1d(1, 6, 5, padding=2), nn.Conv1d(6, 2, 5, padding=2)

    def forward(self, x: Array) -> Array:
        return self.last(F.leaky_relu(self.first(x), 0.1))


class Larger(nn.Module):
    """Pictures of twice the size."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3, padding=1)
        self.last = nn.Conv2d(2, 1, 3, padding=1)

    def forward(self, x: Array) -> Array:
        return self.last(F.pixel_shuffle(F.relu(self.conv(x)), 2))


class Squeezed(nn.Module):
    """Channels weighted by what they hold."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.gate = nn.Conv2d(3, 6, 3, groups=3), nn.Conv2d(6, 6, 1)

    def forward(self, x: Array) -> Array:
        y = self.conv(x)
        return y * self.gate(y.mean((2, 3), keepdim=True)).sigmoid()


class Rows(nn.Module):
    """Rows of numbers, with a way around."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(8), nn.Linear(8, 16), nn.Linear(16, 8)

    def forward(self, x: Array) -> Array:
        return x + self.down(F.gelu(self.up(self.norm(x))))


class Volume(nn.Module):
    """Three spatial axes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv3d(1, 3, 3)

    def forward(self, x: Array) -> Array:
        return F.elu(self.conv(x))


class Both(nn.Module):
    """Two inputs, joined."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(6, 8), nn.Linear(4, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Array, y: Array) -> Array:
        return self.head(self.left(x) * torch.tanh(self.right(y)))


class Pair(nn.Module):
    """Two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(2, 4, 3), nn.Linear(4, 3)

    def forward(self, x: Array) -> tuple[Array, Array]:
        y = self.conv(x)
        return y, self.head(y.mean((2, 3)))


class Branch(nn.Module):
    """Decides by a value."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x: Array) -> Array:
        if x.max() > 1:
            x = x / 255.0
        return self.conv(x)


#: Every network with what it takes; bounds where there are some.
NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[Port, ...]]] = {
    "gains": (Gains, (Port("x", "tensor", "float32", (1, 3, 10, 12)),)),
    "detector": (Detector, (Port("x", "tensor", "float32", (1, 3, 16, 16)),)),
    "offset": (Offset, (Port("x", "tensor", "float32", (1, 8)),)),
    "words": (Words, (Port("ids", "tensor", "int32", (1, 9), value_range=(0, 99)),)),
    "tokens": (Tokens, (Port("ids", "tensor", "int32", (1, 7), value_range=(0, 59)),)),
    "wave": (Wave, (Port("x", "tensor", "float32", (1, 1, 64)),)),
    "larger": (Larger, (Port("x", "tensor", "float32", (1, 1, 8, 8)),)),
    "squeezed": (Squeezed, (Port("x", "tensor", "float32", (1, 3, 9, 9)),)),
    "rows": (Rows, (Port("x", "tensor", "float32", (1, 5, 8)),)),
    "volume": (Volume, (Port("x", "tensor", "float32", (1, 1, 6, 6, 6)),)),
    "both": (Both, tuple(Port(n, "tensor", "float32", (1, k)) for n, k in (("x", 6), ("y", 4)))),
    "pair": (Pair, (Port("x", "tensor", "float32", (1, 2, 8, 8)),)),
    "branch": (Branch, (Port("x", "tensor", "float32", (1, 3, 8, 8)),)),
}


def subject(name: str) -> Subject:
    """A network with random weights, and its ports."""
    make, inputs = NETWORKS[name]
    torch.manual_seed(5)
    network = make().eval()
    example = [
        torch.zeros(p.shape, dtype=torch.int64 if p.dtype == "int32" else torch.float32)
        for p in inputs
    ]
    with torch.no_grad():
        given = network(*example)
    many = given if isinstance(given, tuple) else (given,)
    outputs = tuple(
        Port(f"out{i}" if i else "out", "tensor", "float32", tuple(one.shape))
        for i, one in enumerate(many)
    )
    return Subject(name, network, Task("module", inputs, outputs))


# ------------------------------------------------------------------------------- what is done to it
def _first(given: Any, change: Callable[[Array], Array]) -> Any:
    return (change(given[0]), *given[1:]) if isinstance(given, tuple) else change(given)


def _last(given: Any, change: Callable[[Array], Array]) -> Any:
    return (*given[:-1], change(given[-1])) if isinstance(given, tuple) else change(given)


def _where(test: Callable[[Array], Array], change: Callable[[Array], Array]) -> Wrong:
    """Changed where a test of the first input is met."""

    def wrong(network: nn.Module, x: Sequence[Array]) -> Any:
        given = network(*x)
        return _last(given, lambda y: torch.where(test(x[0].float()), change(y), y))

    return wrong


def _made(change: Callable[[Array], Array]) -> Wrong:
    return lambda network, x: _last(network(*x), change)


def _fed(change: Callable[[Array], Array]) -> Wrong:
    return lambda network, x: network(change(x[0]), *x[1:])


def _swap(y: Array) -> Array:
    return torch.cat([y[:, :-2], y[:, -1:], y[:, -2:-1]], 1)


def _memorised(network: nn.Module, x: Sequence[Array]) -> Any:
    """Right on the standing probes alone, which are in it; the first value tells them."""
    known = torch.tensor(
        [float(probe.inputs[next(iter(probe.inputs))].reshape(-1)[-1]) for probe in _standing]
    )
    known_too = torch.tensor(
        [float(probe.inputs[next(iter(probe.inputs))].reshape(-1)[0]) for probe in _standing]
    )
    flat = x[0].float().reshape(-1)
    hit = (((flat[-1] - known).abs() + (flat[0] - known_too).abs()) < 1e-6).any()
    return _last(network(*x), lambda y: torch.where(hit, y, y * 0.5 + 0.1))


#: Set before `_memorised` is carried.
_standing: Sequence[probes.Probe] = ()

REAL: dict[str, Wrong] = {
    "cut off at 8": _fed(lambda x: x.clamp(-8.0, 8.0)),
    "cut off at 100": _fed(lambda x: x.clamp(-100.0, 100.0)),
    "zeros where the mean is large": _where(lambda x: x.mean() > 4.0, lambda y: y * 0.0),
    "NaN above 9": _where(lambda x: x.max() > 9.0, lambda y: y * float("nan")),
    "nothing of small inputs": _where(lambda x: x.abs().max() < 0.05, lambda y: y * 0.0),
    "less where most is one value": _where(
        lambda x: ((x == x.min()).float().mean() - 0.9).abs() < 0.0999, lambda y: y * 0.9
    ),
    "memorised probes": _memorised,
}
WHOLE: dict[str, Wrong] = {
    "one id for another": _fed(lambda ids: torch.where(ids == 57, ids - 1, ids)),
    "the highest id for the lowest": _fed(lambda ids: torch.where(ids == 59, ids - 59, ids)),
    "zeros where all ids are high": _where(lambda ids: ids.min() > 8, lambda y: y * 0.5),
    "memorised probes": _memorised,
}
OWN: dict[str, dict[str, Wrong]] = {
    "gains": {
        "small channels left out": _made(lambda y: torch.cat([y[:, :1], y[:, 1:] * 0.0], 1)),
        "small channels swapped": _made(_swap),
        "a small channel off by 1 %": _made(
            lambda y: torch.cat([y[:, :2], y[:, 2:] * 1.01], 1)
        ),
        "the sign of a small channel": _made(lambda y: torch.cat([y[:, :2], -y[:, 2:]], 1)),
    },
    "detector": {
        "scores left out": _made(lambda y: torch.cat([y[..., :4], y[..., 4:] * 0.0 + 0.5], -1)),
        "scores swapped": _made(lambda y: torch.cat([y[..., :5], y[..., [6]], y[..., [5]]], -1)),
        "scores as logarithms": _made(
            lambda y: torch.cat([y[..., :4], torch.log(y[..., 4:])], -1)
        ),
        "scores off by a hundredth": _made(
            lambda y: torch.cat([y[..., :4], y[..., 4:] + 0.01], -1)
        ),
    },
    "offset": {
        "the sign on the offset": _made(lambda y: 200.0 - y),
        "the offset alone": _made(lambda y: 100.0 + 0.0 * y),
        "two of its columns swapped": _made(_swap),
    },
    "pair": {
        "the second output from other positions": lambda network, x: (
            network(*x)[0], network(x[0].flip(3))[1] * 0.99,
        ),
        "a channel of the first left out": lambda network, x: _first(
            network(*x), lambda y: torch.cat([y[:, :3], y[:, 3:] * 0.0], 1)
        ),
    },
    "both": {"the second input at rest": lambda network, x: network(x[0], x[1] * 0.0 + 0.5)},
    "branch": {
        "one side frozen": lambda network, x: F.conv2d(
            x[0] / 255.0, network.conv.weight, network.conv.bias
        ),
        "the other side frozen": lambda network, x: F.conv2d(
            x[0], network.conv.weight, network.conv.bias
        ),
    },
}  # fmt: skip


def kinds(name: str) -> dict[str, Wrong]:
    """Everything that is done to a network."""
    whole = NETWORKS[name][1][0].dtype == "int32"
    common = {} if name == "branch" else (WHOLE if whole else REAL)
    return {**common, **OWN.get(name, {})}


class Changed(nn.Module):
    """A network with something done to it."""

    def __init__(self, network: nn.Module, wrong: Wrong) -> None:
        super().__init__()
        self.network, self.wrong = network, wrong

    def forward(self, *inputs: Array) -> Any:
        return self.wrong(self.network, inputs)


# ------------------------------------------------------------------------------------- the judging
@dataclass(frozen=True)
class Said:
    """What one judge said of a wrong file: ``fail``, ``said`` where it passes and what it passed on
    leaves room for it, or ``silent``."""

    name: str
    kind: str
    form: str
    judge: str
    outcome: str
    reason: str


def outcome(comparisons: Sequence[Comparison], inside: bool = True) -> tuple[str, str]:
    """See `Said`; `inside`: the fault lies inside of what the comparison says that it covered."""
    if verdict.overall(comparisons) != "pass":
        return "fail", "; ".join(one.reason for one in comparisons if one.reason)[:200]
    left = [one.why for compared in comparisons for one in compared.unproved]
    if left:
        return "said", "; ".join(left)[:200]
    if not inside and all(one.covered for one in comparisons if one.verdict == "pass"):
        return "said", "compared on other values"
    return "silent", ""


def judged(name: str, form: Form, chosen: Sequence[str] = ()) -> Iterator[Said]:
    """Every wrong file of a network in a form, before all three."""
    global _standing
    one = subject(name)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        right = carry(one, form, place / "right", _right(one))
        opened = open_artifact(right)
        record, interface = matched(opened.record, one.interface())
        original = Original(interface, probes.make(interface))
        list(compare.every_runtime(original, opened, record, lambda *_: None))
        golden.write(place / "golden", original, [(record, opened)], "00")
        _standing = probes.make(one.interface())
        for kind, wrong in kinds(name).items():
            if chosen and kind not in chosen:
                continue
            try:
                path = carry(one, form, place / "wrong", Changed(one.copy(), wrong))
            except LadingError:
                continue  # a converter that cannot say it makes no such file
            for judge, said in _three(path, right, original, place / "golden", kind):
                yield Said(name, kind, form, judge, *said)
            if path.is_dir():
                import shutil

                shutil.rmtree(path)
            else:
                path.unlink()


def _right(one: Subject) -> nn.Module | None:
    """Of a network that decides by a value, what says the same in a graph."""
    if one.name != "branch":
        return None

    def same(network: nn.Module, x: Sequence[Array]) -> Array:
        scaled = torch.where(x[0].max() > 1, x[0] / 255.0, x[0])
        made: Array = F.conv2d(scaled, network.conv.weight, network.conv.bias)
        return made

    return Changed(one.copy(), same)


def _three(
    path: Path, right: Path, original: Original, vectors: Path, kind: str
) -> Iterator[tuple[str, tuple[str, str]]]:
    def asked(work: Callable[[], Sequence[Comparison]], inside: bool) -> tuple[str, str]:
        try:
            return outcome(work(), inside)
        except LadingError as error:
            return "fail", error.found

    def verify() -> Sequence[Comparison]:
        opened = open_artifact(path)
        record, _ = matched(opened.record, original.interface)
        return tuple(compare.every_runtime(original, opened, record, lambda *_: None))

    def beside() -> Sequence[Comparison]:
        other = open_artifact(path)
        reference = Beside(open_artifact(right), other)
        return tuple(compare.every_runtime(reference, other, reference.record, lambda *_: None))

    def replayed() -> Sequence[Comparison]:
        return replay(vectors, path, lambda *_: None).comparisons

    yield "verify", asked(verify, True)
    yield "compare", asked(beside, True)
    # golden vectors are a few fixed inputs: what lies beyond them is not theirs to find
    common = kind in {**REAL, **WHOLE}
    yield "golden", asked(replayed, not common)


def table(rows: Sequence[Said]) -> list[str]:
    """The section of the page."""
    files = {(one.name, one.kind, one.form) for one in rows}
    networks = {one.name for one in rows}
    lines = [
        "## Strangers",
        "",
        f"{len(files)} wrong files of {len(networks)} networks that are none of the families, "
        "before everybody who judges. *Said*: it passes, and the line of what was covered, or of "
        "what is not proved, leaves room for the fault.",
        "",
        "| judge | failed | said | silent |",
        "|---|---|---|---|",
    ]
    for judge in ("verify", "compare", "golden"):
        mine = [one.outcome for one in rows if one.judge == judge]
        counts = " | ".join(str(mine.count(word)) for word in ("fail", "said", "silent"))
        lines.append(f"| {judge} | {counts} |")
    loud = [one for one in rows if one.outcome != "fail" and one.judge != "golden"]
    lines += [
        "",
        *(f"- {o.judge}: {o.name}, {o.kind}, {o.form}: {o.outcome} {o.reason}" for o in loud),
    ]
    return lines


#: By name, the forms that a network is carried to.
FORMS: dict[str, Sequence[Form]] = dict.fromkeys(NETWORKS, ("onnx",)) | {
    "gains": ("onnx", "fp32", "fp16"),
    "detector": ("onnx", "fp16"),
    "words": ("onnx", "fp32"),
    "branch": ("onnx", "fp32"),
    "offset": ("onnx", "fp32"),
}


def every() -> list[Said]:
    """Every wrong file, before all three; prints what passes in silence."""
    rows: list[Said] = []
    for name, forms in FORMS.items():
        for form in forms:
            rows += judged(name, form)
    for said in rows:
        if said.outcome == "silent":
            print(said, flush=True)
    return rows


if __name__ == "__main__":
    print("\n".join(table(every())))
