"""Two hundred files as people write them, none of which names anything strange."""

from __future__ import annotations

import argparse
import datetime
import pathlib
import random
import types
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn, optim

from tests.conftest import genuine_unet, nnunet_file

MODULES = [
    *(nn.Linear(3, 2), nn.Bilinear(2, 2, 2), nn.Identity(), nn.Embedding(5, 3)),
    *(nn.EmbeddingBag(5, 3), nn.Flatten(), nn.Conv1d(1, 2, 3), nn.Conv2d(1, 2, 3)),
    *(nn.Conv3d(1, 2, 3), nn.ConvTranspose1d(1, 2, 3), nn.ConvTranspose2d(1, 2, 3)),
    *(nn.BatchNorm1d(2), nn.BatchNorm2d(2), nn.BatchNorm3d(2), nn.SyncBatchNorm(2)),
    *(nn.GroupNorm(1, 2), nn.LayerNorm(2), nn.InstanceNorm2d(2, affine=True)),
    *(nn.RMSNorm(2), nn.LocalResponseNorm(2), nn.PReLU(), nn.ReLU(), nn.GELU(), nn.SiLU()),
    *(nn.LeakyReLU(), nn.Softmax(dim=1), nn.Sigmoid(), nn.Tanh(), nn.ELU(), nn.Hardswish()),
    *(nn.RNN(2, 3), nn.GRU(2, 3), nn.LSTM(2, 3, num_layers=2, bidirectional=True)),
    *(nn.LSTMCell(2, 3), nn.GRUCell(2, 3), nn.RNNCell(2, 3), nn.MultiheadAttention(4, 2)),
    *(nn.TransformerEncoderLayer(4, 2, 8), nn.TransformerDecoderLayer(4, 2, 8)),
    nn.TransformerEncoder(
        nn.TransformerEncoderLayer(4, 2, 8, activation="gelu"), 2, enable_nested_tensor=False
    ),
    *(nn.MaxPool2d(2), nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Upsample(scale_factor=2)),
    *(nn.PixelShuffle(2), nn.Dropout(0.1), nn.Dropout2d(), nn.ZeroPad2d(1), nn.Unfold(2)),
    *(nn.CrossEntropyLoss(), nn.MSELoss(), nn.BCEWithLogitsLoss(), nn.CosineSimilarity()),
    nn.Sequential(OrderedDict(conv=nn.Conv2d(1, 2, 3), norm=nn.BatchNorm2d(2), act=nn.ReLU())),
    *(nn.ModuleList([nn.Linear(1, 1)]), nn.ModuleDict({"a": nn.Linear(1, 1)})),
    *(nn.ParameterList([nn.Parameter(torch.ones(1))]), nn.ParameterDict({"a": torch.ones(1)})),
]
OPTIMISERS = [
    *(optim.SGD, optim.Adam, optim.AdamW, optim.RMSprop, optim.Adagrad, optim.Adadelta),
    *(optim.Adamax, optim.NAdam, optim.RAdam, optim.ASGD, optim.Rprop),
]


def trained(optimiser: type[optim.Optimizer]) -> dict[str, Any]:
    """A network, its optimiser after a step, its schedule, as training loops save them."""
    net = nn.Linear(3, 2)
    made = optimiser(net.parameters(), lr=0.01)
    schedule = optim.lr_scheduler.StepLR(made, 10)
    net(torch.ones(1, 3)).sum().backward()
    made.step()
    return {
        "epoch": 3, "model_state_dict": net.state_dict(), "optimizer_state_dict": made.state_dict(),
        "scheduler": schedule.state_dict(), "loss": 0.25, "best": np.float64(0.9),
    }  # fmt: skip


def lightning(net: nn.Module) -> dict[str, Any]:
    """What Lightning's trainer saves."""
    return {
        "epoch": 1, "global_step": 10, "pytorch-lightning_version": "2.2.0",
        "state_dict": net.state_dict(),
        "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"total": {"ready": 1}}}},
        "callbacks": {"ModelCheckpoint{'monitor': 'loss'}": {"best_model_score": torch.tensor(1.0),
                                                            "dirpath": "/x", "last": ""}},
        "optimizer_states": [], "lr_schedulers": [], "hparams_name": "kwargs",
        "hyper_parameters": {"lr": 0.1, "layers": [1, 2]},
    }  # fmt: skip


def _plain() -> list[Any]:
    tensor = torch.ones(2)
    return [
        {"w": tensor, "args": argparse.Namespace(lr=0.1, out=pathlib.PurePosixPath("runs/1"))},
        {"w": tensor, "when": datetime.datetime(2024, 5, 6, tzinfo=datetime.timezone.utc)},
        {"w": tensor, "date": datetime.date(2024, 5, 6), "for": datetime.timedelta(hours=1)},
        {"w": tensor, "sets": {1, 2}, "frozen": frozenset({"a"}), "slice": slice(1, 2)},
        {"w": tensor, "counter": Counter("aab"), "deque": deque([1, 2], maxlen=5)},
        {"w": tensor, "default": defaultdict(list, a=[1]), "nested": defaultdict(dict)},
        {"w": tensor, "simple": types.SimpleNamespace(a=1), "complex": 1j, "big": 1 << 90},
        {"w": tensor, "numpy": [np.float32(1), np.int64(2), np.bool_(True), np.float16(3)]},
        {"w": tensor, "arrays": [np.arange(3), np.ones((2, 2), ">f4"), np.array(["a", "bc"])]},
        {"w": tensor, "dates": np.array(["2024-01-01"], dtype="M8[D]"), "o": np.array([None, {}])},
        {"w": tensor, "numpy_rng": np.random.get_state(), "python_rng": random.getstate()},
        {"w": tensor, "generator": np.random.default_rng(0), "old": np.random.RandomState(0)},
        {"w": tensor, "torch_rng": torch.get_rng_state(), "size": torch.Size([1, 2])},
        {"w": tensor, "dtype": torch.bfloat16, "device": torch.device("cuda", 0)},
        {"w": tensor, "bytes": b"\x00", "array": bytearray(b"x"), "none": None, "t": (1, (2,))},
        {"w": tensor, "scaler": torch.amp.GradScaler("cpu").state_dict()},
        {"w": nn.Parameter(tensor), "buffer": nn.parameter.Buffer(tensor)},
        {"w": tensor.half(), "b": tensor.bfloat16(), "i": tensor.long(), "c": tensor * 1j},
        {"w": tensor.to(torch.float8_e4m3fn), "u": tensor.to(torch.uint16)},
        {"w": torch.arange(24.0).view(4, 6).t(), "e": torch.zeros(0, 3), "s": torch.ones(3)[1:]},
        {"masked": np.ma.array([1, 2], mask=[0, 1]), "w": tensor},
        {"w": tensor, "functions": [nn.functional.relu, nn.functional.gelu, torch.tanh]},
        {"w": tensor, "classes": [nn.ReLU, nn.Conv2d, optim.Adam, OrderedDict, dict, int]},
    ]


def benign(folder: Path) -> Iterator[Path]:
    """Writes two hundred files into `folder`."""
    torch.manual_seed(0)
    made: list[Any] = []
    for net in MODULES:
        made += [net.state_dict() or {"w": torch.ones(1)}, net, lightning(net)]
    made += [trained(one) for one in OPTIMISERS]
    made += _plain()
    made.append(nn.utils.parametrizations.weight_norm(nn.Linear(2, 2)).state_dict())
    for features in ((4, 8), (4, 8, 8)):
        made.append(nnunet_file(genuine_unet(features), features, 16))
    assert len(made) >= 200, len(made)
    for index, value in enumerate(made[:200]):
        path = folder / f"{index:03}.pth"
        # torch's old writer has no storages for the newest dtypes.
        newest = isinstance(value, dict) and "u" in value
        torch.save(value, path, _use_new_zipfile_serialization=newest or index % 3 > 0)
        yield path
