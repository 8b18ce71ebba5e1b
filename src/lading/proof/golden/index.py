"""The format: raw arrays beside one `index.json` that says what they are.

>>> import numpy as np
>>> stored, data = store("noise-0", "input", "image", np.zeros((1, 2), dtype=np.float32))
>>> stored.file, stored.dtype, stored.shape, len(data)
('noise-0.input.image.bin', 'float32', (1, 2), 8)
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lading.errors import InputError, in_short
from lading.record import Port, State, Task, from_json, to_json
from lading.record.artifact import RARE
from lading.record.measurement import Quantity

Array = npt.NDArray[Any]

FOLDER = "golden"
INDEX = "index.json"
FORMAT = "lading golden vectors"
SCHEMA = 3
DTYPES = ("float16", "float32", "float64", "int8", "int32", "int64", "uint8", "bool")
_PLAIN = re.compile(r"[A-Za-z0-9._-]+")
_REMEDY = "take the folder again from where the artifact came from"


@dataclass(frozen=True)
class Stored:
    """One array: its file, row-major and little-endian, without any header."""

    file: str
    dtype: str
    shape: tuple[int, ...]
    sha256: str


@dataclass(frozen=True)
class Tolerance(Quantity):
    """How near an artifact of one precision has to come, and why that near."""

    gate: float
    why: str


@dataclass(frozen=True)
class Vector:
    """One probe.

    Attributes:
        name: of the probe, as in the bill.
        kind: ``"shapes"``, ``"stripes"``, ``"noise"``, ``"data"``, ...
        source: the seed it was drawn from, or the user's file.
        text: per input that is a text, the text itself; U+FFFD is a character that is unknown.
        raw: per input that is a picture, its grey levels or RGB values 0-255.
        inputs: what the artifact takes, after preprocessing.
        outputs: what the untouched original gives.
        after: what a user sees, after post-processing: ``labels``, ``probabilities``.
        scores: of an output of labels, the original's scores that they are chosen from.
        graphs: per format of which an artifact rounds to fp16, and output: what its rounded weights
            give where all arithmetic is in fp32. What differs from that is the graph.
        graph_scores: per format likewise, the scores that its labels are chosen from.
        floors: per float output, the PSNR (dB) that a sound computation in fp32 keeps here; of an
            output of labels that of its scores.
        rms: per precision and float output, the largest root mean square of the differences that
            the tolerance allows here: peak / 10^(psnr / 20).
    """

    name: str
    kind: str
    source: str
    inputs: Mapping[str, Stored]
    outputs: Mapping[str, Stored]
    raw: Mapping[str, Stored] = field(default_factory=dict)
    text: Mapping[str, str] = field(default_factory=dict)
    after: Mapping[str, Stored] = field(default_factory=dict)
    scores: Mapping[str, Stored] = field(default_factory=dict)
    graphs: Mapping[str, Mapping[str, Stored]] = field(default_factory=dict)
    graph_scores: Mapping[str, Stored] = field(default_factory=dict)
    floors: Mapping[str, float] = field(default_factory=dict)
    rms: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Walked:
    """A walk of the original from noise to a picture: what it is made of, move by move.

    Attributes:
        sampler: as in the bill's trajectory.
        seed: of the noise, its first picture; see `docs/sampling.md`.
        respacing: of the schedule; empty where the network is one step of sampling itself.
        timesteps: what the network is given at each move.
        start: x before the first move.
        x: x after each move; the last is the picture.
        answers: the network's answer at each move.
    """

    sampler: str
    seed: int
    respacing: str
    timesteps: tuple[float, ...]
    start: Stored
    x: tuple[Stored, ...]
    answers: tuple[Stored, ...]


@dataclass(frozen=True)
class Axis:
    """What is known of the channels along an axis of an output, over all probes.

    Attributes:
        axis: of the output, or of the scores behind it.
        values: float64 [6, size of the axis]: centre, spread, noise, least, and the two of fp16,
            as in `lading.proof.channels.Channels`.
    """

    axis: int
    values: Stored


@dataclass(frozen=True)
class Index:
    """All that `index.json` says.

    Attributes:
        format: `FORMAT`.
        schema: `SCHEMA`.
        lading: the version that wrote it.
        byte_order: ``"little"``.
        checkpoint: SHA-256 of the file the original was read from.
        task: what the network is for: labels, normalisation, and an app's other facts.
        inputs: what the artifact takes.
        outputs: what it gives.
        before: from raw to inputs, in words.
        afterwards: from outputs to what a user sees, in words.
        tolerances: by precision of the artifact.
        vectors: the probes.
        left_out: why there are no more.
        walk: of a diffusion network, where there is room for one.
        channels: per float output, and output of labels of which the scores are known.
        states: what is remembered between calls. A vector's inputs have an axis more then, the
            first, where it is several calls in turn; its outputs are the last call's, and what is
            remembered after it by its name.
    """

    format: str
    schema: int
    lading: str
    byte_order: str
    checkpoint: str
    task: Task
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    before: str
    afterwards: str
    tolerances: Mapping[str, tuple[Tolerance, ...]]
    vectors: tuple[Vector, ...]
    left_out: str = ""
    walk: Walked | None = None
    channels: Mapping[str, tuple[Axis, ...]] = field(default_factory=dict)
    states: tuple[State, ...] = field(default=(), metadata=RARE)


def store(probe: str, role: str, port: str, array: Array) -> tuple[Stored, bytes]:
    """An array's entry and its bytes.

    Args:
        probe: its name.
        role: ``"raw"``, ``"input"``, ``"output"`` or ``"after"``.
        port: name of the input or output.
        array: of a dtype in `DTYPES`.
    """
    assert array.dtype.name in DTYPES, array.dtype
    data = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes()
    parts = (re.sub(r"[^A-Za-z0-9-]+", "_", part) for part in (probe, role, port))
    digest = hashlib.sha256(data).hexdigest()
    return Stored(f"{'.'.join(parts)}.bin", array.dtype.name, array.shape, digest), data


def dumps(index: Index) -> str:
    """The text of `index.json`."""
    return json.dumps(to_json(index), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def load(folder: Path) -> Index:
    """The index of a folder of golden vectors, every file of it checked.

    Raises:
        InputError: no such folder, no index, a file missing, or one byte of it changed.
    """
    place = folder / INDEX
    try:
        data = json.loads(place.read_bytes())
        if data["format"] != FORMAT or data["schema"] != SCHEMA or data["byte_order"] != "little":
            raise ValueError(f"{data['format']!r}, schema {data['schema']!r}")
        index = from_json(Index, data)
    except OSError as error:
        raise InputError(
            str(place),
            found=error.strerror or str(error),
            expected=f"a folder with {INDEX} and its arrays",
            remedy=f"give the folder {FOLDER} that lies beside the artifact",
        ) from error
    except Exception as error:  # of many kinds: anything may stand there
        raise InputError(
            str(place),
            found=f"no index of golden vectors: {in_short(error)[:160]}",
            expected=f"{FORMAT}, schema {SCHEMA}",
            remedy=_REMEDY,
        ) from error
    for vector in index.vectors:
        groups = (vector.raw, vector.inputs, vector.outputs, vector.after, vector.scores)
        for group in (*groups, *vector.graphs.values(), vector.graph_scores):
            for stored in group.values():
                read(folder, stored)
    if index.walk:
        for stored in (index.walk.start, *index.walk.x, *index.walk.answers):
            read(folder, stored)
    for axes in index.channels.values():
        for one in axes:
            read(folder, one.values)
    return index


def read(folder: Path, stored: Stored) -> Array:
    """An array, its bytes checked against the index.

    Raises:
        InputError: the file is missing, or not the one that was written.
    """
    path = folder / stored.file
    if not _PLAIN.fullmatch(stored.file) or stored.dtype not in DTYPES or min((0, *stored.shape)):
        raise _wrong(
            path, f"{stored.dtype} {list(stored.shape)} in {stored.file!r}", "a plain array"
        )
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _wrong(path, error.strerror or str(error), "the file that the index names") from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != stored.sha256:
        raise _wrong(path, f"{len(data)} bytes, sha256 {digest}", f"sha256 {stored.sha256}")
    kind = np.dtype(stored.dtype).newbyteorder("<")
    try:
        values = np.frombuffer(data, dtype=kind).reshape(stored.shape)
    except (ValueError, OverflowError, MemoryError) as error:
        raise _wrong(path, f"{len(data)} bytes", f"{stored.dtype} {list(stored.shape)}") from error
    return values.astype(stored.dtype)


def _wrong(path: Path, found: str, expected: str) -> InputError:
    return InputError(str(path), found=found, expected=expected, remedy=_REMEDY)
