"""Plans and dataset descriptions: both formats, embedded or beside the file, right or wrong."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from lading.checkpoint import Checkpoint
from lading.errors import ConflictError, RecognitionError, RequestError
from lading.network.families import recognise, require_settled, unsettled
from lading.network.families.nnunet import FAMILY
from lading.network.families.nnunet.network import Plan, Style, UNet
from lading.record import CheckpointRecord, Claim, Recognition, from_json, to_json

STYLE = Style(2, True, "instance", True, 1e-5, "LeakyReLU", 0.01, False)
KERNELS = ((3, 3), (3, 3), (3, 3))
STRIDES = ((1, 1), (2, 2), (2, 1))
PLAN = Plan("PlainConvUNet", STYLE, 1, 3, (4, 8, 12), KERNELS, STRIDES, (2, 2, 2), (2, 2))
RECORD = CheckpointRecord("fold_0/checkpoint_final.pth", "0" * 64, 1, "zip")


def tensors(plan: Plan = PLAN) -> dict[str, torch.Tensor]:
    state = UNet(plan).state_dict()
    for head in range(len(plan.features) - 2):
        channels = plan.features[-2 - head]
        state[f"decoder.seg_layers.{head}.weight"] = torch.zeros(plan.classes, channels, 1, 1)
        state[f"decoder.seg_layers.{head}.bias"] = torch.zeros(plan.classes)
    return state


def new_format() -> dict[str, Any]:
    return {
        "patch_size": [64, 48],
        "spacing": [0.5, 0.7],
        "normalization_schemes": ["ZScoreNormalization"],
        "use_mask_for_norm": [False],
        "architecture": {
            "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
            "arch_kwargs": {
                "n_stages": 3,
                "features_per_stage": [4, 8, 12],
                "conv_op": "torch.nn.modules.conv.Conv2d",
                "kernel_sizes": [list(k) for k in KERNELS],
                "strides": [list(s) for s in STRIDES],
                "n_conv_per_stage": [2, 2, 2],
                "n_conv_per_stage_decoder": [2, 2],
                "conv_bias": True,
                "norm_op": "torch.nn.modules.instancenorm.InstanceNorm2d",
                "norm_op_kwargs": {"eps": 1e-4, "affine": True},
                "dropout_op": None,
                "dropout_op_kwargs": None,
                "nonlin": "torch.nn.LeakyReLU",
                "nonlin_kwargs": {"inplace": True, "negative_slope": 0.2},
            },
            "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
        },
    }


def old_format() -> dict[str, Any]:
    return {
        "patch_size": [64, 48],
        "spacing": [0.5, 0.7],
        "normalization_schemes": ["ZScoreNormalization"],
        "use_mask_for_norm": [False],
        "UNet_class_name": "PlainConvUNet",
        "UNet_base_num_features": 4,
        "unet_max_num_features": 12,
        "pool_op_kernel_sizes": [list(s) for s in STRIDES],
        "conv_kernel_sizes": [list(k) for k in KERNELS],
        "n_conv_per_stage_encoder": [2, 2, 2],
        "n_conv_per_stage_decoder": [2, 2],
        "num_pool_per_axis": [2, 1],
    }


DATASET = {
    "channel_names": {"0": "US"},
    "labels": {"background": 0, "wall": 2, "cavity": 1},
    "file_ending": ".png",
}


def plans(**configurations: dict[str, Any]) -> dict[str, Any]:
    return {
        "dataset_name": "Dataset001_X",
        "transpose_forward": [0, 1, 2],
        "configurations": configurations or {"2d": new_format()},
    }


def embedded(
    the_plans: dict[str, Any] | None = None,
    dataset: dict[str, Any] | None = None,
    sides: dict[str, Any] | None = None,
    plan: Plan = PLAN,
    **metadata: Any,
) -> Checkpoint:
    inside = {
        "plans": the_plans or plans(),
        "configuration": "2d",
        "fold": 0,
        "dataset_json": dataset or DATASET,
    }
    return Checkpoint(
        RECORD, tensors(plan), metadata={"init_args": inside, **metadata}, sides=sides or {}
    )


def beside(**sides: Any) -> Checkpoint:
    named = {name.replace("_json", ".json"): side for name, side in sides.items()}
    return Checkpoint(RECORD, tensors(), sides=named)


def read(checkpoint: Checkpoint, **settings: str) -> Recognition:
    return recognise(checkpoint, settings)[1]


def evidence(recognition: Recognition) -> dict[str, str]:
    return {one.name: one.evidence for one in recognition.hyperparameters}


# ----------------------------------------------------------------------------------- formats
def test_new_format_embedded() -> None:
    got = read(embedded(trainer_name="nnUNetTrainer", inference_allowed_mirroring_axes=None))
    require_settled(got)
    assert got["norm_eps"] == 1e-4
    assert got["negative_slope"] == 0.2
    assert got["patch_size"] == [64, 48]
    assert got["labels"] == ["background", "cavity", "wall"]
    assert got["mirror_axes"] == []
    told = evidence(got)
    assert "assumed" not in told.values()
    assert {told[n] for n in ("n_stages", "norm", "kernel_sizes", "down_strides")} == {"tensors"}
    assert {told[n] for n in ("norm_eps", "nonlin", "first_stride", "labels")} == {"embedded"}
    assert from_json(Recognition, to_json(got)) == got
    notes = FAMILY.build(got).task.notes
    assert notes["mirroring_axes"] == "none"
    assert notes["normalisation"].startswith("US: (x - mean)")
    assert all(isinstance(value, str) for value in notes.values())


def test_old_format() -> None:
    got = read(embedded(plans(**{"2d": old_format()})))
    require_settled(got)
    assert (got["norm_eps"], got["nonlin"], got["negative_slope"]) == (1e-5, "LeakyReLU", 0.01)
    one = next(h for h in got.hyperparameters if h.name == "norm_eps")
    assert "fixed in its older format" in one.source


def test_old_format_counts_features() -> None:
    block = old_format() | {"unet_max_num_features": 8}
    (conflict,) = unsettled(read(embedded(plans(**{"2d": block}))))
    assert [claim.value for claim in conflict.claims] == [[4, 8, 12], [4, 8, 8]]


def test_old_format_residual() -> None:
    plan = Plan(
        "ResidualEncoderUNet", STYLE, 1, 3, (4, 8, 12), KERNELS, STRIDES, (1, 2, 3), (1, 1), 4
    )
    block = old_format() | {
        "UNet_class_name": "ResidualEncoderUNet",
        "n_conv_per_stage_encoder": [1, 2, 3],
        "n_conv_per_stage_decoder": [1, 1],
    }
    got = read(embedded(plans(**{"2d": block}), plan=plan))
    require_settled(got)
    assert got["n_blocks_per_stage"] == [1, 2, 3]


def test_new_format_residual_preset() -> None:
    """The presets name neither stem nor bottleneck; the tensors do."""
    plan = Plan(
        "ResidualEncoderUNet", STYLE, 1, 3, (4, 8, 12), KERNELS, STRIDES, (1, 3, 4), (1, 1), 4
    )
    block = new_format()
    name = "dynamic_network_architectures.architectures.unet.ResidualEncoderUNet"
    block["architecture"]["network_class_name"] = name
    kwargs = block["architecture"]["arch_kwargs"]
    del kwargs["n_conv_per_stage"]
    kwargs |= {"n_blocks_per_stage": [1, 3, 4], "n_conv_per_stage_decoder": [1, 1]}
    got = read(embedded(plans(**{"2d": block}), plan=plan))
    require_settled(got)
    assert (got["stem_channels"], got["bottleneck_channels"]) == (4, [])
    assert "assumed" not in evidence(got).values()


def test_side_files() -> None:
    got = read(beside(plans_json=plans(), dataset_json=DATASET))
    require_settled(got)
    assert evidence(got)["norm_eps"] == evidence(got)["labels"] == "side file"
    assert evidence(got)["configuration"] == "side file"


def test_configurations_inherit() -> None:
    base = new_format()
    child = {"inherits_from": "2d", "patch_size": [32, 32]}
    inside = plans(**{"2d": base, "2d_small": child})
    checkpoint = embedded(inside)
    checkpoint.metadata["init_args"]["configuration"] = "2d_small"
    got = read(checkpoint)
    assert got["patch_size"] == [32, 32]
    assert got["norm_eps"] == 1e-4


@pytest.mark.parametrize("parent", ["2d_small", "gone"])
def test_inheritance_that_does_not_end(parent: str) -> None:
    checkpoint = embedded(plans(**{"2d": new_format(), "2d_small": {"inherits_from": parent}}))
    checkpoint.metadata["init_args"]["configuration"] = "2d_small"
    with pytest.raises(RecognitionError, match="configuration '2d_small'") as caught:
        read(checkpoint)
    assert parent in caught.value.found


def test_the_configuration_that_fits() -> None:
    other = new_format()
    other["architecture"]["arch_kwargs"]["conv_op"] = "torch.nn.modules.conv.Conv3d"
    got = read(beside(plans_json=plans(**{"3d_fullres": other, "2d": new_format()})))
    assert got["configuration"] == "2d"
    one = next(h for h in got.hyperparameters if h.name == "configuration")
    assert "that fits the tensors, of 3d_fullres, 2d" in one.source


def test_two_configurations_that_fit() -> None:
    small = new_format() | {"patch_size": [32, 32]}
    checkpoint = beside(plans_json=plans(**{"2d": new_format(), "2d_small": small}))
    with pytest.raises(RecognitionError, match="which configuration") as caught:
        read(checkpoint)
    assert caught.value.found == "2 that fit the tensors: 2d, 2d_small"
    assert caught.value.remedy == "--set configuration=2d"
    got = read(checkpoint, configuration="2d_small")
    assert got["patch_size"] == [32, 32]


# --------------------------------------------------------------------------------- conflicts
def six_of_seven() -> Checkpoint:
    """Plans of a network with one stage fewer than the tensors have."""
    wrong = new_format()
    kwargs = wrong["architecture"]["arch_kwargs"]
    kwargs |= {
        "n_stages": 2,
        "features_per_stage": [4, 8],
        "kernel_sizes": kwargs["kernel_sizes"][:2],
        "strides": kwargs["strides"][:2],
        "n_conv_per_stage": [2, 2],
        "n_conv_per_stage_decoder": [2],
    }
    return embedded(plans(**{"2d": wrong}))


def test_stages_conflict_is_shown_and_settled() -> None:
    got = read(six_of_seven())
    (conflict,) = unsettled(got)
    assert conflict.claims == (
        Claim("tensors", 3, "encoder.stages.*"),
        Claim("embedded", 2, "init_args.plans configurations.2d.architecture.arch_kwargs.n_stages"),
    )
    with pytest.raises(ConflictError) as caught:
        require_settled(got)
    assert caught.value.subject == "nnU-Net v2: sources disagree on n_stages"
    assert caught.value.found == (
        "n_stages: tensors say 3 (encoder.stages.*), but embedded says 2 "
        "(init_args.plans configurations.2d.architecture.arch_kwargs.n_stages)"
    )
    assert caught.value.remedy.endswith("--set n_stages=3")
    settled = read(six_of_seven(), n_stages="3")
    require_settled(settled)
    assert settled.conflicts[0].settled == "tensors"
    # plans of another network are not believed on the rest of it, only on the data
    assert evidence(settled)["norm_eps"] == "assumed"
    assert evidence(settled)["patch_size"] == "assumed"
    assert evidence(settled)["labels"] == "embedded"


def test_the_tensors_cannot_be_overruled() -> None:
    with pytest.raises(RequestError, match="--set n_stages=2") as caught:
        read(six_of_seven(), n_stages="2")
    assert caught.value.expected == "3, which the tensors prove (encoder.stages.*)"


def test_side_file_against_embedded() -> None:
    other = new_format() | {"patch_size": [128, 128]}
    checkpoint = embedded(sides={"plans.json": plans(**{"2d": other})})
    (conflict,) = unsettled(read(checkpoint))
    assert conflict.name == "patch_size"
    assert [(c.evidence, c.value) for c in conflict.claims] == [
        ("embedded", [64, 48]),
        ("side file", [128, 128]),
    ]
    chosen = read(checkpoint, patch_size="128x128")
    require_settled(chosen)
    assert chosen["patch_size"] == [128, 128]
    assert chosen.conflicts[0].settled == "side file"
    third = read(checkpoint, patch_size="[32, 32]")
    assert third.conflicts[0].settled == evidence(third)["patch_size"] == "user"


def test_user_against_embedded_is_shown() -> None:
    got = read(embedded(), patch_size="128,128")
    require_settled(got)
    (conflict,) = got.conflicts
    assert (conflict.name, conflict.settled) == ("patch_size", "user")
    assert conflict.claims[-1] == Claim("user", [128, 128], "--set patch_size=128,128")


def test_trainer_that_changed_the_norm() -> None:
    batch = Plan(**(vars(PLAN) | {"style": Style(**(vars(STYLE) | {"norm": "batch"}))}))
    (conflict,) = unsettled(read(embedded(plan=batch)))
    assert [c.value for c in conflict.claims] == ["batch", "instance"]


def test_unknown_classes_are_quoted_and_never_imported() -> None:
    wrong = new_format()
    wrong["architecture"]["network_class_name"] = "os.system"
    (conflict,) = unsettled(read(embedded(plans(**{"2d": wrong}))))
    assert [c.value for c in conflict.claims] == ["PlainConvUNet", "os.system"]
    wrong = new_format()
    wrong["architecture"]["arch_kwargs"]["nonlin"] = "torch.nn.PReLU"
    with pytest.raises(RecognitionError, match="nonlin") as caught:
        read(embedded(plans(**{"2d": wrong})))
    assert caught.value.found == "torch.nn.PReLU"


def test_wrong_number_of_labels() -> None:
    checkpoint = embedded(dataset=DATASET | {"labels": {"background": 0, "heart": 1}})
    (conflict,) = unsettled(read(checkpoint))
    assert conflict.name == "num_classes"
    assert [c.value for c in conflict.claims] == [3, 2]


# ------------------------------------------------------------------------------------ values
@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("features_per_stage", [4, "8", 12], "a whole number of at least 1"),
        ("kernel_sizes", [[3, 3]], "3 times 2 whole numbers of at least 1"),
        ("strides", [[1, 1], [2, 2], [0, 1]], "a whole number of at least 1"),
        ("conv_bias", 1, "true or false"),
    ],
)
def test_plans_that_cannot_be(key: str, value: Any, expected: str) -> None:
    wrong = new_format()
    wrong["architecture"]["arch_kwargs"][key] = value
    with pytest.raises(RecognitionError, match=f"{key} in init_args.plans") as caught:
        read(embedded(plans(**{"2d": wrong})))
    assert caught.value.expected == expected


def test_settings_that_cannot_be() -> None:
    with pytest.raises(RequestError, match="--set patchsize=4") as caught:
        read(embedded(), patchsize="4")
    assert caught.value.remedy == "did you mean patch_size?"
    with pytest.raises(RequestError) as caught:
        read(embedded(), patch_size="a,b")
    assert caught.value.expected == "a whole number of at least 1"
    assert caught.value.remedy == "write it as 64,48"
    with pytest.raises(RequestError) as caught:
        read(embedded(), patch_size="50,50")
    assert caught.value.found == "50,50"
    assert caught.value.remedy == "--set patch_size=52,50"
    with pytest.raises(RequestError, match="patch_size") as caught:
        read(embedded(), patch_size="4,2")
    assert "a single cell" in caught.value.found


def test_a_norm_that_left_no_tensor() -> None:
    bare = Plan(**(vars(PLAN) | {"style": Style(**(vars(STYLE) | {"norm": "none"}))}))
    checkpoint = Checkpoint(RECORD, tensors(bare))
    got = read(checkpoint)
    assert (got["norm"], evidence(got)["norm"]) == ("none", "assumed")
    assert read(checkpoint, norm="none")["norm"] == "none"
    got = read(checkpoint, norm="instance")
    assert (got["norm_affine"], evidence(got)["norm_affine"]) == (False, "tensors")
    with pytest.raises(RequestError) as caught:
        read(checkpoint, norm="group")
    assert (caught.value.found, caught.value.expected) == ("group", "instance, batch or none")


def test_defaults_without_plans() -> None:
    got = read(Checkpoint(RECORD, tensors()))
    require_settled(got)
    assumed = {name for name, word in evidence(got).items() if word == "assumed"}
    assert assumed == {
        "first_stride", "norm_eps", "nonlin", "negative_slope", "nonlin_first", "patch_size",
        "activation", "labels", "normalization_schemes", "use_mask_for_norm",
    }  # fmt: skip
    assert got["patch_size"] == [256, 256]
    assert got["labels"] == ["class 0", "class 1", "class 2"]
    assert "test-time" not in FAMILY.build(got).task.notes


# -------------------------------------------------------------------------------------- task
def test_labels_the_other_way_round() -> None:
    dataset = DATASET | {"labels": {"2": "wall", "0": "background", "1": "cavity"}}
    assert read(embedded(dataset=dataset))["labels"] == ["background", "cavity", "wall"]


def test_odd_metadata_is_no_obstacle() -> None:
    got = read(embedded(trainer_name=object(), inference_allowed_mirroring_axes="all"))
    assert "trainer" not in evidence(got)
    assert "mirror_axes" not in evidence(got)


def test_regions() -> None:
    dataset = DATASET | {
        "labels": {"background": 0, "whole": [1, 2, 3], "core": [2, 3], "edge": [3], "ignore": 4},
        "regions_class_order": [1, 2, 3],
    }
    got = read(embedded(dataset=dataset))
    require_settled(got)
    task = FAMILY.build(got).task
    assert task.labels == ("whole", "core", "edge")
    assert (task.activation, task.region_order) == ("sigmoid", (1, 2, 3))


def test_normalisation_in_words() -> None:
    block = new_format() | {"normalization_schemes": ["CTNormalization"]}
    inside = plans(**{"2d": block})
    inside["foreground_intensity_properties_per_channel"] = {
        "0": {"mean": 10.0, "std": 2.0, "percentile_00_5": -5.0, "percentile_99_5": 90.0}
    }
    task = FAMILY.build(read(embedded(inside))).task
    assert task.normalisation == ""
    assert task.notes["normalisation"] == "US: (clip(x, -5.0, 90.0) - 10.0) / max(2.0, 1e-8)"
    block = new_format() | {"use_mask_for_norm": [True]}
    task = FAMILY.build(read(embedded(plans(**{"2d": block})))).task
    assert task.normalisation == ""
    assert "non-zero region" in task.notes["normalisation"]
    block = new_format() | {"normalization_schemes": ["RGBTo01Normalization"]}
    task = FAMILY.build(read(embedded(plans(**{"2d": block})))).task
    assert task.inputs[0].value_range == (0.0, 1.0)


def test_normalisation_from_the_channel_names() -> None:
    got = read(beside(dataset_json=DATASET | {"channel_names": {"0": "CT"}}))
    assert got["normalization_schemes"] == ["CTNormalization"]
    notes = FAMILY.build(got).task.notes
    assert notes["normalisation"] == "CT: CTNormalization; its intensities are not in the file"


def test_channels_in_the_order_of_their_numbers() -> None:
    plan = Plan(**(vars(PLAN) | {"channels": 11}))
    names = {str(n): f"m{n}" for n in (10, *range(10))}
    block = new_format()
    block["normalization_schemes"] *= 11
    block["use_mask_for_norm"] *= 11
    dataset = DATASET | {"channel_names": names}
    got = read(embedded(plans(**{"2d": block}), dataset, plan=plan))
    assert got["channel_names"] == [f"m{n}" for n in range(11)]


def test_cascade_takes_labels_too() -> None:
    block = new_format() | {"previous_stage": "3d_lowres"}
    plan = Plan(**(vars(PLAN) | {"channels": 3}))
    got = read(embedded(plans(**{"2d": block}), plan=plan))
    require_settled(got)
    assert got["input_channels"] == 3
    task = FAMILY.build(got).task
    assert task.normalisation == ""
    assert "3d_lowres" in task.notes["cascade"]


def test_heads_below_full_resolution_are_named() -> None:
    unused = FAMILY.build(read(embedded())).unused
    reason = "unused at inference: deep-supervision head at 1/2"
    assert unused == {f"decoder.seg_layers.0.{part}": reason for part in ("weight", "bias")}


def test_records_are_read_back_before_building() -> None:
    got = read(embedded())
    again = from_json(Recognition, copy.deepcopy(to_json(got)))
    assert FAMILY.build(again).task == FAMILY.build(got).task
