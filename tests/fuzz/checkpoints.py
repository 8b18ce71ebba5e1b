"""Small valid checkpoints of every container, and what a user's command does with them."""

from __future__ import annotations

import argparse
import datetime
import io
import json
import pathlib
from collections import OrderedDict, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from lading.checkpoint import nonfinite, read
from lading.errors import LadingError
from lading.job.inspect import Inspection, inspect
from lading.job.request import Inspect
from lading.record import to_json
from tests.conftest import DATASET, plans_for


class Own(nn.Module):
    """A module of one's own, pickled whole."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.ReLU())
        self.register_buffer("unsaved", torch.ones(2), persistent=False)


def plain_values() -> dict[str, Any]:
    """What trainers put beside the tensors."""
    return {
        "best": np.float64(1),
        "history": [np.float32(0.5), 1, 2.5, None, True],
        "curve": np.arange(6.0).reshape(2, 3),
        "fortran": np.asfortranarray(np.ones((2, 2), dtype=">f4")),
        "args": argparse.Namespace(lr=0.1, path=pathlib.PurePosixPath("/a/b")),
        "when": datetime.datetime(2024, 5, 17, tzinfo=datetime.timezone.utc),
        "size": torch.Size([1, 2]),
        "device": torch.device("cpu"),
        "dtype": torch.float16,
        "set": {1, 2.5, "x"},
        "pairs": {("a", 1): (1, (2, (3,)))},
        "default": defaultdict(list, {"a": [1]}),
        "bytes": b"\x00\xff",
        "big": 1 << 100,
        "complex": 1j,
    }


def contents() -> list[Any]:
    """Objects as trainers save them."""
    torch.manual_seed(0)
    state = {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.ones(2, dtype=torch.bfloat16)}
    shared = torch.arange(4.0)
    net = nn.Sequential(OrderedDict(conv=nn.Conv2d(1, 2, 3), norm=nn.BatchNorm2d(2)))
    optimizer = torch.optim.Adam(net.parameters())
    return [
        state,
        {"state_dict": state, **plain_values()},
        {"model": {"x": shared, "y": shared, "z": shared[1:3], "t": shared.reshape(2, 2).t()}},
        {"module.model." + name: tensor for name, tensor in net.state_dict().items()},
        {"ema": net.state_dict(), "model": net.state_dict(), "optimizer": optimizer.state_dict()},
        Own(),
        net.state_dict(),
        {
            "network_weights": net.state_dict(),
            "init_args": {
                "plans": plans_for((2, 2), 8),
                "configuration": "2d",
                "fold": 0,
                "dataset_json": DATASET,
                "device": torch.device("cpu"),
            },
            "trainer_name": "nnUNetTrainer",
            "inference_allowed_mirroring_axes": (0, 1),
        },  # fmt: skip
        {"w": nn.Parameter(torch.zeros(2)), "e": torch.zeros(0, 3), "c": torch.ones(2) * 1j},
    ]


def _saved(value: Any, **options: Any) -> bytes:
    out = io.BytesIO()
    torch.save(value, out, **options)
    return out.getvalue()


def zipped() -> list[bytes]:
    """torch's zip archives."""
    return [_saved(value) for value in contents()]


def legacy() -> list[bytes]:
    """torch's runs of pickles."""
    return [_saved(value, _use_new_zipfile_serialization=False) for value in contents()]


def inspected(path: Path) -> None:
    """``lading inspect PATH --json``, after reading every byte of every tensor."""
    checkpoint = read(path)
    nonfinite(checkpoint)
    for tensor in checkpoint.tensors.values():
        assert tensor.clone().numel() == tensor.numel()
    json.dumps(to_json(checkpoint.record))
    try:
        shown = inspect(Inspect(str(path)))
    except LadingError:
        return
    assert isinstance(shown, Inspection)
    json.dumps(shown.as_dict())
