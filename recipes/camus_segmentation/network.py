"""The network of the demo checkpoint, and the form in which nnU-Net v2 keeps it.

The class is the genuine one, `dynamic_network_architectures.architectures.unet.PlainConvUNet`, and
is built here from the very plans that go into the file, so that the two cannot disagree.
"""

from __future__ import annotations

import copy
import pydoc
from typing import Any

import numpy as np
import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet
from numpy.typing import NDArray
from torch import nn

#: height and width of the phantoms, and the patch: one patch is the whole picture
SIZE = 160

FEATURES = [16, 32, 64, 64, 64]

DATASET: dict[str, Any] = {
    "channel_names": {"0": "Grayscale"},
    "labels": {"background": 0, "LeftVentricle": 1, "Myocardium": 2},
    "numTraining": 0,
    "file_ending": ".png",
    "name": "EchoPhantom",
    "description": "Apical four-chamber echo phantoms drawn with numpy; no patient's data.",
}

_RESAMPLING = {"order_z": 0, "force_separate_z": None}

PLANS: dict[str, Any] = {
    "dataset_name": "Dataset900_EchoPhantom",
    "plans_name": "nnUNetPlans",
    "original_median_spacing_after_transp": [999.0, 1.0, 1.0],
    "original_median_shape_after_transp": [1, SIZE, SIZE],
    "image_reader_writer": "NaturalImage2DIO",
    "transpose_forward": [0, 1, 2],
    "transpose_backward": [0, 1, 2],
    "configurations": {
        "2d": {
            "data_identifier": "nnUNetPlans_2d",
            "preprocessor_name": "DefaultPreprocessor",
            "batch_size": 4,
            "patch_size": [SIZE, SIZE],
            "median_image_size_in_voxels": [float(SIZE), float(SIZE)],
            "spacing": [1.0, 1.0],
            "normalization_schemes": ["ZScoreNormalization"],
            "use_mask_for_norm": [False],
            "resampling_fn_data": "resample_data_or_seg_to_shape",
            "resampling_fn_seg": "resample_data_or_seg_to_shape",
            "resampling_fn_data_kwargs": {"is_seg": False, "order": 3, **_RESAMPLING},
            "resampling_fn_seg_kwargs": {"is_seg": True, "order": 1, **_RESAMPLING},
            "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
            "resampling_fn_probabilities_kwargs": {"is_seg": False, "order": 1, **_RESAMPLING},
            "architecture": {
                "network_class_name": "dynamic_network_architectures.architectures.unet"
                ".PlainConvUNet",
                "arch_kwargs": {
                    "n_stages": len(FEATURES),
                    "features_per_stage": FEATURES,
                    "conv_op": "torch.nn.modules.conv.Conv2d",
                    "kernel_sizes": [[3, 3]] * len(FEATURES),
                    "strides": [[1, 1], *[[2, 2]] * (len(FEATURES) - 1)],
                    "n_conv_per_stage": [2] * len(FEATURES),
                    "n_conv_per_stage_decoder": [2] * (len(FEATURES) - 1),
                    "conv_bias": True,
                    "norm_op": "torch.nn.modules.instancenorm.InstanceNorm2d",
                    "norm_op_kwargs": {"eps": 1e-05, "affine": True},
                    "dropout_op": None,
                    "dropout_op_kwargs": None,
                    "nonlin": "torch.nn.LeakyReLU",
                    "nonlin_kwargs": {"inplace": True},
                },
                "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
            },
            "batch_dice": True,
        }
    },
    "experiment_planner_used": "ExperimentPlanner",
    "label_manager": "LabelManager",
    "foreground_intensity_properties_per_channel": {},
}


def build(plans: dict[str, Any], dataset: dict[str, Any], *, deep_supervision: bool) -> nn.Module:
    """The `PlainConvUNet` that nnU-Net plans of this recipe describe, freshly initialised.

    Only for plans that this recipe wrote: the names of classes in them are imported.

    >>> network = build(PLANS, DATASET, deep_supervision=False)
    >>> sum(p.numel() for p in network.parameters())
    520988
    """
    architecture = plans["configurations"]["2d"]["architecture"]
    settings = copy.deepcopy(architecture["arch_kwargs"])
    for name in architecture["_kw_requires_import"]:
        if settings[name] is not None:
            settings[name] = pydoc.locate(settings[name])
    network: nn.Module = PlainConvUNet(
        input_channels=len(dataset["channel_names"]),
        num_classes=len(dataset["labels"]),
        deep_supervision=deep_supervision,
        **settings,
    )
    network.apply(PlainConvUNet.initialize)
    return network


def normalise(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """nnU-Net's z-score of one picture: ``(x - mean) / max(std, 1e-8)``, float32, same shape."""
    values = image.astype(np.float32)
    normalised: NDArray[np.float32] = (values - values.mean()) / max(float(values.std()), 1e-8)
    return normalised


@torch.no_grad()
def segment(network: nn.Module, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Labels of one picture of the patch's size, uint8 [H, W]; no mirroring, no tiles."""
    logits = network(torch.from_numpy(normalise(image))[None, None])
    labels: NDArray[np.uint8] = logits[0].argmax(0).to(torch.uint8).numpy()
    return labels


def dice(predicted: NDArray[np.uint8], truth: NDArray[np.uint8], label: int) -> float:
    """Dice, 2·|A ∩ B| / (|A| + |B|), of one label; 1 when both are empty.

    >>> a = np.array([[1, 1, 0]], np.uint8); b = np.array([[1, 0, 0]], np.uint8)
    >>> round(dice(a, b, 1), 4), dice(a, b, 2)
    (0.6667, 1.0)
    """
    a, b = predicted == label, truth == label
    total = int(a.sum()) + int(b.sum())
    return 2.0 * int((a & b).sum()) / total if total else 1.0
