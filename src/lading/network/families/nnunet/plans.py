"""What the plans and the dataset description say, whether embedded in the file or beside it.

nnU-Net v2 writes both into every checkpoint (`init_args`) and lays them in the model folder
(`plans.json`, `dataset.json`). Plans come in two formats: one with an `architecture` block, and an
older one with the network's numbers straight in the configuration. Strings that name classes are
looked up in `CLASSES`; nothing is ever imported because a file says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lading.checkpoint import Checkpoint
from lading.errors import RecognitionError
from lading.record import Evidence

#: The last part of a class's dotted name -> the hyper-parameters it stands for.
CLASSES: dict[str, dict[str, Any]] = {
    "PlainConvUNet": {"architecture": "PlainConvUNet"},
    "ResidualEncoderUNet": {"architecture": "ResidualEncoderUNet"},
    "Conv2d": {"dimension": 2},
    "Conv3d": {"dimension": 3},
    "InstanceNorm2d": {"norm": "instance"},
    "InstanceNorm3d": {"norm": "instance"},
    "BatchNorm2d": {"norm": "batch"},
    "BatchNorm3d": {"norm": "batch"},
    "LeakyReLU": {"nonlin": "LeakyReLU"},
    "ReLU": {"nonlin": "ReLU"},
    "GELU": {"nonlin": "GELU"},
    "SiLU": {"nonlin": "SiLU"},
}

Claims = dict[str, tuple[Any, str]]


@dataclass(frozen=True)
class Source:
    """One place that holds plans, a dataset description, or both.

    Attributes:
        evidence: ``"embedded"`` or ``"side file"``.
        where: of the plans, and of the dataset description, for people.
        plans, dataset: as JSON; empty when absent.
        configuration: the configuration that it says was trained; "" when it does not.
    """

    evidence: Evidence
    where: str
    dataset_where: str
    plans: Mapping[str, Any] = field(default_factory=dict)
    dataset: Mapping[str, Any] = field(default_factory=dict)
    configuration: str = ""

    def configurations(self) -> list[str]:
        """The configurations by name."""
        return [str(name) for name in _mapping(self.plans.get("configurations"))]

    def claims(self, name: str) -> Claims:
        """What configuration `name` says: hyper-parameter -> (value, where it stands).

        Raises:
            RecognitionError: the plans cannot be read as plans.
        """
        block = self._configuration(name)
        at = f"{self.where} configurations.{name}"
        old = "architecture" not in block
        found = dict(_old_network(block, at) if old else _new_network(block, at))
        for key in ("patch_size", "spacing", "normalization_schemes", "use_mask_for_norm"):
            if block.get(key) is not None:
                found[key] = (block[key], f"{at}.{key}")
        if self.plans.get("transpose_forward") is not None:
            found["transpose_forward"] = (
                self.plans["transpose_forward"],
                f"{self.where} transpose_forward",
            )
        intensity = _mapping(self.plans.get("foreground_intensity_properties_per_channel"))
        if intensity:
            where = f"{self.where} foreground_intensity_properties_per_channel"
            found["intensity_properties"] = (dict(intensity), where)
        if block.get("previous_stage") is not None:
            found["previous_stage"] = (block["previous_stage"], f"{at}.previous_stage")
        return found

    def _configuration(self, name: str) -> dict[str, Any]:
        """Configuration `name` with all that it inherits."""
        every = _mapping(self.plans.get("configurations"))
        chain: list[Mapping[str, Any]] = []
        seen: list[str] = []
        while name:
            if name in seen or name not in every:
                raise RecognitionError(
                    f"{self.where}: configuration {(seen or [name])[0]!r}",
                    found=f"{name!r} again on the way {' -> '.join(seen)}"
                    if name in seen
                    else f"no configuration {name!r} among {', '.join(map(str, every))}",
                    expected="a configuration that is there, and parents that end",
                    remedy="--set configuration=NAME with one that is there",
                )
            seen.append(name)
            chain.append(_mapping(every[name]))
            name = str(chain[-1].get("inherits_from") or "")
        merged: dict[str, Any] = {}
        for block in reversed(chain):
            merged.update(block)
        return merged


def sources(checkpoint: Checkpoint) -> Iterator[Source]:
    """Where plans and dataset descriptions are, the embedded ones first."""
    inside = _mapping(checkpoint.metadata.get("init_args"))
    if inside:
        yield Source(
            "embedded",
            "init_args.plans",
            "init_args.dataset_json",
            _mapping(inside.get("plans")),
            _mapping(inside.get("dataset_json")),
            str(inside.get("configuration") or ""),
        )
    plans = [n for n, side in checkpoint.sides.items() if "configurations" in _mapping(side)]
    datasets = [n for n, side in checkpoint.sides.items() if "labels" in _mapping(side)]
    # A folder may hold more than one of a kind; the usual name comes first, then the alphabet.
    plans.sort(key=lambda n: (not n.endswith("plans.json"), n))
    datasets.sort(key=lambda n: (not n.endswith("dataset.json"), n))
    if plans or datasets:
        yield Source(
            "side file",
            plans[0] if plans else "no plans",
            datasets[0] if datasets else "no dataset.json",
            _mapping(checkpoint.sides[plans[0]]) if plans else {},
            _mapping(checkpoint.sides[datasets[0]]) if datasets else {},
        )


def _new_network(block: Mapping[str, Any], at: str) -> Iterator[tuple[str, tuple[Any, str]]]:
    """The `architecture` block: class names and keyword arguments."""
    architecture = _mapping(block["architecture"])
    kwargs = _mapping(architecture.get("arch_kwargs"))
    at += ".architecture"
    yield from _named(architecture.get("network_class_name"), "architecture", at)
    at += ".arch_kwargs"
    yield from _named(kwargs.get("conv_op"), "dimension", f"{at}.conv_op")
    if "norm_op" in kwargs and kwargs["norm_op"] is None:
        yield "norm", ("none", f"{at}.norm_op")
    yield from _named(kwargs.get("norm_op"), "norm", f"{at}.norm_op")
    yield from _named(kwargs.get("nonlin"), "nonlin", f"{at}.nonlin")
    for key in (
        "n_stages",
        "features_per_stage",
        "kernel_sizes",
        "strides",
        "n_conv_per_stage",
        "n_blocks_per_stage",
        "n_conv_per_stage_decoder",
        "bottleneck_channels",
        "stem_channels",
    ):
        if kwargs.get(key) is not None:
            yield key, (kwargs[key], f"{at}.{key}")
    # The genuine classes default to False; an absent key says so as loudly as a false one.
    yield "conv_bias", (kwargs.get("conv_bias", False), f"{at}.conv_bias")
    yield "nonlin_first", (kwargs.get("nonlin_first", False), f"{at}.nonlin_first")
    norm = _mapping(kwargs.get("norm_op_kwargs"))
    if kwargs.get("norm_op") is not None:
        # torch's own defaults where the plans are silent: ε 1e-5; batch norm affine, instance not.
        batch = "BatchNorm" in str(kwargs["norm_op"])
        yield "norm_eps", (norm.get("eps", 1e-5), f"{at}.norm_op_kwargs.eps")
        yield "norm_affine", (norm.get("affine", batch), f"{at}.norm_op_kwargs.affine")
    if str(kwargs.get("nonlin")).endswith("LeakyReLU"):
        slope = _mapping(kwargs.get("nonlin_kwargs")).get("negative_slope", 0.01)
        yield "negative_slope", (slope, f"{at}.nonlin_kwargs.negative_slope")


def _old_network(block: Mapping[str, Any], at: str) -> Iterator[tuple[str, tuple[Any, str]]]:
    """The older format; what it does not write was fixed in nnU-Net's code then."""
    if "pool_op_kernel_sizes" not in block:
        return
    kind = str(block.get("UNet_class_name", ""))
    yield from _named(kind, "architecture", f"{at}.UNet_class_name")
    strides, kernels = block["pool_op_kernel_sizes"], block.get("conv_kernel_sizes")
    yield "strides", (strides, f"{at}.pool_op_kernel_sizes")
    yield "n_stages", (len(strides), f"{at}.pool_op_kernel_sizes")
    if isinstance(kernels, (list, tuple)) and kernels and isinstance(kernels[0], (list, tuple)):
        yield "dimension", (len(kernels[0]), f"{at}.conv_kernel_sizes")
    if kernels is not None:
        yield "kernel_sizes", (kernels, f"{at}.conv_kernel_sizes")
    base, most = block.get("UNet_base_num_features"), block.get("unet_max_num_features")
    if isinstance(base, int) and isinstance(most, int):
        features = [min(base * 2**s, most) for s in range(len(strides))]
        yield (
            "features_per_stage",
            (features, f"{at}.UNet_base_num_features, unet_max_num_features"),
        )
    depths = block.get("n_conv_per_stage_encoder")
    if depths is not None:
        name = "n_blocks_per_stage" if kind == "ResidualEncoderUNet" else "n_conv_per_stage"
        yield name, (depths, f"{at}.n_conv_per_stage_encoder")
    if block.get("n_conv_per_stage_decoder") is not None:
        depths = block["n_conv_per_stage_decoder"]
        yield "n_conv_per_stage_decoder", (depths, f"{at}.n_conv_per_stage_decoder")
    fixed = {
        "conv_bias": True,
        "norm": "instance",
        "norm_affine": True,
        "norm_eps": 1e-5,
        "nonlin": "LeakyReLU",
        "negative_slope": 0.01,
        "nonlin_first": False,
    }
    for name, value in fixed.items():
        yield name, (value, f"{at}, fixed in its older format")


def _named(dotted: Any, name: str, at: str) -> Iterator[tuple[str, tuple[Any, str]]]:
    """The hyper-parameter that a class name stands for; an unknown class is quoted as it is."""
    if isinstance(dotted, str):
        known = CLASSES.get(dotted.rsplit(".", 1)[-1], {})
        yield name, (known.get(name, dotted), at)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
