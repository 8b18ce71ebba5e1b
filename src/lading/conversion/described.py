"""A Core ML file's description as the record of an artifact, for both of Apple's formats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from pathlib import Path

from lading.base.digests import of_path, size_of
from lading.conversion import apple
from lading.coreml.described import Described
from lading.coreml.memory import noted
from lading.record import ArtifactRecord
from lading.record.text import LFS_POINTER

#: What first read a specification version.
_SYSTEMS = {
    1: "iOS11", 2: "iOS11.2", 3: "iOS12", 4: "iOS13", 5: "iOS14", 6: "iOS15", 7: "iOS16",
    8: "iOS17", 9: "iOS18", 10: "iOS26",
}  # fmt: skip


def system_of(specification: int) -> str:
    """The first system that reads a version of the specification."""
    return _SYSTEMS.get(specification, f"specification {specification}")


def record(path: Path, model: Described, form: str, title: str, runs: str) -> ArtifactRecord:
    """The record of a file.

    Args:
        path: of it.
        model: what it is.
        form: the format's name.
        title: the format's, for what it runs.
        runs: the beginning of the types that it runs, e.g. ``"mlProgram"``; a pipeline may hold
            some.
    """
    models = list(model.all())
    leaves = [one for one in models if not one.parts]
    kinds, stored = Counter[str](), Counter[str]()
    for one in leaves:
        kinds.update(one.kinds)
        stored.update(one.stored)
    own = all(one.type.startswith(runs) for one in leaves)
    programs = [one.functions for one in leaves if one.functions]
    numbers, apart = _counted(stored), bool(programs) or path.is_dir()
    details = {
        "type": "" if model.type == "mlProgram" else model.type,
        "parts": ", ".join(f"{name} ({part.type})" for name, part in model.parts),
        "deployment": "" if programs else system_of(model.version),
        "opset": ", ".join(sorted({opset for one in programs for opset in one.values()})),
        "specification": str(model.version) if programs else "",
        "optional": ", ".join(model.optional),
        "states": ", ".join(f"{p.name} {p.dtype} {list(p.shape)}" for p in model.states),
        "functions": ", ".join(name for one in programs for name in one),
        "operations": ", ".join(f"{name} {n}" for name, n in kinds.most_common() if n),
        "classes": str(model.classes) if model.classes else "",
        "weights": _files(path) if apart else numbers,
        "numbers": numbers if apart else "",
        "missing": _missing(path, {name for one in leaves for name in one.files}),
        "code of the app": ", ".join(name for one in leaves for name in one.custom),
        "updatable": "on a device" if any(one.updatable for one in models) else "",
    }
    states = noted(model.metadata, model.states, str(path)) if runs == "mlProgram" else ()
    return ArtifactRecord(
        format=form,
        path=str(path),
        bytes=size_of(path),
        sha256=of_path(path),
        precision=_precision(leaves, runs) if own else "",
        inputs=model.inputs,
        outputs=apple.read_outputs(model.outputs, max(one.classes for one in models), model.shapes),
        route="export",
        details={**{name: text for name, text in details.items() if text}, **model.metadata},
        title=title if own else f"Core ML ({model.type})",
        states=states,
    )


def _precision(leaves: Collection[Described], runs: str) -> str:
    """fp16 where any operation of a program computes in it, or a network stores less than fp32."""
    if runs == "mlProgram":
        return "fp16" if any(one.half for one in leaves) else "fp32"
    stored = {name for one in leaves for name, count in one.stored.items() if count}
    return "fp32" if stored <= {"fp32"} else "fp16"


def _counted(stored: Counter[str]) -> str:
    return ", ".join(f"{n:,} in {kind}" for kind, n in stored.most_common() if n)


def _files(path: Path) -> str:
    """Where the weights lie and how large they are."""
    files = [path] if path.is_file() else sorted(path.rglob("*.bin"))
    sizes = [f"{file.relative_to(path.parent)} {file.stat().st_size:,} bytes" for file in files]
    return ", ".join(sizes) or "inside the program"


def _missing(path: Path, files: Collection[str]) -> str:
    """Which of the weight files that a program names are not there, or are no weights."""
    found = []
    for named in sorted(files):
        name = named.removeprefix("@model_path").lstrip("/")
        places = [one for one in path.rglob("*.bin") if one.as_posix().endswith(f"/{name}")]
        if not places:
            found.append(f"{name} is not there")
        for place in places:
            with place.open("rb") as file:
                if file.read(len(LFS_POINTER)) == LFS_POINTER:
                    found.append(f"{name} is a Git LFS pointer: git lfs pull")
    return "; ".join(found)
