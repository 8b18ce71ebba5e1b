"""What `dataset.json` says: channels, labels or regions, and what follows for the network's ends.

Labels map names to whole numbers, or, for overlapping regions, to lists of them. With regions the
network has one channel per region, each a yes or no of its own (sigmoid), painted over one another
in `regions_class_order`; otherwise one channel per label and the largest wins (softmax).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lading.network.families.nnunet.plans import Claims, Source
from lading.network.reading import Reading, flag, integer, one_of, text

SCHEMES = (
    "ZScoreNormalization",
    "CTNormalization",
    "NoNormalization",
    "RescaleTo01Normalization",
    "RGBTo01Normalization",
)
#: nnU-Net picks the normalisation by the channel's name; any other name means z-score.
SCHEME_OF_CHANNEL = {
    "ct": "CTNormalization",
    "nonorm": "NoNormalization",
    "rescale_to_0_1": "RescaleTo01Normalization",
    "rgb_to_0_1": "RGBTo01Normalization",
}


def claims(source: Source, cascaded: bool) -> Claims:
    """Hyper-parameter -> (value, where it stands), from one dataset description.

    Args:
        source: where it was found.
        cascaded: whether the network also takes the foreground labels of an earlier stage.
    """
    dataset, at = source.dataset, source.dataset_where
    found: Claims = {}
    labels = dataset.get("labels")
    if isinstance(labels, Mapping) and all(isinstance(v, str) for v in labels.values()):
        # the form of the Medical Segmentation Decathlon: {"0": "background", ...}
        labels = {name: value for value, name in labels.items()}
    if isinstance(labels, Mapping) and labels:
        regions = has_regions(labels)
        names = region_names(labels) if regions else class_names(labels)
        found["labels"] = (names, f"{at}.labels")
        found["num_classes"] = (len(names), f"{at}.labels")
        found["activation"] = ("sigmoid" if regions else "softmax", f"{at}.labels")
        order = dataset.get("regions_class_order")
        if regions and isinstance(order, (list, tuple)):
            found["region_order"] = (list(order), f"{at}.regions_class_order")
    channels = dataset.get("channel_names", dataset.get("modality"))
    if isinstance(channels, Mapping) and channels:
        where = f"{at}.channel_names"
        names = [str(channels[key]) for key in sorted(channels, key=_number)]
        found["channel_names"] = (names, where)
        extra = _foreground(labels) if cascaded and isinstance(labels, Mapping) else 0
        found["input_channels"] = (len(names) + extra, where)
        schemes = [SCHEME_OF_CHANNEL.get(n.casefold(), "ZScoreNormalization") for n in names]
        found["normalization_schemes"] = (schemes, f"{where}, which decide it")
    if isinstance(dataset.get("file_ending"), str):
        found["file_ending"] = (dataset["file_ending"], f"{at}.file_ending")
    if isinstance(source.plans.get("dataset_name"), str):
        found["dataset"] = (source.plans["dataset_name"], f"{source.where}.dataset_name")
    return found


def has_regions(labels: Mapping[str, Any]) -> bool:
    """Whether any label is a union of several.

    >>> has_regions({"background": 0, "whole": [1, 2], "core": [2]})
    True
    """
    return any(isinstance(v, (list, tuple)) and len(v) > 1 for v in labels.values())


def class_names(labels: Mapping[str, Any]) -> list[str]:
    """Names in the order of the class axis: by value, without ``ignore``.

    >>> class_names({"background": 0, "wall": 2, "cavity": 1, "ignore": 3})
    ['background', 'cavity', 'wall']
    """
    kept = {str(n): v for n, v in labels.items() if n != "ignore"}
    return sorted(kept, key=lambda name: _number(_only(kept[name])))


def region_names(labels: Mapping[str, Any]) -> list[str]:
    """Names in the order of the class axis: as written, without background and ``ignore``."""

    def background(value: Any) -> bool:
        return value == 0 or (isinstance(value, (list, tuple)) and set(value) == {0})

    return [str(n) for n, v in labels.items() if n != "ignore" and not background(v)]


def settle(reading: Reading) -> None:
    """Settles everything about the data; `num_classes` and `input_channels` stand already."""
    classes, channels = reading.value("num_classes"), reading.value("input_channels")
    several = ("softmax", "sigmoid") if classes > 1 else ("sigmoid", "softmax")
    activation = reading.settle(
        "activation",
        one_of("softmax", "sigmoid"),
        assume=several[0],
        why="no dataset description says whether classes exclude one another",
        alternatives=several[1:],
    )
    reading.settle(
        "labels",
        words(classes),
        assume=[f"class {index}" for index in range(classes)],
        why="no dataset description names the classes",
    )
    if activation == "sigmoid":
        reading.settle(
            "region_order",
            lambda order: [integer(0)(value) for value in _exactly(order, classes)],
            assume=list(range(1, classes + 1)),
            why="no dataset description gives regions_class_order",
        )
    optional = {
        "channel_names": words(None),
        "dataset": text,
        "configuration": text,
        "trainer": text,
        "file_ending": text,
        "previous_stage": text,
        "spacing": _as_list,
        "transpose_forward": _as_list,
        "intensity_properties": _as_mapping,
        "mirror_axes": _as_list,
    }
    for name, check in optional.items():
        if reading.claimed(name) and not reading.has(name):
            reading.settle(name, check)
    images = len(reading.value("channel_names")) if reading.has("channel_names") else channels
    reading.settle(
        "normalization_schemes",
        words(images),
        assume=["ZScoreNormalization"] * images,
        why="neither plans nor dataset description at hand; z-score is nnU-Net's usual one",
        alternatives=SCHEMES[1:],
    )
    reading.settle(
        "use_mask_for_norm",
        lambda value: [flag(v) for v in _exactly(value, images)],
        assume=[False] * images,
        why="no plans at hand; nnU-Net uses a mask only for images with large empty margins",
        alternatives=("true",),
    )


def words(length: int | None) -> Any:
    """`length` words; one word stands for all of them."""

    def check(value: Any) -> list[str]:
        items = list(value) if isinstance(value, (list, tuple)) else [value] * (length or 1)
        return [text(item) for item in _exactly(items, length)]

    return check


def _exactly(value: Any, length: int | None) -> list[Any]:
    items = list(value) if isinstance(value, (list, tuple)) else [value]
    if length is not None and len(items) != length:
        raise ValueError(f"{length} values")
    return items


def _as_list(value: Any) -> list[Any]:
    if not isinstance(value, (list, tuple)):
        value = [value]
    if not all(isinstance(v, (int, float)) for v in value):
        raise ValueError("a list of numbers")
    return list(value)


def _as_mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError("a mapping")
    return {str(k): v for k, v in value.items()}


def _only(value: Any) -> Any:
    return value[0] if isinstance(value, (list, tuple)) and len(value) == 1 else value


def _number(value: Any) -> tuple[int, str]:
    """A key that sorts "2" before "10" and words after numbers."""
    word = str(value)
    return (int(word), "") if word.isdigit() else (1 << 30, word)


def _foreground(labels: Mapping[str, Any]) -> int:
    values: set[Any] = set()
    for name, value in labels.items():
        if name != "ignore":
            values |= set(value) if isinstance(value, (list, tuple)) else {value}
    return len(values - {0})
