"""A configuration beside the checkpoint: YAML or JSON, read as plain values, running nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from lading.checkpoint.model import Checkpoint
from lading.errors import RequestError

#: A configuration beyond this is none.
MAX_BYTES = 4 << 20


def with_config(checkpoint: Checkpoint, path: str | Path) -> Checkpoint:
    """The checkpoint with the configuration at `path` among its side files, and the step noted.

    Raises:
        RequestError: there is no such file, or it is no mapping of names in YAML or JSON.
    """
    path = Path(path)
    raw = _bytes(path)
    step = f"read the configuration {path} (sha256 {hashlib.sha256(raw).hexdigest()})"
    return replace(
        checkpoint,
        record=replace(checkpoint.record, steps=(*checkpoint.record.steps, step)),
        sides={**checkpoint.sides, path.name: _parsed(path, raw)},
        config=path.name,
    )


def read_config(path: str | Path) -> Mapping[str, Any]:
    """The names and values of a configuration in YAML, or in JSON if the file ends in .json.

    Raises:
        RequestError: there is no such file, or it is no mapping of names in YAML or JSON.
    """
    path = Path(path)
    return _parsed(path, _bytes(path))


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as problem:
        raise _refused(path, problem.strerror or type(problem).__name__, "give its path") from None
    if len(raw) > MAX_BYTES:
        raise _refused(
            path, f"more than {MAX_BYTES >> 20} MiB", "give the configuration, not the weights"
        )
    return raw


def _parsed(path: Path, raw: bytes) -> Mapping[str, Any]:
    advice = "repair the file; it holds lines such as `num_heads: 4`"
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _refused(path, "bytes that are no UTF-8 text", advice) from None
    try:
        if path.suffix.lower() == ".json":
            value = json.loads(text, object_pairs_hook=_once)
        else:
            value = yaml.load(text, Loader=_Loader)  # a SafeLoader: plain values only
    except (yaml.YAMLError, ValueError, RecursionError) as no:
        told = " ".join(str(no).split()) if not isinstance(no, RecursionError) else "too deep"
        raise _refused(path, told[:200], advice) from None
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        kind = "an empty file" if value is None else f"a {type(value).__name__} at its top"
        raise _refused(path, "names that are no texts" if isinstance(value, Mapping) else kind,
                       advice)  # fmt: skip
    return value


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # yaml has no types
    """yaml's safe loader, which besides refuses a name that stands twice in one mapping."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [key.value for key, _ in node.value if key.value != "<<"]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise yaml.YAMLError(f"{twice!r} twice, {str(node.start_mark).strip()}")
        made: dict[Any, Any] = super().construct_mapping(node, deep)
        return made


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"{twice!r} twice in one object")
    return dict(pairs)


def _refused(path: Path, found: str, remedy: str) -> RequestError:
    return RequestError(
        f"--config {path}",
        found=found,
        expected="a configuration in YAML or JSON: names with their values",
        remedy=remedy,
    )
