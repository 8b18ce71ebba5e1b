"""Folders as transformers and diffusers write them: one file of tensors or several with an index,
and ``config.json`` beside.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lading.checkpoint.mapped import Mapped
from lading.errors import CheckpointError

#: The files in which a folder keeps one network, in the order in which its library looks for them.
SINGLE = (
    "model.safetensors", "diffusion_pytorch_model.safetensors", "pytorch_model.bin",
    "diffusion_pytorch_model.bin",
)  # fmt: skip
CONFIG = "config.json"
_INDEX = ".index.json"
_MAX_JSON = 64 << 20

#: Opens one file: its root object, and the steps.
Open = Callable[[Mapped], tuple[str, Any, list[str]]]


def files(path: Path) -> list[Path]:
    """The files of tensors of a folder, or those that an index names; empty where it is neither.

    Raises:
        CheckpointError: the index is none, or names files that are not there.
    """
    if path.is_file():
        return _indexed(path) if path.name.endswith(_INDEX) else []
    for name in SINGLE:
        if (path / f"{name}{_INDEX}").is_file():
            return _indexed(path / f"{name}{_INDEX}")
        if (path / name).is_file():
            return [path / name]
    return []


def _indexed(index: Path) -> list[Path]:
    places = _json(index).get("weight_map")
    right = isinstance(places, dict) and places and all(
        isinstance(one, str) and Path(one).name == one for one in places.values()
    )  # fmt: skip
    if not right:
        raise _wrong(index, "no weight_map from names to files beside it")
    found = [index.parent / name for name in dict.fromkeys(places.values())]
    missing = [one.name for one in found if not one.is_file()]
    if missing:
        raise _wrong(index, f"{len(missing)} files that are not there: {', '.join(missing[:3])}")
    return found


def read(parts: list[Path], opened: Open) -> tuple[str, Any, list[str], str, int]:
    """Container, root object, steps, digest and bytes of several files that are one network.

    Raises:
        CheckpointError: one cannot be read, or two hold one name.
    """
    root: dict[str, Any] = {}
    sha, size, container = hashlib.sha256(), 0, ""
    for part in parts:
        source = Mapped(part)
        container, inner, _ = opened(source)
        if not isinstance(inner, Mapping):
            raise _wrong(part, "no dict of tensors")
        twice = [name for name in inner if name in root and not name.startswith("__")]
        if twice:
            raise _wrong(part, f"a second tensor {twice[0]}")
        root.update(inner)
        sha.update(f"{part.name} {source.sha256}\n".encode())
        size += source.size
    return container, root, [f"read {len(parts)} files as one"], sha.hexdigest(), size


def sides(path: Path) -> dict[str, Any]:
    """``config.json`` beside the tensors; empty without one.

    Raises:
        CheckpointError: it is no JSON.
    """
    file = (path if path.is_dir() else path.parent) / CONFIG
    return {CONFIG: _json(file)} if file.is_file() else {}


def maker(config: Any) -> str:
    """What ``--model`` would be for a folder whose ``config.json`` names its class; empty where it
    does not. Nothing is imported.

    >>> maker({"architectures": ["BertModel"]}), maker({"_class_name": "UNet2DModel"})
    ('transformers:BertModel.from_pretrained', 'diffusers:UNet2DModel.from_pretrained')
    """
    if not isinstance(config, Mapping):
        return ""
    known = config.get("architectures")
    kind = known[0] if isinstance(known, list) and known else config.get("_class_name")
    if not isinstance(kind, str) or not kind.isidentifier():
        return ""
    return f"{'transformers' if known else 'diffusers'}:{kind}.from_pretrained"


def _json(file: Path) -> Any:
    try:
        if file.stat().st_size > _MAX_JSON:
            raise ValueError(f"{file.stat().st_size:,} bytes")
        found = json.loads(file.read_bytes())
        if not isinstance(found, dict):
            raise ValueError("no JSON object")
    except (OSError, ValueError, RecursionError) as problem:
        raise _wrong(file, f"no readable JSON: {str(problem)[:200]}") from None
    return found


def _wrong(file: Path, found: str) -> CheckpointError:
    return CheckpointError(
        str(file),
        found=found,
        expected="a folder as save_pretrained writes it",
        remedy="download the whole folder again, or save it again",
    )
