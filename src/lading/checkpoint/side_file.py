"""A configuration beside the checkpoint: YAML or JSON, read as plain values, running nothing."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import yaml

from lading.checkpoint import nesting
from lading.checkpoint.model import Checkpoint
from lading.checkpoint.shown import shown
from lading.errors import RequestError

#: A configuration beyond this is none. YAML is read in Python, a few seconds a megabyte.
MAX_BYTES, MAX_YAML = 4 << 20, 512 << 10
#: Names that YAML's merging may copy; characters of a number.
MAX_MERGED, MAX_NUMBER = 10_000, 400


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
        elif len(raw) > MAX_YAML:
            raise ValueError(f"more than {MAX_YAML >> 10} KiB of YAML")
        else:
            value = yaml.load(text, Loader=_Loader)  # a SafeLoader: plain values only
        wrong = nesting.fault(value) or _not_plain(value)
        if wrong:
            raise ValueError(wrong)
    except (yaml.YAMLError, ValueError, RecursionError, LookupError, TypeError,
            AttributeError) as no:  # fmt: skip
        told = "nested too deep" if isinstance(no, RecursionError) else " ".join(str(no).split())
        raise _refused(path, told[:200] or type(no).__name__, advice) from None
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        kind = "an empty file" if value is None else f"a {type(value).__name__} at its top"
        raise _refused(path, "names that are no texts" if isinstance(value, Mapping) else kind,
                       advice)  # fmt: skip
    return value


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # yaml has no types
    """yaml's safe loader, for which a date is a text, and a name may stand once in a mapping."""

    merged = 0
    yaml_implicit_resolvers: ClassVar = {
        first: [pair for pair in pairs if not pair[0].endswith(":timestamp")]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        # Merging copies pairs: a mapping that merges another twice, forty times over, is a bomb.
        super().flatten_mapping(node)
        self.merged += len(node.value)
        if self.merged > MAX_MERGED:
            raise yaml.YAMLError(f"more than {MAX_MERGED:,} merged names")

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else None
            if name is not None and name != "<<" and name in seen:
                raise yaml.YAMLError(f"{shown(name)} twice, {str(node.start_mark).strip()}")
            seen.add(name)
        made: dict[Any, Any] = super().construct_mapping(node, deep)
        return made

    def construct_scalar(self, node: yaml.ScalarNode) -> Any:
        # Numbers to the base of 60 and of thousands of digits take quadratic time to read.
        if node.tag.endswith((":int", ":float")) and len(node.value) > MAX_NUMBER:
            raise yaml.YAMLError(f"a number of {len(node.value):,} characters")
        return super().construct_scalar(node)


def _not_plain(value: Any) -> str:
    """What in `value` JSON has no word for; YAML's sets and bytes are such."""
    waiting = [value]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if isinstance(one, Mapping):
            inner: list[Any] = [*one, *one.values()]
        elif isinstance(one, (list, tuple)):
            inner = list(one)
        elif one is None or isinstance(one, (str, int, float, bool)):
            continue
        else:
            return f"a {type(one).__name__}, where a configuration holds names and numbers"
        if id(one) not in seen:
            seen.add(id(one))
            waiting += inner
    return ""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        raise ValueError(f"{shown(counts.most_common(1)[0][0])} twice in one object")
    return made


def _refused(path: Path, found: str, remedy: str) -> RequestError:
    return RequestError(
        f"--config {path}",
        found=found,
        expected="a configuration in YAML or JSON: names with their values",
        remedy=remedy,
    )
