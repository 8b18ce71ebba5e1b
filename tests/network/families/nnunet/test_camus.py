"""The full-size network of the CAMUS model, random weights, against the genuine class."""

from __future__ import annotations

import importlib

import pytest
import torch
from torch import nn

from lading.checkpoint import Checkpoint
from lading.checkpoint.ledger import close
from lading.network.families import recognise, require_settled
from lading.record import CheckpointRecord, from_json, to_json

unet = importlib.import_module("dynamic_network_architectures.architectures.unet")

FEATURES = [32, 64, 128, 256, 512, 512, 512]
PLANS = {
    "dataset_name": "Dataset001_CAMUS",
    "plans_name": "nnUNetPlans",
    "transpose_forward": [0, 1, 2],
    "configurations": {
        "2d": {
            "patch_size": [256, 256],
            "spacing": [1.0, 1.0],
            "normalization_schemes": ["ZScoreNormalization"],
            "use_mask_for_norm": [False],
            "architecture": {
                "network_class_name": "dynamic_network_architectures.architectures.unet."
                "PlainConvUNet",
                "arch_kwargs": {
                    "n_stages": 7,
                    "features_per_stage": FEATURES,
                    "conv_op": "torch.nn.modules.conv.Conv2d",
                    "kernel_sizes": [[3, 3]] * 7,
                    "strides": [[1, 1], *[[2, 2]] * 6],
                    "n_conv_per_stage": [2] * 7,
                    "n_conv_per_stage_decoder": [2] * 6,
                    "conv_bias": True,
                    "norm_op": "torch.nn.modules.instancenorm.InstanceNorm2d",
                    "norm_op_kwargs": {"eps": 1e-5, "affine": True},
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
    "file_ending": ".png",
}
METADATA = {
    "init_args": {"plans": PLANS, "configuration": "2d", "fold": 0, "dataset_json": DATASET},
    "trainer_name": "nnUNetTrainer",
    "inference_allowed_mirroring_axes": (0, 1),
}


@pytest.fixture(scope="module")
def genuine() -> nn.Module:
    torch.manual_seed(0)
    net = unet.PlainConvUNet(
        1, 7, FEATURES, nn.Conv2d, 3, [1, 2, 2, 2, 2, 2, 2], 2, 3, 2, True,
        nn.InstanceNorm2d, {"eps": 1e-5, "affine": True}, None, None,
        nn.LeakyReLU, {"inplace": True}, deep_supervision=False,
    )  # fmt: skip
    for name, value in net.named_parameters():
        if ".norm." in name:  # away from ones and zeros, so that a lost norm shows
            nn.init.normal_(value, 1.0, 0.2)
    return net.eval()


@pytest.fixture(scope="module")
def checkpoint(genuine: nn.Module) -> Checkpoint:
    tensors = genuine.state_dict()
    first: dict[int, str] = {}
    aliases = {}
    for name, tensor in tensors.items():
        owner = first.setdefault(tensor.data_ptr(), name)
        if owner != name:
            aliases[name] = owner
    record = CheckpointRecord("checkpoint_best.pth", "0" * 64, 1, "zip")
    return Checkpoint(record, tensors, aliases, metadata=METADATA)


def test_whole(genuine: nn.Module, checkpoint: Checkpoint) -> None:
    family, recognition = recognise(checkpoint, {})
    require_settled(recognition)
    assert from_json(type(recognition), to_json(recognition)) == recognition
    rebuilt = family.build(recognition)
    assert all(value.is_meta for value in rebuilt.module.state_dict().values())
    ledger = close(rebuilt.module, checkpoint, rebuilt.unused, rebuilt.spellings)
    told = ledger.summary
    assert (told.names, told.tensors, told.parameters) == (344, 128, 33_473_330)
    assert (told.loaded, told.aliases, told.unused, told.unexplained) == (118, 216, 10, 0)
    image = torch.randn(1, 1, 256, 256, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.equal(rebuilt.module(image), genuine(image))


def test_evidence_and_task(checkpoint: Checkpoint) -> None:
    family, recognition = recognise(checkpoint, {})
    evidence = {one.name: one.evidence for one in recognition.hyperparameters}
    assert len(evidence) == len(recognition.hyperparameters)
    assert "assumed" not in evidence.values()
    assert evidence["features_per_stage"] == "tensors"
    assert evidence["patch_size"] == evidence["norm_eps"] == evidence["first_stride"] == "embedded"
    task = family.build(recognition).task
    assert task.kind == "segmentation"
    (image,), (logits,) = task.inputs, task.outputs
    assert (image.name, image.shape, image.multiples) == ("image", (1, 1, 256, 256), (1, 1, 64, 64))
    assert (logits.name, logits.shape, logits.class_axis) == ("logits", (1, 3, 256, 256), 1)
    assert task.labels == ("background", "LeftVentricle", "Myocardium")
    assert (task.activation, task.normalisation) == ("softmax", "zscore")
    assert task.notes["mirroring_axes"] == "0,1"
    assert task.notes["file_ending"] == ".png"
    assert task.notes["trainer"] == "nnUNetTrainer"
    assert task.notes["spacing"] == "1.0, 1.0"
