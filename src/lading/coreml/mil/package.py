"""Reading `.mlpackage` and `.mlmodel` files; with `description`, all that knows coremltools.

Only its protobuf classes are used. What the file says is turned into the plain records of
`program` and `features`; no code from the file runs, and no path in it may leave the package.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from lading.coreml.mil import description
from lading.coreml.mil.blob import BlobFile, from_bytes, size_of
from lading.coreml.mil.features import Interface
from lading.coreml.mil.program import (
    Binding,
    Block,
    Constant,
    Function,
    Op,
    Program,
    Value,
    ValueType,
)
from lading.errors import LadingError, ProgramError, in_short

_DTYPES = {
    "BOOL": "bool",
    "STRING": "string",
    "FLOAT8E4M3FN": "float8_e4m3fn",
    "FLOAT8E5M2": "float8_e5m2",
}
_COPY = "copy or convert the package again"


@dataclass(frozen=True)
class Package:
    """One model file. It holds a program, or is a pipeline of `parts` that hold one each.

    Attributes:
        path: the package or file.
        specification: Core ML's specification version.
        program: the ML Program; None for a pipeline.
        parts: the stages of a pipeline in order, with their names.
        interfaces: what each function takes and gives; the unnamed one is a single function's.
        default_function: the function that runs when none is named.
        metadata: the user-defined metadata, and `author`, `license`, `version`, `description`
            where they are set, under those names with the prefix ``com.apple.``.
    """

    path: Path
    specification: int
    program: Program | None
    parts: tuple[tuple[str, Package], ...]
    interfaces: Mapping[str, Interface]
    default_function: str
    metadata: Mapping[str, str] = field(default_factory=dict)


def read(path: str | Path, spec: Any = None) -> Package:
    """The model at `path`, a `.mlpackage` folder or a `.mlmodel` file.

    Args:
        path: of it.
        spec: its specification, where that was parsed already.

    Raises:
        ProgramError: it is missing or damaged, or holds neither an ML Program nor a pipeline.
    """
    path = Path(path)
    spec_path = specification_in(path)
    spec = spec or description.specification(spec_path)
    root = path.resolve() if path.is_dir() else spec_path.parent.resolve()
    reader = _Reader(path, root, spec_path.parent)
    try:
        return reader.package(spec)
    except LadingError:
        raise
    except Exception as error:  # of many kinds, for a file that is not sound
        raise reader.bad(in_short(error), "what an ML Program may hold") from error


#: Bytes of a manifest that lists two items.
_LONGEST = 4 << 20
#: A literal may say once what all of a tensor's elements are: of as many, at most.
_FILLED = 1 << 28


def specification_in(path: Path) -> Path:
    """Where the specification lies: the file itself, or the root item of a package's manifest.

    Raises:
        ProgramError: nothing says where.
    """
    if path.suffix == ".mlmodelc":
        raise ProgramError(
            str(path),
            found="a compiled model",
            expected="a .mlpackage or .mlmodel",
            remedy="give the package that it was compiled from",
        )
    if path.is_file():
        return path
    manifest = path / "Manifest.json"
    if not manifest.is_file():
        raise ProgramError(
            str(path),
            found="a folder without Manifest.json" if path.is_dir() else "no such file",
            expected="a .mlpackage or .mlmodel",
            remedy="check the path" if not path.is_dir() else _COPY,
        )
    try:
        with manifest.open("rb") as file:
            data = json.loads(file.read(_LONGEST))
        entry = data["itemInfoEntries"][data["rootModelIdentifier"]]["path"]
        if not isinstance(entry, str):
            raise TypeError(f"a path that is a {type(entry).__name__}")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as reason:
        raise ProgramError(
            str(manifest),
            found=in_short(reason),
            expected="a manifest that names its root model",
            remedy=_COPY,
        ) from None
    return _inside(path / "Data", entry, path.resolve(), str(manifest))


def _inside(folder: Path, name: str, root: Path, subject: str) -> Path:
    """`folder / name`, refused when it lies outside `root` or is not a file."""
    target = folder / PurePosixPath(name)
    try:
        within = target.resolve().is_relative_to(root)
        there = within and target.is_file()
    except (OSError, ValueError, RuntimeError) as error:  # too long, a zero byte, links in a ring
        raise ProgramError(
            subject,
            found=f"the path {name[:60]!r}: {in_short(error)}",
            expected="the path of a file in the package",
            remedy=_COPY,
        ) from None
    if not within:
        raise ProgramError(
            subject,
            found=f"the path {name[:200]}, outside the package",
            expected="paths inside the package",
            remedy="do not use this file; ask where it comes from",
        )
    if not there:
        raise ProgramError(
            str(target)[:300], found="no such file", expected=f"the file {name[:200]}", remedy=_COPY
        )
    return target


class _Reader:
    """Turns one file's protobuf into records."""

    def __init__(self, path: Path, root: Path, folder: Path) -> None:
        self.path = path
        self.root = root
        self.folder = folder
        self.blobs: dict[str, BlobFile] = {}
        self.place = ""

    # -------------------------------------------------------------------------------- the model
    def package(self, spec: Any) -> Package:
        kind = spec.WhichOneof("Type")
        program: Program | None = None
        parts: tuple[tuple[str, Package], ...] = ()
        if kind == "mlProgram":
            program = Program({n: self.function(n, f) for n, f in spec.mlProgram.functions.items()})
        elif kind in ("pipeline", "pipelineClassifier", "pipelineRegressor"):
            inner = spec.pipeline if kind == "pipeline" else getattr(spec, kind).pipeline
            if not inner.models:
                raise ProgramError(
                    str(self.path),
                    found="a pipeline of no models",
                    expected="an ML Program, or a pipeline of them",
                    remedy=_COPY,
                )
            names = list(inner.names) or [f"model {i}" for i in range(len(inner.models))]
            parts = tuple(
                (name, self.package(model)) for name, model in zip(names, inner.models, strict=True)
            )
        else:
            raise ProgramError(
                str(self.path),
                found=f"a model of type {kind}",
                expected="an ML Program, or a pipeline of them",
                remedy="a neural network runs with lading.coreml.load(path)"
                if str(kind).startswith("neuralNetwork")
                else "convert to an ML Program: ct.convert(..., convert_to='mlprogram')",
            )
        described = spec.description
        interfaces = {f.name: description.interface(f) for f in described.functions}
        if not interfaces:
            interfaces[""] = description.interface(described)
        return Package(
            path=self.path,
            specification=spec.specificationVersion,
            program=program,
            parts=parts,
            interfaces=interfaces,
            default_function=described.defaultFunctionName or "main",
            metadata=description.metadata(described),
        )

    # ---------------------------------------------------------------------------------- program
    def function(self, name: str, function: Any) -> Function:
        if function.opset not in function.block_specializations:
            raise ProgramError(
                f"{self.path}: function {name}",
                found=f"no block for its opset {function.opset!r}",
                expected=f"one of {sorted(function.block_specializations)}",
                remedy=_COPY,
            )
        return Function(
            name=name,
            inputs=self.values(function.inputs),
            opset=function.opset,
            block=self.block(function.block_specializations[function.opset], name),
        )

    def block(self, block: Any, place: str) -> Block:
        return Block(
            inputs=self.values(block.inputs),
            outputs=tuple(block.outputs),
            operations=tuple(self.op(op, place) for op in block.operations),
        )

    def op(self, op: Any, place: str) -> Op:
        first = op.outputs[0].name if op.outputs else ""
        self.place = f"{op.type} -> {first or 'nothing'} ({place})"
        attributes = {key: self.constant(value) for key, value in op.attributes.items()}
        label = attributes.pop("name", None)
        return Op(
            type=op.type,
            name=str(label.data) if label else first,
            inputs={key: self.bindings(value.arguments) for key, value in op.inputs.items()},
            outputs=self.values(op.outputs),
            blocks=tuple(
                self.block(block, f"{place}/{first}[{i}]") for i, block in enumerate(op.blocks)
            ),
            attributes=attributes,
        )

    def bindings(self, arguments: Iterable[Any]) -> tuple[Binding, ...]:
        return tuple(
            self.constant(one.value) if one.WhichOneof("binding") == "value" else one.name
            for one in arguments
        )

    def values(self, values: Iterable[Any]) -> tuple[Value, ...]:
        return tuple(Value(value.name, self.type(value.type)) for value in values)

    def type(self, kind: Any) -> ValueType:
        which = kind.WhichOneof("type")
        if which == "tensorType":
            shape: list[int | None] = []
            for dimension in kind.tensorType.dimensions:
                if dimension.WhichOneof("dimension") == "constant":
                    shape.append(dimension.constant.size)
                elif dimension.unknown.variadic:
                    return ValueType("tensor", self.dtype(kind.tensorType), None)
                else:
                    shape.append(None)
            return ValueType("tensor", self.dtype(kind.tensorType), tuple(shape))
        if which == "listType":
            length = kind.listType.length
            known = length.WhichOneof("dimension") == "constant"
            return ValueType(
                "list",
                items=(self.type(kind.listType.type),),
                length=length.constant.size if known else None,
            )
        if which == "tupleType":
            return ValueType("tuple", items=tuple(map(self.type, kind.tupleType.types)))
        if which == "dictionaryType":
            pair = (kind.dictionaryType.keyType, kind.dictionaryType.valueType)
            return ValueType("dictionary", items=tuple(map(self.type, pair)))
        if which == "stateType":
            return ValueType("state", items=(self.type(kind.stateType.wrappedType),))
        raise self.bad("a value without a type", "a tensor, list, tuple, dictionary or state")

    def dtype(self, tensor: Any) -> str:
        name = description.enum_name(tensor, "dataType")
        return _DTYPES.get(name, name.lower())

    # -------------------------------------------------------------------------------- constants
    def constant(self, value: Any) -> Constant:
        kind = self.type(value.type)
        if value.WhichOneof("value") == "blobFileValue":
            return Constant(kind, self.blob(value.blobFileValue, kind))
        return Constant(kind, self.immediate(value.immediateValue, kind))

    def blob(self, where: Any, kind: ValueType) -> np.ndarray[Any, Any]:
        name = where.fileName.removeprefix("@model_path").lstrip("/")
        if name not in self.blobs:
            self.blobs[name] = BlobFile(_inside(self.folder, name, self.root, self.place))
        if kind.fixed is None:
            raise self.bad(f"a weight of type {kind}", "a tensor of fixed shape")
        try:
            return self.blobs[name].array(where.offset, kind.dtype, kind.fixed)
        except ProgramError as error:
            raise ProgramError(
                f"{self.place}: {error.subject}",
                found=error.found,
                expected=error.expected,
                remedy=error.remedy,
            ) from None

    def immediate(self, value: Any, kind: ValueType) -> Any:
        which = value.WhichOneof("value")
        if which == "list":
            return [self.constant(item).plain() for item in value.list.values]
        if which == "tuple":
            return [self.constant(item).plain() for item in value.tuple.values]
        if which == "dictionary":
            return {
                self.constant(pair.key).plain(): self.constant(pair.value).plain()
                for pair in value.dictionary.values
            }
        tensor, shape = value.tensor, kind.fixed
        if shape is None:
            raise self.bad(f"a literal of type {kind}", "a tensor of fixed shape")
        stored = tensor.WhichOneof("value")
        count = math.prod(shape)
        if kind.dtype == "string":
            texts = list(tensor.strings.values)
            return texts[0] if shape == () and len(texts) == 1 else texts
        if stored == "bytes":
            raw = np.frombuffer(tensor.bytes.values, np.uint8)
            if len(raw) != size_of(kind.dtype, count):
                raise self.bad(f"{len(raw)} bytes", f"{size_of(kind.dtype, count)} for {kind}")
            return from_bytes(raw, kind.dtype, shape)
        flat = np.array(getattr(tensor, stored).values if stored else [], np.dtype(kind.dtype))
        # A literal with one element may stand for a tensor filled with it.
        if flat.size != count and (flat.size != 1 or not 0 <= count <= _FILLED):
            raise self.bad(f"{flat.size} elements", f"{count} for {kind}")
        return (
            np.broadcast_to(flat.reshape(()), shape) if flat.size != count else flat.reshape(shape)
        )

    def bad(self, found: str, expected: str) -> ProgramError:
        return ProgramError(
            f"{self.path}: {self.place}", found=found, expected=expected, remedy=_COPY
        )
