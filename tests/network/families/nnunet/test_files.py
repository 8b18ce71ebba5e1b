"""From a file on disk to the loaded network: as nnU-Net writes it, and as others pass it on."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_model
from torch import nn

from lading.checkpoint import read
from lading.checkpoint.ledger import Ledger, close
from lading.errors import LedgerError
from lading.network.families import recognise, require_settled
from lading.record import Recognition

unet = importlib.import_module("dynamic_network_architectures.architectures.unet")

KWARGS: dict[str, Any] = {
    "n_stages": 3,
    "features_per_stage": [4, 6, 8],
    "conv_op": "torch.nn.modules.conv.Conv3d",
    "kernel_sizes": [[1, 3, 3], [3, 3, 3], [3, 3, 3]],
    "strides": [[1, 1, 1], [1, 2, 2], [2, 2, 2]],
    "n_blocks_per_stage": [1, 3, 4],
    "n_conv_per_stage_decoder": [1, 1],
    "conv_bias": True,
    "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
    "norm_op_kwargs": {"eps": 1e-5, "affine": True},
    "dropout_op": None,
    "dropout_op_kwargs": None,
    "nonlin": "torch.nn.LeakyReLU",
    "nonlin_kwargs": {"inplace": True},
}
PLANS = {
    "configurations": {
        "3d_fullres": {
            "patch_size": [8, 16, 16],
            "architecture": {
                "network_class_name": "dynamic_network_architectures.architectures.unet."
                "ResidualEncoderUNet",
                "arch_kwargs": KWARGS,
                "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
            },
        }
    }
}
DATASET = {
    "channel_names": {"0": "MRI"},
    "labels": {"background": 0, "a": 1},
    "file_ending": ".nii",
}
IMAGE = torch.randn(1, 1, 8, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def genuine() -> nn.Module:
    torch.manual_seed(0)
    kwargs = KWARGS | {
        "conv_op": nn.Conv3d,
        "norm_op": nn.InstanceNorm3d,
        "nonlin": nn.LeakyReLU,
        "num_classes": 2,
    }
    net: nn.Module = unet.ResidualEncoderUNet(input_channels=1, **kwargs)
    for value in net.parameters():
        nn.init.normal_(value, 0.1, 0.5)
    return net.eval()


def load(path: Path) -> tuple[nn.Module, Recognition, Ledger]:
    checkpoint = read(path)
    family, recognition = recognise(checkpoint, {})
    require_settled(recognition)
    rebuilt = family.build(recognition)
    ledger = close(rebuilt.module, checkpoint, rebuilt.unused, rebuilt.spellings)
    return rebuilt.module, recognition, ledger


def equal(module: nn.Module, genuine: nn.Module) -> bool:
    with torch.no_grad():
        return torch.equal(module(IMAGE), genuine(IMAGE))


def test_as_nnunet_writes_it(genuine: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint_best.pth"
    inside = {"plans": PLANS, "configuration": "3d_fullres", "fold": 0, "dataset_json": DATASET}
    written = {
        "network_weights": genuine.state_dict(),
        "optimizer_state": torch.optim.SGD(genuine.parameters(), 0.01).state_dict(),
        "grad_scaler_state": {"scale": 65536.0},
        "logging": {"ema_fg_dice": [np.float64(0.5)]},
        "_best_ema": np.float64(0.9),
        "current_epoch": 7,
        "init_args": inside | {"device": torch.device("cuda")},
        "trainer_name": "nnUNetTrainer",
        "inference_allowed_mirroring_axes": (0, 1, 2),
    }
    torch.save(written, path)
    module, recognition, ledger = load(path)
    assert equal(module, genuine)
    assert ledger.summary.names == len(genuine.state_dict())
    assert ledger.summary.parameters == sum(p.numel() for p in genuine.parameters())
    assert recognition["patch_size"] == [8, 16, 16]
    assert recognition["mirror_axes"] == [0, 1, 2]
    told = {one.reason for one in ledger.lines if one.fate == "unused"}
    assert told == {"unused at inference: deep-supervision head at 1/1x1/2x1/2"}


def test_bare_weights_beside_their_plans(genuine: nn.Module, tmp_path: Path) -> None:
    """safetensors keeps one name of a shared tensor, and not the canonical one."""
    save_model(genuine, str(tmp_path / "weights.safetensors"))
    (tmp_path / "plans.json").write_text(json.dumps(PLANS))
    (tmp_path / "dataset.json").write_text(json.dumps(DATASET))
    module, recognition, ledger = load(tmp_path / "weights.safetensors")
    assert equal(module, genuine)
    assert ledger.summary.parameters == sum(p.numel() for p in genuine.parameters())
    assert recognition["labels"] == ["background", "a"]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(genuine: nn.Module, tmp_path: Path, dtype: torch.dtype) -> None:
    """Rounded by the writer; from there on exact, and every unshared name is still found."""
    rounded = {name: value.to(dtype) for name, value in genuine.state_dict().items()}
    torch.save(rounded, tmp_path / "half.pt")
    module, _, ledger = load(tmp_path / "half.pt")
    assert ledger.summary.names == len(rounded)
    assert ledger.summary.parameters == sum(p.numel() for p in genuine.parameters())
    for name, value in module.state_dict().items():
        assert torch.equal(value, rounded[name].float())


def test_one_copy_that_differs_is_refused(genuine: nn.Module, tmp_path: Path) -> None:
    state = {name: value.clone() for name, value in genuine.state_dict().items()}
    state["decoder.encoder.stem.convs.0.conv.weight"] += 1
    torch.save(state, tmp_path / "torn.pt")
    with pytest.raises(LedgerError, match="does not close") as caught:
        load(tmp_path / "torn.pt")
    assert "decoder.encoder.stem.convs.0.conv.weight differs from" in caught.value.found
