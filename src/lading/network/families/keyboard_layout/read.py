"""One reading of a keyboard-layout checkpoint: what the shapes prove, and what must be assumed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from lading.checkpoint import Checkpoint
from lading.errors import RecognitionError, RequestError
from lading.network.families.keyboard_layout.alphabet import LABELS, LENGTH, VOCABULARY
from lading.network.families.keyboard_layout.network import GRAMS
from lading.network.reading import Reading, flag, integer, integers, number, one_of, text
from lading.record import Recognition, Sign

FAMILY, TITLE = "keyboard_layout", "Keyboard layout classifier"
Tensors = Mapping[str, torch.Tensor]

_ATTENTION = re.compile(r"(\w+)\.layers\.(\d+)\.self_attn\.in_proj_weight")
#: The names that make each network, and the last layer, whose rows are the classes.
NETWORKS = {
    "ensemble": ("weight_cnn", "weight_transformer", "cnn.conv3_deep.weight", "cnn.fc3.weight",
                 "transformer.pos_encoder.pe", "transformer.fc2.weight"),
    "cnn": ("embedding.weight", "conv2_a.weight", "conv2_b.weight", "conv3_deep.weight",
            "fc3.weight"),
    "transformer": ("embedding.weight", "pos_encoder.pe", "fc1.weight", "fc2.weight"),
    "basic": ("embedding.weight", "conv1.weight", "conv2.weight", "fc.weight"),
}  # fmt: skip
_EMBEDDINGS = {"ensemble": ("cnn.embedding.weight", "transformer.embedding.weight")}
_ABOVE = {"ensemble": ("cnn.", "transformer."), "cnn": ("", None), "transformer": (None, "")}


def network_of(tensors: Tensors) -> str:
    """Which of the four networks the names are; empty if none."""
    for network, names in NETWORKS.items():
        if all(name in tensors for name in names) and (
            network in ("cnn", "basic") or _encoder(tensors, _ABOVE[network][1] or "")
        ):
            return network
    return ""


def _encoder(tensors: Tensors, above: str) -> tuple[str, int] | None:
    """Name and number of layers of the transformer's encoder."""
    hits = [
        hit for name in tensors if name.startswith(above)
        if (hit := _ATTENTION.fullmatch(name.removeprefix(above)))
    ]  # fmt: skip
    names = {hit[1] for hit in hits}
    return (names.pop(), len(hits)) if len(names) == 1 else None


def signs(checkpoint: Checkpoint) -> tuple[Sign, ...]:
    """The names of one of the four networks, an embedding of 189 characters, nine scores."""
    tensors = checkpoint.tensors
    network = network_of(tensors)
    embeddings = [
        tensors[name].shape[0]
        for name in _EMBEDDINGS.get(network, ("embedding.weight",))
        if name in tensors and tensors[name].ndim == 2
    ]
    last = tensors.get(NETWORKS[network][-1]) if network else None
    if network == "ensemble":
        last = tensors["cnn.fc3.weight"]
    return (
        Sign(
            "the tensors of the ensemble, of its CNN or transformer, or of the first CNN",
            bool(network),
            network or f"{len(tensors)} other tensors",
        ),
        Sign(
            f"an embedding of {VOCABULARY} characters",
            bool(embeddings) and all(rows == VOCABULARY for rows in embeddings),
            ", ".join(map(str, embeddings)) or "no embedding",
        ),
        Sign(
            f"{len(LABELS)} scores",
            last is not None and last.ndim == 2 and last.shape[0] == len(LABELS),
            "no last layer" if last is None else str(last.shape[0] if last.ndim else 0),
        ),
    )


def read(checkpoint: Checkpoint, settings: Mapping[str, str]) -> Recognition:
    """Every hyper-parameter with its evidence.

    Raises:
        RecognitionError: a tensor is missing or has another number of axes than its layer.
        RequestError: a setting is unknown, impossible, or contradicts the tensors.
    """
    tensors = checkpoint.tensors
    network = network_of(tensors)
    reading = Reading(settings, checkpoint.record.path)
    reading.claim("network", network, "tensors", ", ".join(NETWORKS[network][:2]))
    reading.settle("network", text)
    above_cnn, above_transformer = _ABOVE.get(network, (None, None))
    try:
        if above_cnn is not None:
            _read_cnn(reading, tensors, above_cnn)
        if above_transformer is not None:
            _read_transformer(reading, tensors, above_transformer)
        if network == "basic":
            _read_basic(reading, tensors)
    except KeyError as missing:
        raise RecognitionError(
            checkpoint.record.path,
            found=f"no tensor {missing.args[0]}",
            expected=f"all tensors of the {network} network",
            remedy="the file is cut down: use the original file",
        ) from None
    except ValueError as odd:
        raise RecognitionError(
            checkpoint.record.path,
            found=str(odd),
            expected=f"the shapes of the {network} network's layers",
            remedy="the file is of a variant that is not known: use the original file",
        ) from None
    if network == "ensemble":
        reading.claim("blend_shape", list(tensors["weight_cnn"].shape), "tensors", "weight_cnn")
        reading.settle("blend_shape", lambda v: [integer()(n) for n in v])
    reading.settle("vocabulary", integer(2))
    reading.settle("num_classes", integer(2))
    if network != "basic":
        reading.settle("norm_eps", number, assume=1e-5, why="torch's default")
    reading.settle("length", integer(), assume=LENGTH, why="the family's known value")
    _require_room(reading)
    return reading.finish(FAMILY, TITLE, signs(checkpoint))


def _sizes(tensors: Tensors, name: str, axes: int) -> list[int]:
    """The shape of a tensor that must have `axes` axes."""
    shape = list(tensors[name].shape)
    if len(shape) != axes:
        raise ValueError(f"{name} with {len(shape)} axes in place of {axes}")
    return shape


def _prove(reading: Reading, name: str, value: Any, source: str, check: Any) -> None:
    reading.claim(name, value, "tensors", source)
    reading.settle(name, check)


def _read_cnn(reading: Reading, tensors: Tensors, above: str) -> None:
    def shape(layer: str, axes: int) -> list[int]:
        return _sizes(tensors, f"{above}{layer}.weight", axes)

    for gram in GRAMS:
        kernel = shape(f"conv{gram}", 3)[2]
        if kernel != gram:
            raise ValueError(f"{above}conv{gram}.weight with a kernel of {kernel}")
    rows, width = shape("embedding", 2)
    a, b, deep = shape("conv2_a", 3), shape("conv2_b", 3), shape("conv3_deep", 3)
    reading.claim("vocabulary", rows, "tensors", f"{above}embedding.weight")
    reading.claim("num_classes", shape("fc3", 2)[0], "tensors", f"{above}fc3.weight")
    _prove(reading, "cnn_width", width, f"{above}embedding.weight", integer())
    _prove(reading, "cnn_filters", shape("conv2", 3)[0], f"{above}conv2.weight", integer())
    where = f"{above}conv2_a.weight, {above}conv2_b.weight"
    _prove(reading, "cnn_wide", [a[0], b[0]], where, integers(2))
    _prove(reading, "cnn_wide_kernels", [a[2], b[2]], where, integers(2))
    _prove(reading, "cnn_deep", deep[0], f"{above}conv3_deep.weight", integer())
    _prove(reading, "cnn_deep_kernel", deep[2], f"{above}conv3_deep.weight", integer())
    hidden = [shape("fc1", 2)[0], shape("fc2", 2)[0]]
    _prove(reading, "cnn_hidden", hidden, f"{above}fc1.weight, {above}fc2.weight", integers(2))


def _read_transformer(reading: Reading, tensors: Tensors, above: str) -> None:
    found = _encoder(tensors, above)
    assert found is not None, "a sign of the family"
    name, layers = found
    if hasattr(nn.Module(), name) or name in (
        "forward",
        "fc1",
        "fc2",
        "embedding",
        "pos_encoder",
        "plan",
    ):
        raise ValueError(f"an encoder of the name {name!r}")
    encoder = f"{above}{name}"
    rows, width = _sizes(tensors, f"{above}embedding.weight", 2)
    table = list(tensors[f"{above}pos_encoder.pe"].shape)
    if table[-1:] != [width] or len([n for n in table[:-1] if n != 1]) > 1:
        raise ValueError(f"{above}pos_encoder.pe of shape {table} beside a width of {width}")
    inner = _sizes(tensors, f"{encoder}.layers.0.linear1.weight", 2)[0]
    reading.claim("vocabulary", rows, "tensors", f"{above}embedding.weight")
    classes = _sizes(tensors, f"{above}fc2.weight", 2)[0]
    reading.claim("num_classes", classes, "tensors", f"{above}fc2.weight")
    _prove(reading, "transformer_width", width, f"{above}embedding.weight", integer())
    _prove(reading, "encoder_name", name, f"{encoder}.layers.*", text)
    _prove(reading, "transformer_layers", layers, f"{encoder}.layers.*", integer())
    _prove(
        reading, "position_table", table, f"{above}pos_encoder.pe",
        lambda value: [integer()(n) for n in value],
    )  # fmt: skip
    _prove(reading, "feed_forward", inner, f"{encoder}.layers.0.linear1.weight", integer())
    hidden = _sizes(tensors, f"{above}fc1.weight", 2)[0]
    _prove(reading, "transformer_hidden", hidden, f"{above}fc1.weight", integer())
    _prove(reading, "final_norm", f"{encoder}.norm.weight" in tensors, f"{encoder}.norm.*", flag)
    known = "the family's known value: no shape depends on it"
    fitting = [str(n) for n in range(1, width + 1) if width % n == 0]
    heads = reading.settle("heads", integer(), assume=8, why=known, alternatives=fitting)
    if width % heads:
        raise RequestError(
            f"--set heads={heads}",
            found=f"{heads} heads over a width of {width}",
            expected=f"a divisor of {width}: {', '.join(fitting)}",
            remedy="use the number of heads that the network was trained with",
        )
    reading.settle("norm_first", flag, assume=False, why=known, alternatives=("true",))
    reading.settle(
        "activation", one_of("gelu", "relu"), assume="gelu", why=known, alternatives=("relu",)
    )
    reading.settle(
        "embedding_scale", number, assume=1.0, why=known, alternatives=(f"{width**0.5:g}",)
    )


def _read_basic(reading: Reading, tensors: Tensors) -> None:
    rows, width = _sizes(tensors, "embedding.weight", 2)
    first, second = (_sizes(tensors, f"conv{n}.weight", 3) for n in (1, 2))
    reading.claim("vocabulary", rows, "tensors", "embedding.weight")
    reading.claim("num_classes", _sizes(tensors, "fc.weight", 2)[0], "tensors", "fc.weight")
    where = "conv1.weight, conv2.weight"
    _prove(reading, "basic_width", width, "embedding.weight", integer())
    _prove(reading, "basic_filters", [first[0], second[0]], where, integers(2))
    _prove(reading, "basic_kernels", [first[2], second[2]], where, integers(2))
    reading.settle(
        "padding", integer(0), assume=1, why="keeps the length with kernels of 3; no shape "
        "depends on it", alternatives=("0",),
    )  # fmt: skip


def _require_room(reading: Reading) -> None:
    """The text must fit the table of positions, and leave something to pool."""
    length = reading.value("length")
    if reading.has("position_table"):
        rows = max(reading.value("position_table")[:-1], default=0)
        if length > rows:
            raise RequestError(
                f"--set length={length}",
                found=f"{length} positions",
                expected=f"at most {rows}, as many as pos_encoder.pe has",
                remedy="use a shorter length",
            )
    if reading.has("padding"):
        first, second = reading.value("basic_kernels")
        padding = reading.value("padding")
        after = (length + 2 * padding - first + 1) // 2 + 2 * padding - second + 1
        if length + 2 * padding < first or after < 1:
            raise RequestError(
                f"--set length={length}",
                found=f"a text of {length}, of which the convolutions leave nothing",
                expected=f"enough for kernels of {first} and {second} with max-pooling between",
                remedy="use a longer length or more padding",
            )
