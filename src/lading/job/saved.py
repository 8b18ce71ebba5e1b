"""What `lading run` writes: class numbers, values as they are, and drawings of them."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from lading.base import storage
from lading.errors import NoAnswerError, RequestError, StorageError
from lading.interface.side import Array
from lading.job.request import Run
from lading.job.run import Applied
from lading.task import overlay, volumes

#: Pictures that keep class numbers as they are.
EXACT = {".png": "PNG", ".bmp": "BMP", ".tif": "TIFF", ".tiff": "TIFF"}
DRAWN = {**EXACT, ".jpg": "JPEG", ".jpeg": "JPEG"}
LABELS = "labels"


def require(request: Run) -> None:
    """Passes only where files of these names can be written.

    Raises:
        RequestError: a suffix that says nothing, or a drawing's where numbers are kept.
        StorageError: a folder that holds something, or what lies there is no file.
    """
    both = (("-o", request.out, {*EXACT, ".npy", ".npz"}), ("--overlay", request.overlay, DRAWN))
    for written, out, known in both:
        if out is None:
            continue
        path = Path(out)
        if path.is_dir() or not path.suffix:
            _require_empty(path, written)
            continue
        storage.require_file(path)
        if path.suffix.lower() not in known:
            if volumes.is_volume(path) and written == "-o":
                continue
            names = [".nii.gz", *sorted(known)] if written == "-o" else sorted(known)
            raise RequestError(
                f"{written} {path}",
                found="JPEG, which changes class numbers"
                if path.suffix.lower() in DRAWN
                else f"suffix {path.suffix!r}",
                expected=f"{', '.join(names)}, or a folder",
                remedy=f"use {written} {path.with_suffix('.png').name}",
            )


def _require_empty(path: Path, written: str) -> None:
    if path.is_dir() and any(path.iterdir()):
        raise StorageError(
            f"{written} {path}", found="a folder that is not empty",
            expected="an empty folder, or none", remedy=f"choose another {written}",
        )  # fmt: skip
    storage.require_free(path, force=False)


def save(made: Applied, request: Run) -> None:
    """Writes what was asked for, both or neither.

    Raises:
        RequestError: it cannot be made of what came out.
        NoAnswerError: a label map was asked for, and some pixel belongs to no class.
        StorageError: it cannot be written.
    """
    files: dict[Path, dict[str, bytes]] = {}
    if request.out:
        files[Path(request.out)] = _files(made, Path(request.out), request.output)
    if request.overlay:
        files[Path(request.overlay)] = _drawings(made, Path(request.overlay))
    for path, many in files.items():
        if "" in many:
            storage.write_file(path, many[""])
            continue
        with storage.aside(path) as folder:
            for name, data in many.items():
                (folder / name).write_bytes(data)
            storage.publish(folder, path)


def _files(made: Applied, out: Path, output: str) -> dict[str, bytes]:
    """Contents by name in the folder `out`; under an empty name where `out` is one file."""
    suffix = out.suffix.lower()
    if out.is_dir() or not suffix:
        names = _names(made.samples)
        return dict(_in_folder(one, names[i], output, out) for i, one in enumerate(made.samples))
    if suffix == ".npz":
        arrays: dict[str, Any] = {
            _entry(name): _joined([one.outputs[name] for one in made.samples], out)
            for name in made.outputs
        }
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        return {"": buffer.getvalue()}
    if suffix == ".npy":
        return {"": _npy(_joined([_values(one, output, out) for one in made.samples], out))}
    if made.rest:
        raise RequestError(
            f"-o {out}", found=f"{len(made.samples)} samples", expected="a folder, or .npy",
            remedy=f"use -o {out.stem}",
        )  # fmt: skip
    return {"": _map(made, out)}


def _in_folder(one: Applied, stem: str, output: str, out: Path) -> tuple[str, bytes]:
    if output not in ("", LABELS) or one.label_map is None:
        return f"{stem}.npy", _npy(_values(one, output, out))
    suffix = ".png" if one.label_map.ndim == 2 else ".nii.gz"
    return stem + suffix, _map(one, Path(f"{stem}{suffix}"))


def _names(samples: tuple[Applied, ...]) -> list[str]:
    """A file's name for each sample: its own where that is one and nobody else's."""
    own = [
        one.name[: -len(".nii.gz")] if one.name.lower().endswith(".nii.gz") else Path(one.name).stem
        for one in samples
    ]
    count = Counter(own)
    return [
        name if one.own is not None and name and count[name] == 1 else f"{index:04d}"
        for index, (name, one) in enumerate(zip(own, samples, strict=True), 1)
    ]


def _values(one: Applied, output: str, out: Path) -> Array:
    """The labels, or the output of that name; the first one where none is named."""
    if not output:
        return one.output
    if output in one.outputs and not (output == LABELS and one.label_map is not None):
        return one.outputs[output]
    if output != LABELS:
        raise RequestError(
            f"--output {output}",
            found="no output of that name",
            expected=" or ".join(dict.fromkeys([LABELS, *one.outputs])),
            remedy=f"use --output {next(iter(one.outputs))}",
        )
    if one.label_map is None and one.label is not None:
        return np.array([one.label])
    return _numbers(one, out)


def _numbers(one: Applied, out: Path) -> Array:
    """The label map in the smallest type that holds it.

    Raises:
        RequestError: there is none.
        NoAnswerError: some of it belongs to no class.
    """
    if one.label_map is None:
        raise RequestError(
            f"-o {out}",
            found=f"output {one.port.name} of shape {list(one.output.shape)}",
            expected="class scores or labels of a picture",
            remedy="write the raw values: -o out.npy",
        )
    if one.lost:
        raise NoAnswerError(
            f"-o {out}",
            found="; ".join(one.unanswered),
            expected="a class for every pixel; no picture is written",
            remedy="compare the artifact with its checkpoint: lading verify; "
            "-o out.npy writes the raw values",
        )
    return one.label_map.astype(np.min_scalar_type(int(one.label_map.max(initial=0))))


def _map(one: Applied, out: Path) -> bytes:
    from PIL import Image

    numbers, flat = _numbers(one, out), not volumes.is_volume(out)
    if flat != (numbers.ndim == 2):
        raise RequestError(
            f"-o {out}",
            found=f"labels of {numbers.ndim} axes, {list(numbers.shape)}",
            expected=".png for a picture, .nii.gz for a volume, .npy for any",
            remedy=f"use -o labels{'.nii.gz' if flat else '.png'}",
        )
    if not flat:
        return volumes.labels_file(numbers, one.affine, packed=out.suffix.lower() == ".gz")
    buffer = io.BytesIO()
    Image.fromarray(numbers).save(buffer, format=EXACT[out.suffix.lower()])
    return buffer.getvalue()


def _drawings(made: Applied, out: Path) -> dict[str, bytes]:
    if out.suffix and made.rest:
        raise RequestError(
            f"--overlay {out}", found=f"{len(made.samples)} samples", expected="a folder",
            remedy=f"use --overlay {out.stem}",
        )  # fmt: skip
    found = {}
    for one, name in zip(made.samples, _names(made.samples), strict=True):
        _numbers(one, out)
        if one.own is None or one.label_map is None or one.own.shape[1:] != one.label_map.shape:
            raise RequestError(
                f"--overlay {out}", found=f"no picture in {one.name or 'what was given'}",
                expected="a picture or a volume under its labels",
                remedy="leave --overlay out, or give a picture",
            )  # fmt: skip
        buffer = io.BytesIO()
        drawn = overlay.draw(one.own, one.label_map, one.labels)
        drawn.save(buffer, format=DRAWN[out.suffix.lower()] if out.suffix else "PNG")
        found["" if out.suffix else f"{name}.png"] = buffer.getvalue()
    return found


def _joined(many: list[Array], out: Path) -> Array:
    """Several samples in one array, one after another along its first axis."""
    if len(many) == 1:
        return many[0]
    if len({one.shape for one in many}) > 1:
        raise RequestError(
            f"-o {out}", found=f"values of shape {list(many[0].shape)} and of others",
            expected="samples of one shape, or a folder", remedy=f"use -o {out.stem}",
        )  # fmt: skip
    whole = all(one.ndim and one.shape[0] == 1 for one in many)
    return np.concatenate(many) if whole else np.stack(many)


def _npy(values: Array) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


def _entry(name: str) -> str:
    """An output's name as a file's inside an archive."""
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in name)
