"""What a model file says of itself, from protobuf: inputs, outputs, metadata."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any, BinaryIO

from lading.coreml.mil.features import Feature, Interface, array_feature, image_feature
from lading.errors import LadingError, ProgramError, in_short
from lading.record.text import LFS_POINTER

_COPY = "copy or convert the file again"


def proto() -> Any:
    """coremltools' protobuf module, imported without its remarks about other libraries."""
    logger = logging.getLogger("coremltools")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        from coremltools.proto import Model_pb2
    finally:
        logger.setLevel(level)
    return Model_pb2


def kind(path: Path) -> str:
    """The type of the model in a file, e.g. ``"mlProgram"``, by the outermost fields alone; empty
    where there is none, or it is no specification.

    The encoding: https://protobuf.dev/programming-guides/encoding, "Message Structure".
    """
    known = proto().Model.DESCRIPTOR.oneofs_by_name["Type"].fields
    names, found = {field.number: field.name for field in known}, ""
    with path.open("rb") as file:
        size = path.stat().st_size
        while (tag := _varint(file)) is not None:
            found = names.get(tag >> 3, found)
            length = _varint(file) if tag & 7 in (0, 2) else {1: 8, 5: 4}.get(tag & 7)
            if length is None or (tag & 7 and length > size):
                break
            file.seek(length if tag & 7 else 0, os.SEEK_CUR)
    return found


def _varint(file: BinaryIO) -> int | None:
    """A number of variable length; None at the end, and of one that is no number of 64 bits."""
    value = 0
    for shift in range(0, 64, 7):
        byte = file.read(1)
        if not byte:
            return None
        value |= (byte[0] & 127) << shift
        if byte[0] < 128:
            return value if value < 1 << 63 else None
    return None


def specification(path: Path) -> Any:
    """The `Model` message in a file.

    Raises:
        ProgramError: it cannot be read.
    """
    spec = proto().Model()
    raw = path.read_bytes()
    try:
        if raw.startswith(LFS_POINTER):
            raise ProgramError(
                str(path),
                found=f"a Git LFS pointer of {len(raw):,} bytes, not the file it points to",
                expected="a serialised Core ML model",
                remedy="fetch the file itself: git lfs pull",
            )
        spec.ParseFromString(raw)
    except LadingError:
        raise
    except Exception as error:  # protobuf's own kinds
        raise ProgramError(
            str(path),
            found=f"not a Core ML specification ({in_short(error)})",
            expected="a serialised Core ML model",
            remedy=_COPY,
        ) from None
    return spec


def metadata(described: Any) -> dict[str, str]:
    """The user-defined metadata, and author, license, version and description where they are set,
    under those names with the prefix ``com.apple.``.
    """
    meta = described.metadata
    named = {
        "com.apple.author": meta.author,
        "com.apple.license": meta.license,
        "com.apple.version": meta.versionString,
        "com.apple.description": meta.shortDescription,
    }
    return {key: value for key, value in named.items() if value} | dict(meta.userDefined)


def interface(described: Any) -> Interface:
    """What a `ModelDescription` or `FunctionDescription` says goes in and comes out."""
    return Interface(
        inputs=tuple(map(feature, described.input)),
        outputs=tuple(map(feature, described.output)),
        states=tuple(map(feature, described.state)),
        label=described.predictedFeatureName,
        probabilities=described.predictedProbabilitiesName,
    )


def enum_name(message: Any, field: str) -> str:
    """The name of an enumerated value, also of one that this version of coremltools lacks."""
    number = getattr(message, field)
    known = message.DESCRIPTOR.fields_by_name[field].enum_type.values_by_number
    return str(known[number].name) if number in known else f"{field} {number}"


def is_repeated(field: Any) -> bool:
    """protobuf 6 has its own word for it and will take the older one away."""
    known = getattr(field, "is_repeated", None)
    return bool(field.label == field.LABEL_REPEATED if known is None else known)


def feature(feature: Any) -> Feature:
    """An input, output or state as the file describes it."""
    kind = feature.type.WhichOneof("Type")
    optional = feature.type.isOptional
    if kind in ("multiArrayType", "stateType"):
        array = feature.type.multiArrayType
        if kind == "stateType":
            array = feature.type.stateType.arrayType
        flexible = array.WhichOneof("ShapeFlexibility")
        default = array.WhichOneof("defaultOptionalValue")
        return array_feature(
            feature.name,
            enum_name(array, "dataType"),
            tuple(array.shape),
            ranges=[(r.lowerBound, r.upperBound) for r in array.shapeRange.sizeRanges]
            if flexible == "shapeRange"
            else [],
            enumerated=[tuple(s.shape) for s in array.enumeratedShapes.shapes]
            if flexible == "enumeratedShapes"
            else [],
            optional=optional,
            default=getattr(array, default) if default else None,
            state=kind == "stateType",
        )
    if kind == "imageType":
        image = feature.type.imageType
        flexible = image.WhichOneof("SizeFlexibility")
        bounds = image.imageSizeRange
        return image_feature(
            feature.name,
            enum_name(image, "colorSpace"),
            (image.height, image.width),
            ranges=[(r.lowerBound, r.upperBound) for r in (bounds.heightRange, bounds.widthRange)]
            if flexible == "imageSizeRange"
            else [],
            enumerated=[(s.height, s.width) for s in image.enumeratedSizes.sizes]
            if flexible == "enumeratedSizes"
            else [],
            optional=optional,
        )
    return Feature(feature.name, str(kind).removesuffix("Type"), optional=optional)
