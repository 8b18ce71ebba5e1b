"""What goes into a model and comes out: arrays and pictures checked, cast and named.

The contract is that of coremltools' `MLModel.predict`: an array is cast to the declared dtype, a
picture is a `PIL.Image` of the declared size and mode, an input that the file calls optional may
be left out. What Core ML would refuse is an `InputError` that says what would be accepted.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from PIL import Image

from lading.errors import InputError, ProgramError
from lading.record import Port

_ARRAY_DTYPES = {
    "FLOAT32": "float32",
    "DOUBLE": "float64",
    "INT32": "int32",
    "INT8": "int8",
    "FLOAT16": "float16",
}
#: Kinds of features that ports have a word for; a class may be a text or a whole number.
_KINDS: dict[str, Literal["dictionary", "string"]] = {
    "dictionary": "dictionary",
    "string": "string",
    "int64": "string",
}
_MODES = {"GRAYSCALE": "L", "GRAYSCALE_FLOAT16": "F", "RGB": "RGB", "BGR": "RGB"}


@dataclass(frozen=True)
class Feature:
    """One input, output or state as the file describes it.

    Attributes:
        name: as the caller spells it.
        kind: ``"multiArray"``, ``"image"``, ``"state"``, or ``"string"``, ``"int64"``,
            ``"double"``, ``"dictionary"``, ``"sequence"``.
        dtype: of the elements, in numpy's spelling; empty for the last five kinds.
        shape: the default shape; of an image ``(1, channels, height, width)``.
        ranges: per dimension ``(low, high)``, `high` -1 for no limit; empty for a fixed shape.
        enumerated: the allowed shapes, where the file lists them.
        optional: whether it may be left out; then every element is `default`.
        color: Core ML's colour layout, for images.
    """

    name: str
    kind: str
    dtype: str = ""
    shape: tuple[int, ...] = ()
    ranges: tuple[tuple[int, int], ...] = ()
    enumerated: tuple[tuple[int, ...], ...] = ()
    optional: bool = False
    default: float | int | None = None
    color: Literal["GRAYSCALE", "GRAYSCALE_FLOAT16", "RGB", "BGR"] | None = None

    def port(self) -> Port:
        """The same in the words of a bill of lading."""
        return Port(
            name=self.name,
            kind="image" if self.color else _KINDS.get(self.kind, "tensor"),
            dtype=self.dtype,
            shape=self.shape,
            ranges=self.ranges,
            enumerated=self.enumerated,
            color=None if not self.color else "grayscale" if "GRAY" in self.color else "rgb",
            value_range=(0.0, 255.0) if self.color and self.dtype == "uint8" else (),
        )


@dataclass(frozen=True)
class Interface:
    """What a function takes and gives. `label` and `probabilities` name a classifier's outputs."""

    inputs: tuple[Feature, ...]
    outputs: tuple[Feature, ...]
    states: tuple[Feature, ...] = ()
    label: str = ""
    probabilities: str = ""


def array_feature(
    name: str,
    data_type: str,
    shape: tuple[int, ...],
    *,
    ranges: Sequence[tuple[int, int]],
    enumerated: Sequence[tuple[int, ...]],
    optional: bool,
    default: float | int | None,
    state: bool,
) -> Feature:
    """A multi-array or state; `data_type` is Core ML's name of the element type."""
    return Feature(
        name,
        "state" if state else "multiArray",
        _ARRAY_DTYPES.get(data_type, ""),
        shape,
        tuple(ranges),
        tuple(enumerated),
        optional,
        default,
    )


def image_feature(
    name: str,
    color: Any,
    size: tuple[int, int],
    *,
    ranges: Sequence[tuple[int, int]],
    enumerated: Sequence[tuple[int, int]],
    optional: bool,
) -> Feature:
    """A picture; `color` is Core ML's name of the layout and `size` is (height, width)."""
    channels = 1 if color.startswith("GRAY") else 3
    return Feature(
        name,
        "image",
        "float16" if color == "GRAYSCALE_FLOAT16" else "uint8",
        (1, channels, *size),
        ((1, 1), (channels, channels), *ranges) if ranges else (),
        tuple((1, channels, *one) for one in enumerated),
        optional,
        color=color if color in _MODES else None,
    )


# ---------------------------------------------------------------------------------------- inputs
def check_names(given: Mapping[str, Any], features: Sequence[Feature]) -> None:
    """That every name in `given` is an input, and every input that must be there is.

    Raises:
        InputError: with the nearest name for an unknown one.
    """
    names = [feature.name for feature in features]
    for name in given:
        if name not in names:
            near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.4)
            raise InputError(
                f"input {name!r}",
                found=f"no input of that name; the model takes {', '.join(names)}",
                expected=f"{near[0]!r}" if near else f"one of {', '.join(names)}",
                remedy=f"write {near[0]!r}" if near else "look at Model.inputs",
            )
    for feature in features:
        if feature.name not in given and not feature.optional:
            raise InputError(
                f"input {feature.name!r}",
                found="nothing",
                expected=describe(feature),
                remedy=f"give {feature.name!r} a value",
            )


def describe(feature: Feature) -> str:
    """In words what `feature` accepts."""
    if feature.color:
        size = f"{feature.shape[3]} x {feature.shape[2]}"
        return f"a PIL image of mode {_MODES[feature.color]}, {size} (width x height)"
    if feature.enumerated:
        shapes = " or ".join(map(str, feature.enumerated))
    elif feature.ranges:
        spans = [
            str(low) if low == high else f"{low}..{high if high >= 0 else ''}"
            for low, high in feature.ranges
        ]
        shapes = f"({', '.join(spans)})"
    else:
        shapes = str(feature.shape)
    return f"{feature.dtype or feature.kind} of shape {shapes}"


def take(feature: Feature, value: Any, declared: str) -> np.ndarray[Any, Any]:
    """`value` as the array that the program's input of dtype `declared` gets.

    Raises:
        InputError: it is not what the feature describes, or does not fit the dtype.
        ProgramError: the file gives it no type that is known.
    """
    if not (declared or feature.dtype):
        raise ProgramError(
            f"input {feature.name!r}",
            found="elements of no type that is known here",
            expected=" or ".join(_ARRAY_DTYPES.values()),
            remedy="run the model with Core ML on a Mac",
        )
    if feature.color:
        array = _from_picture(feature, value)
    else:
        if isinstance(value, Image.Image):
            raise _unfit(feature, "a PIL image", "np.asarray(image) gives its numbers")
        array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise _unfit(feature, f"an array of {array.dtype}", "give numbers")
    if array.shape == () and feature.shape == (1,):
        # A scalar input is described as an array of one element.
        array = array.reshape(1)
    _check_shape(feature, array.shape)
    return cast(array, declared or feature.dtype, feature)


def missing(feature: Feature, declared: str) -> np.ndarray[Any, Any]:
    """The array of an optional input that was left out."""
    return np.full(feature.shape, feature.default or 0, np.dtype(declared or feature.dtype))


def cast(array: np.ndarray[Any, Any], dtype: str, feature: Feature) -> np.ndarray[Any, Any]:
    """`array` as `dtype`, where every value has a place.

    Raises:
        InputError: a finite value beyond the range of `dtype`, or a fraction or NaN for an integer.
    """
    target = np.dtype(dtype)
    if array.dtype == target:
        return array
    if target.kind == "f":
        with np.errstate(over="ignore"):
            result = array.astype(target)
        lost = np.isinf(result) & np.isfinite(array)
        if lost.any():
            raise _unfit(
                feature,
                f"{array[lost].flat[0]}, beyond {target} (largest {np.finfo(target).max})",
                "scale the values, or convert with a float32 input",
            )
        return result
    if array.dtype.kind == "f" and not (array == np.trunc(array)).all():
        bad = array[array != np.trunc(array)].flat[0]
        raise _unfit(feature, f"{bad} for an input of {target}", "give whole numbers")
    if target.kind in "iu" and array.size:
        limits = np.iinfo(target)
        low, high = array.min(), array.max()
        if low < limits.min or high > limits.max:
            raise _unfit(
                feature,
                f"{low if low < limits.min else high}, beyond {target}",
                f"give values from {limits.min} to {limits.max}",
            )
    return array.astype(target)


def _check_shape(feature: Feature, shape: tuple[int, ...]) -> None:
    if feature.enumerated:
        fits = shape in feature.enumerated
    elif feature.ranges:
        fits = len(shape) == len(feature.ranges) and all(
            low <= n and (high < 0 or n <= high)
            for n, (low, high) in zip(shape, feature.ranges, strict=True)
        )
    else:
        # A description may leave a shape out; then the program's own types decide.
        fits = shape == feature.shape or not feature.shape
    if not fits:
        raise _unfit(feature, f"shape {shape}", "reshape, resize or pad it")


def _from_picture(feature: Feature, value: Any) -> np.ndarray[Any, Any]:
    """A picture as numbers (1, C, H, W), channels in the declared order, values 0 to 255."""
    color = feature.color or "RGB"
    mode = _MODES[color]
    if not isinstance(value, Image.Image):
        raise _unfit(feature, f"a {type(value).__name__}", "PIL.Image.fromarray makes one")
    if value.mode != mode:
        raise _unfit(feature, f"a picture of mode {value.mode}", f"image.convert({mode!r})")
    pixels = np.asarray(value)
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if color == "BGR":
        pixels = pixels[:, :, ::-1]
    return pixels.transpose(2, 0, 1)[None].copy()


def _unfit(feature: Feature, found: str, remedy: str) -> InputError:
    return InputError(
        f"input {feature.name!r}", found=found, expected=describe(feature), remedy=remedy
    )


# --------------------------------------------------------------------------------------- outputs
def give(feature: Feature | None, value: Any) -> Any:
    """An output as the caller gets it: a picture for an image, an int for a class, or `value`."""
    if feature is not None and feature.kind == "int64" and isinstance(value, np.ndarray):
        return int(value)
    if feature is None or not feature.color or not isinstance(value, np.ndarray):
        return value
    planes = value.reshape(value.shape[-3:])
    if feature.color == "GRAYSCALE_FLOAT16":
        return Image.fromarray(planes[0].astype(np.float32))
    # To the nearest level, and beyond black and white clipped, as vImage does; NaN is black.
    levels = np.clip(np.rint(np.nan_to_num(planes.astype(np.float32), nan=0.0)), 0, 255)
    pixels = levels.astype(np.uint8)
    if feature.color == "GRAYSCALE":
        return Image.fromarray(pixels[0])
    if feature.color == "BGR":
        pixels = pixels[::-1]
    return Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
