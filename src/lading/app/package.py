"""Which files a package has, and what is written into them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lading.app import facts
from lading.app.names import Code, code, comment, require_name
from lading.base.storage import named_files
from lading.errors import RequestError
from lading.record import ArtifactRecord, Task
from lading.record.vocabulary import characters

TEMPLATES = Path(__file__).parent / "templates"
SUPPORT = Path(__file__).parent / "support"
#: Where the golden vectors lie among the tests, and their index.
GOLDEN, INDEX = "golden", "index.json"
#: The code that shows how a package is used: in its README, and on the page.
USAGE = "Usage.swift"
#: The name in that code where an artifact's own can be none.
UNNAMED = "MyNetwork"


@dataclass(frozen=True)
class Contents:
    """What a package is made of.

    Attributes:
        name: of the package, its module and its class.
        artifact: the record of the model file.
        model: where that lies.
        task: what the network is for.
        checkpoint: SHA-256 of the checkpoint.
        golden: the folder of golden vectors.
        made: by what, and from what, in a line.
        remedy: what to do about a bad name.
    """

    name: str
    artifact: ArtifactRecord
    model: Path
    task: Task
    checkpoint: str
    golden: Path
    made: str = ""
    remedy: str = "choose another: --name NAME"


@dataclass(frozen=True)
class Parts:
    """What a network needs: folders of `support/`, templates by what they become, and values."""

    folders: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)


def parts(record: ArtifactRecord, task: Task) -> Parts:
    """What is in the package, by what its network is for."""
    own = KINDS.get(task.kind)
    chosen = own(record, task) if own else Parts()
    values = {**dict.fromkeys(VALUES), **chosen.values}
    if "labels" in chosen.folders:
        values["reading"] = facts.reading(record, task)
    return Parts(("base", *chosen.folders), chosen.sources, values)


def _sampling(record: ArtifactRecord, task: Task) -> Parts:
    same = [one.name for one in record.inputs] == [one.name for one in task.inputs]
    denoiser = facts.denoiser(task) if same else None
    if not denoiser:
        return Parts()
    return Parts(("pictures", "diffusion"), {"Sampling": "Sampling"}, {"denoiser": denoiser})


def _segmenting(record: ArtifactRecord, task: Task) -> Parts:
    if not _takes_a_picture(record):
        return Parts(("labels",))
    values = {"maps": True, "pictures": True, "plans": facts.plans(task, record.inputs[0])}
    return Parts(("pictures", "labels", "maps"), {"Segmenting": "Segmenting"}, values)


def _classifying(record: ArtifactRecord, task: Task) -> Parts:
    known, shape = characters(task), record.inputs[0].shape
    if known and len(shape) == 2:
        values = {"vocabulary": facts.vocabulary(known, abs(shape[1]))}
        return Parts(("labels", "classes", "text"), {"Classifying": "ClassifyingText"}, values)
    if _takes_a_picture(record):
        sources = {"Classifying": "ClassifyingPictures"}
        return Parts(("labels", "classes", "pictures"), sources, {"pictures": True})
    return Parts(("labels", "classes"), {"Classifying": "Classifying"})


def _takes_a_picture(record: ArtifactRecord) -> bool:
    shape = record.inputs[0].shape
    return len(record.inputs) == 1 and len(shape) == 4 and abs(shape[1]) in (1, 3)


#: By kind of work what its packages hold beside what all do; of any other, typed arrays.
KINDS: Mapping[str, Callable[[ArtifactRecord, Task], Parts]] = {
    "classification": _classifying,
    "diffusion": _sampling,
    "segmentation": _segmenting,
}
#: The values of templates that not every network has.
VALUES = ("reading", "plans", "maps", "vocabulary", "denoiser", "pictures")


def write(contents: Contents, folder: Path) -> None:
    """Writes the package into `folder`, which is empty.

    Raises:
        RequestError: the name cannot be one; see `require_name`.
        InputError: a port is of a type that Core ML has no array of.
        OSError: it cannot be written.
    """
    name = contents.name
    require_name(name, _files(), contents.remedy)
    chosen = parts(contents.artifact, contents.task)
    values = {**_values(contents), **chosen.values}
    sources, tests = folder / "Sources" / name, folder / "Tests" / f"{name}Tests"
    sources.mkdir(parents=True)
    tests.mkdir(parents=True)
    for kind in chosen.folders:
        for path in sorted((SUPPORT / kind).glob("*.swift")):
            shutil.copyfile(path, sources / path.name)
    for path in sorted((SUPPORT / "tests").glob("*.swift")):
        shutil.copyfile(path, tests / path.name)
    filled = {
        "Package.swift": folder / "Package.swift",
        "README.md": folder / "README.md",
        "Model.swift": sources / f"{name}.swift",
        "Facts.swift": sources / "Facts.swift",
        "GoldenTests.swift": tests / "GoldenTests.swift",
        "Replay.swift": tests / "Replay.swift",
        **{f"{one}.swift": sources / f"{name}+{at}.swift" for at, one in chosen.sources.items()},
    }
    for template, path in filled.items():
        path.write_text(filled_in(template, values), encoding="utf-8")
    _copied(contents.model, sources / contents.model.name)
    (tests / GOLDEN).mkdir()
    for file in _vectors(contents.golden):
        shutil.copyfile(file, tests / GOLDEN / file.name)


def usage(record: ArtifactRecord, task: Task) -> tuple[str, str]:
    """The name that a package of an artifact has, and Swift that uses the package.

    Raises:
        InputError: a port is of a type that Core ML has no array of.
    """
    name = Path(record.path).stem
    try:
        require_name(name, _files(), "")
    except RequestError:
        name = UNNAMED
    values = {**facts.ports(record, task), **parts(record, task).values}
    return name, filled_in(USAGE, {**values, "name": Code(name)})


def _files() -> list[Path]:
    """All Swift that a package may have."""
    return [*SUPPORT.rglob("*.swift"), *TEMPLATES.glob("*.swift")]


def filled_in(template: str, values: Mapping[str, Any]) -> str:
    """A template with its values; every text in it is a literal, never code."""
    return _environment().get_template(template).render(**values)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    """Templates that are Swift themselves: ``´name´`` is a value, jinja stands in comments."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=False,  # `finalize` escapes everything, for Swift
        undefined=StrictUndefined,
        variable_start_string="´",
        variable_end_string="´",
        block_start_string="//%",
        block_end_string="%//",
        trim_blocks=True,
        lstrip_blocks=True,
        comment_start_string="<#",
        comment_end_string="#>",
        keep_trailing_newline=True,
        finalize=code,
    )


def _values(contents: Contents) -> dict[str, Any]:
    name, record = contents.name, contents.artifact
    index = json.loads((contents.golden / INDEX).read_bytes())
    vectors = index["vectors"]
    about = f"{contents.task.kind} network, converted and compared with its original by lading."
    return {
        **facts.ports(record, contents.task),
        "name": Code(name),
        "title": name,
        "test_title": f"{name}Tests",
        "resource": contents.model.name,
        "model": comment(contents.model.name, 200)[0],
        "about": comment(f"A {about} {contents.made}"),
        "kind": comment(contents.task.kind)[0],
        "checkpoint": contents.checkpoint,
        "precision": record.precision,
        "labels": list(contents.task.labels),
        "file": {**facts.file(record), "name": contents.model.stem},
        "vectors": len(vectors),
        "raw": any(one["raw"] for one in vectors),
        "text": any(one["text"] for one in vectors),
        "after": any(one["after"] for one in vectors),
    }


def _vectors(folder: Path) -> list[Path]:
    """The index and the files that it names; whatever else lies there stays there."""
    index = json.loads((folder / INDEX).read_bytes())
    return [folder / name for name in (INDEX, *sorted({*named_files(index)}))]


def _copied(model: Path, to: Path) -> None:
    if model.is_dir():
        shutil.copytree(model, to)
    else:
        shutil.copyfile(model, to)
