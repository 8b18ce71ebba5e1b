"""Checkpoints and images that many tests share; everything is made here, nothing is fetched."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet
from torch import nn

os.environ["COLUMNS"] = "80"  # what is printed is as wide as this says, whatever the terminal
torch.set_num_threads(1 if "PYTEST_XDIST_WORKER" in os.environ else 2)


def _share() -> None:
    """One's own share of the processor's cores, for what tests start as well: threads of two
    processes that wait for one another on the same cores take ten times as long."""
    worker, count = (os.environ.get(f"PYTEST_XDIST_WORKER{end}", "") for end in ("", "_COUNT"))
    if worker and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        own = cores[int(worker.removeprefix("gw")) :: int(count)]
        os.sched_setaffinity(0, own or cores)


_share()

# No test is timed, and a run repeats; `HYPOTHESIS_PROFILE=search` looks for what nobody tried yet.
hypothesis.settings.register_profile(
    "repeat",
    deadline=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.register_profile("search", deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeat"))

CAMUS = (32, 64, 128, 256, 512, 512, 512)


def genuine_unet(features: tuple[int, ...], seed: int = 0) -> Any:
    """nnU-Net's own PlainConvUNet with its own initialisation, deep supervision on."""
    torch.manual_seed(seed)
    stages = len(features)
    network = PlainConvUNet(
        1, stages, features, nn.Conv2d, 3, [1] + [2] * (stages - 1), 2, 3, 2,
        True, nn.InstanceNorm2d, {"eps": 1e-5, "affine": True}, None, None,
        nn.LeakyReLU, {"inplace": True}, deep_supervision=True,
    )  # fmt: skip
    network.apply(network.initialize)
    with torch.no_grad():  # weights as after training: no affine left at one and zero
        for name, parameter in network.named_parameters():
            if ".norm." in name or name.endswith("bias"):
                parameter.add_(0.1 * torch.randn_like(parameter))
    return network.eval()


def plans_for(features: tuple[int, ...], patch: int) -> dict[str, Any]:
    """Plans in nnU-Net's new format that describe `genuine_unet(features)`."""
    stages = len(features)
    return {
        "dataset_name": "Dataset001_CAMUS",
        "plans_name": "nnUNetPlans",
        "transpose_forward": [0, 1],
        "configurations": {
            "2d": {
                "patch_size": [patch, patch],
                "batch_size": 2,
                "spacing": [1.0, 1.0],
                "normalization_schemes": ["ZScoreNormalization"],
                "use_mask_for_norm": [False],
                "architecture": {
                    "network_class_name": (
                        "dynamic_network_architectures.architectures.unet.PlainConvUNet"
                    ),
                    "arch_kwargs": {
                        "n_stages": stages,
                        "features_per_stage": list(features),
                        "conv_op": "torch.nn.modules.conv.Conv2d",
                        "kernel_sizes": [[3, 3]] * stages,
                        "strides": [[1, 1]] + [[2, 2]] * (stages - 1),
                        "n_conv_per_stage": [2] * stages,
                        "n_conv_per_stage_decoder": [2] * (stages - 1),
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
            }
        },
    }


DATASET = {
    "channel_names": {"0": "Grayscale"},
    "labels": {"background": 0, "LeftVentricle": 1, "Myocardium": 2},
    "numTraining": 400,
    "file_ending": ".png",
}


def nnunet_file(network: Any, features: tuple[int, ...], patch: int) -> dict[str, Any]:
    """What nnU-Net v2 saves, numpy scalars and all."""
    return {
        "network_weights": network.state_dict(),
        "optimizer_state": {},
        "grad_scaler_state": None,
        "logging": {"mean_fg_dice": [np.float64(0.9)], "train_losses": [np.float32(0.1)]},
        "_best_ema": np.float64(0.91),
        "current_epoch": 1000,
        "init_args": {
            "plans": plans_for(features, patch),
            "configuration": "2d",
            "fold": 0,
            "dataset_json": DATASET,
            "device": torch.device("cpu"),
        },
        "trainer_name": "nnUNetTrainer",
        "inference_allowed_mirroring_axes": (0, 1),
    }


@pytest.fixture(scope="session")
def small_network() -> Any:
    """A genuine three-stage network with random weights."""
    return genuine_unet((8, 16, 32))


@pytest.fixture(scope="session")
def small_checkpoint(small_network: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`small_network` as nnU-Net v2 saves it; patch 32×32."""
    path = tmp_path_factory.mktemp("small") / "checkpoint_best.pth"
    torch.save(nnunet_file(small_network, (8, 16, 32), 32), path)
    return path


@pytest.fixture(scope="session")
def full_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The full-size CAMUS architecture with random weights, as nnU-Net v2 saves it."""
    path = tmp_path_factory.mktemp("full") / "checkpoint_best.pth"
    torch.save(nnunet_file(genuine_unet(CAMUS), CAMUS, 256), path)
    return path


@pytest.fixture
def altered(small_checkpoint: Path, tmp_path: Path) -> Callable[[Callable[[Any], None]], Path]:
    """`altered(change)`: a copy of the small checkpoint whose contents `change` has edited."""

    def make(change: Callable[[Any], None]) -> Path:
        contents = torch.load(small_checkpoint, weights_only=False)
        change(contents)
        path = tmp_path / "altered.pth"
        torch.save(contents, path)
        return path

    return make
