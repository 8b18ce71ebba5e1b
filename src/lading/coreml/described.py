"""What a Core ML file is, whatever kind of model it holds: said from the file, running nothing.

The specification is walked message by message, by its own description, so that a kind of model
nobody runs here is described all the same: its type, its parts, what goes in and comes out, its
layers, and how many numbers it stores of which width.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lading.coreml.memory import KEEPING
from lading.coreml.mil import description, package
from lading.coreml.mil.features import Feature
from lading.errors import ProgramError, refused
from lading.record import Port

_SPECIFICATION = "CoreML.Specification."
#: Numbers larger than this are no sizes of anything.
_MOST = 2**63 - 1


@dataclass
class Described:
    """A model, as its file tells it.

    Attributes:
        type: of the specification, e.g. ``"mlProgram"``, ``"treeEnsembleClassifier"``.
        version: of the specification.
        inputs: what goes in.
        outputs: what comes out.
        states: what it remembers between calls.
        optional: names of inputs that may be left out.
        metadata: see `description.metadata`.
        functions: of a program, with the opset of each.
        shapes: of a program, of every value whose rank it states; -1 is an open size.
        kinds: operations, layers, or what else the model is made of, by name.
        stored: how many numbers it stores, by their type.
        half: whether an operation gives float16, those aside that keep a float32 in a state.
        classes: of a classifier, where the file lists them.
        files: the weight files that it names.
        custom: names of code that the file needs and an app has to bring.
        updatable: whether it can be trained on a device.
        parts: of a pipeline, by name.
    """

    type: str
    version: int
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    states: tuple[Port, ...] = ()
    optional: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    functions: dict[str, str] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    kinds: Counter[str] = field(default_factory=Counter)
    stored: Counter[str] = field(default_factory=Counter)
    half: bool = False
    classes: int = 0
    files: dict[str, None] = field(default_factory=dict)
    custom: dict[str, None] = field(default_factory=dict)
    updatable: bool = False
    parts: tuple[tuple[str, Described], ...] = ()

    def all(self) -> Iterator[Described]:
        """Itself, and every part of it, however deep."""
        yield self
        for _, part in self.parts:
            yield from part.all()


def parsed(path: Path) -> Any:
    """The specification of a `.mlpackage` or `.mlmodel`; None of a compiled `.mlmodelc`.

    Raises:
        ProgramError: it is missing, damaged, or none of these.
    """
    with refused(ProgramError, str(path), "a Core ML model"):
        if path.is_dir() and path.suffix.lower() == ".mlmodelc":
            return None
        return description.specification(package.specification_in(path))


def describe(path: Path, spec: Any) -> Described:
    """The model at `path`, of which `spec` was `parsed`.

    Raises:
        ProgramError: it is damaged.
    """
    with refused(ProgramError, str(path), "a Core ML model"):
        return _compiled(path) if spec is None else _described(spec)


def _described(spec: Any) -> Described:
    kind = spec.WhichOneof("Type") or "nothing"
    told = spec.description
    wanted = told.defaultFunctionName or "main"
    named = {function.name: function for function in told.functions}
    interface = named.get(wanted) or next(iter(named.values()), told)
    model = Described(
        type=kind,
        version=spec.specificationVersion,
        inputs=tuple(_port(one) for one in interface.input),
        outputs=tuple(_port(one) for one in interface.output),
        states=tuple(_port(one) for one in interface.state),
        optional=tuple(one.name for one in interface.input if one.type.isOptional),
        metadata=description.metadata(told),
        updatable=spec.isUpdatable,
    )
    if kind == "nothing":
        return model
    held = getattr(spec, kind)
    if kind == "mlProgram":
        model.functions = {name: one.opset for name, one in held.functions.items()}
    inner = held if kind == "pipeline" else getattr(held, "pipeline", None)
    if inner is not None:
        names = [*inner.names, *(f"model {n}" for n in range(len(inner.names), len(inner.models)))]
        parts = zip(names, map(_described, inner.models), strict=False)
        return replace(model, parts=tuple(parts), kinds=Counter(m.WhichOneof("Type") or "nothing"
                                                                for m in inner.models))  # fmt: skip
    if "ClassLabels" in held.DESCRIPTOR.oneofs_by_name:
        labels = held.WhichOneof("ClassLabels")
        model.classes = len(getattr(held, labels).vector) if labels else 0
    _tally(held, model)
    return model


def _port(feature: Any) -> Port:
    """A port of any kind of feature; what is no array has its kind for a type."""
    read: Feature = description.feature(feature)
    port = read.port()
    return port if port.dtype or read.shape else replace(port, dtype=read.kind)


# ------------------------------------------------------------------------------------- the walk
def _tally(root: Any, model: Described) -> None:
    """Counts what a message holds. Protobuf itself bounds how deep a message is."""
    visits = {
        f"{_SPECIFICATION}MILSpec.Operation": _operation,
        f"{_SPECIFICATION}MILSpec.Value": _value,
        f"{_SPECIFICATION}NeuralNetworkLayer": _layer,
        f"{_SPECIFICATION}WeightParams": _weights,
        f"{_SPECIFICATION}CustomModel": _custom,
    }
    waiting = [root]
    while waiting:
        message = waiting.pop()
        visit = visits.get(message.DESCRIPTOR.full_name)
        if visit is not None and not visit(message, model):
            continue
        known = visit is not None
        for entry, value in message.ListFields():
            if entry.message_type is None:
                _numbers(entry, value, model)
            elif entry.message_type.GetOptions().map_entry:
                values = entry.message_type.fields_by_name["value"]
                waiting += [value[key] for key in value] if values.message_type else []
            elif description.is_repeated(entry):
                waiting += value
                if not known and entry.message_type.full_name not in visits:
                    model.kinds[entry.message_type.name] += len(value)
            else:
                waiting.append(value)


def _numbers(entry: Any, value: Any, model: Described) -> None:
    """Numbers that lie in the specification itself."""
    width = {entry.TYPE_DOUBLE: "fp64", entry.TYPE_FLOAT: "fp32"}.get(entry.type)
    if width and description.is_repeated(entry):
        model.stored[width] += len(value)
    elif entry.type == entry.TYPE_BYTES and not description.is_repeated(entry):
        model.stored["bytes"] += len(value)


def _operation(op: Any, model: Described) -> bool:
    if op.type != "const":
        model.kinds[op.type] += 1
    for output in op.outputs:
        kind = output.type.tensorType
        model.half |= _dtype(kind) == "fp16" and not output.name.startswith(KEEPING)
        if output.type.WhichOneof("type") == "tensorType" and kind.rank >= 0:
            sizes = kind.dimensions
            model.shapes[output.name] = tuple(
                min(one.constant.size, _MOST) if one.HasField("constant") else -1 for one in sizes
            )
    if op.type == "classify" and op.inputs["classes"].arguments:
        held = op.inputs["classes"].arguments[0].value.immediateValue
        model.classes = len(held.list.values) or len(held.tensor.strings.values)
    return True


def _value(value: Any, model: Described) -> bool:
    kind, which = value.type.tensorType, value.WhichOneof("value")
    if which == "immediateValue" and value.immediateValue.WhichOneof("value") != "tensor":
        return True
    count, name = 1, _dtype(kind)
    for dimension in kind.dimensions:
        count = min(count * dimension.constant.size, _MOST)
    if which == "blobFileValue":
        model.stored[name] += count
        model.files[value.blobFileValue.fileName] = None
    elif name.startswith(("fp", "bf")):
        model.stored[name] += count
    return False


def _dtype(tensor: Any) -> str:
    """``"fp16"``, ``"int8"``, ``"uint4"``, ..., as they are counted."""
    name = description.enum_name(tensor, "dataType").lower()
    return name.replace("bfloat", "bf").replace("float", "fp")


def _layer(layer: Any, model: Described) -> bool:
    kind = layer.WhichOneof("layer") or "nothing"
    model.kinds[kind] += 1
    return _custom(layer.custom, model) if kind == "custom" else True


def _custom(message: Any, model: Described) -> bool:
    model.custom[message.className] = None
    return True


def _weights(weights: Any, model: Described) -> bool:
    model.stored["fp32"] += len(weights.floatValue)
    model.stored["fp16"] += len(weights.float16Value) // 2
    bits = weights.quantization.numberOfBits
    model.stored[f"{bits} bits"] += len(weights.rawValue) * 8 // bits if bits else 0
    model.stored["int8"] += len(weights.int8RawValue)
    return False


# ------------------------------------------------------------------------------- compiled models
_LARGEST = 16 << 20


def _compiled(path: Path) -> Described:
    """What Core ML's compiler notes beside what it made, in `metadata.json`."""
    note = path / "metadata.json"
    if not note.is_file():
        return Described("compiled model", 0)
    with note.open("rb") as file:
        told = json.loads(file.read(_LARGEST))
    told = told[0] if isinstance(told, list) and told else told
    if not isinstance(told, dict):
        raise ProgramError(
            str(note),
            found=f"a {type(told).__name__}",
            expected="the compiler's notes",
            remedy="compile the model again",
        )
    kind = told.get("modelType")
    name = str(kind.get("name", "") if isinstance(kind, dict) else kind or "")
    version = told.get("specificationVersion")
    counts = next((v for k, v in told.items() if "Histogram" in k and isinstance(v, dict)), {})
    texts = ("author", "license", "version", "shortDescription", "generatedClassName")
    own = told.get("userDefinedMetadata")
    return Described(
        type=name.removeprefix("MLModelType_") or "compiled model",
        version=version if isinstance(version, int) else 0,
        inputs=_schema(told.get("inputSchema")),
        outputs=_schema(told.get("outputSchema")),
        metadata={
            **{f"com.apple.{key}": str(told[key])[:2000] for key in texts if told.get(key)},
            **({str(k): str(v) for k, v in own.items()} if isinstance(own, dict) else {}),
        },
        kinds=Counter({str(k): v for k, v in counts.items() if isinstance(v, int)}),
        half="Float16" in str(told.get("computePrecision")),
        updatable=str(told.get("isUpdatable")) in ("1", "True"),
    )


def _schema(entries: Any) -> tuple[Port, ...]:
    """Ports of the compiler's schema, in its own words: ``"MultiArray (Float32 1 × 3)"``."""
    found = [one for one in entries if isinstance(one, dict)] if isinstance(entries, list) else []
    return tuple(
        Port(str(one.get("name", "")), "tensor", str(one.get("formattedType", ""))[:200], ())
        for one in found
    )
