"""Small valid checkpoints of every container, and what a user's command does with them."""

from __future__ import annotations

import argparse
import datetime
import io
import json
import pathlib
import pickle
import struct
import tarfile
from collections import OrderedDict, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from torch import nn

from lading.checkpoint import ledger, nonfinite, read, read_config
from lading.network import families
from lading.record import to_json
from tests.conftest import DATASET, plans_for
from tests.fuzz.kind import Case
from tests.fuzz.pickles import name
from tests.fuzz.zips import pack, unpack


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
        },
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


def bare() -> list[bytes]:
    """Pickles that torch.save did not write, of every protocol."""
    values = [plain_values(), [1, {"a": (1, 2)}, {3}], np.arange(3)]
    return [pickle.dumps(value, protocol) for value in values for protocol in range(6)]


def tarred() -> list[bytes]:
    """torch 0.1's tar: two tensors over one storage and a part of it."""

    def described(kind: str, *numbers: int) -> bytes:
        pushed = b"".join(b"K" + bytes([number]) for number in numbers)
        return b"\x80\x02(" + pushed + name(f"torch.{kind}") + b"t."

    place = struct.pack("<ii2q2qq", 2, 0, 2, 2, 2, 1, 0)
    parts = {
        "sys_info": pickle.dumps({}, 2),
        "pickle": b"\x80\x02}(U\x01aU\x011QU\x01bU\x012Qu.",
        "storages": pickle.dumps(1, 2)
        + described("FloatStorage", 7, 0)
        + struct.pack("<q6f", 6, *range(6))
        + pickle.dumps([(8, 7, 2, 4)], 2),
        "tensors": pickle.dumps(2, 2)
        + described("FloatTensor", 1, 7)
        + place
        + described("FloatTensor", 2, 8)
        + place,
    }
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for member, data in parts.items():
            info = tarfile.TarInfo(member)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return [out.getvalue()]


def safe() -> list[bytes]:
    """Safetensors files."""
    states = [{name: one.contiguous().clone() for name, one in net.items()} for net in _states()]
    return [safetensors.torch.save(state, {"format": "pt"}) for state in states]


def _states() -> list[dict[str, torch.Tensor]]:
    found = [{k: v for k, v in value.items() if isinstance(v, torch.Tensor)}
             for value in contents() if isinstance(value, dict)]  # fmt: skip
    return [state for state in found if state]


def arrays() -> list[bytes]:
    """numpy's ``.npz``, one with an array of objects, which is a pickle."""
    made = []
    for values in ({"a": np.arange(4.0)}, {"o": np.array([{"x": 1}, None], dtype=object)}):
        out = io.BytesIO()
        np.savez(out, **values)
        made.append(pack(unpack(out.getvalue())))  # without the time of writing
    return made


def model_folder() -> list[Case]:
    """nnU-Net's model folder."""
    plans, nets = plans_for((2, 2), 8), contents()[7]
    sides = {"plans.json": json.dumps(plans).encode(), "dataset.json": json.dumps(DATASET).encode()}
    return [
        {**sides, "fold_0/checkpoint_final.pth": _saved(nets)},
        {**sides, "fold_0/checkpoint_best.pth": _saved(nets["network_weights"])},
        {**sides, "fold_all/checkpoint_latest.pth": _saved(nets), "fold_1/x": b""},
    ]


def configurations() -> list[bytes]:
    """YAML as users write it."""
    return [
        b"num_heads: 4\nattention_resolutions: '32,16'\nimage_size: 64\n",
        b"base: &b {lr: 0.1, steps: [1, 2, 3]}\nrun:\n  <<: *b\n  when: 2024-05-17T10:00:00Z\n",
        b"# text\na: !!str 1\nb: ~\nc: 0x1F\nd: 1:30:00\ne: |\n  two\n  lines\nf: 1e400\n",
        b"model:\n  params:\n    - {k: v}\n    - [a, [b, [c]]]\n? [1, 2]\n: complex\n",
    ]


def inspected(path: Path) -> None:
    """What ``lading inspect PATH --json`` does, and every byte of every tensor besides."""
    checkpoint = read(path)
    nonfinite(checkpoint)
    for tensor in checkpoint.tensors.values():
        assert tensor.clone().numel() == tensor.numel()
    json.dumps(to_json(checkpoint.record))
    str(checkpoint.metadata)
    family, recognition = families.recognise(checkpoint, {})
    json.dumps(to_json(recognition))
    families.require_settled(recognition)
    rebuilt = family.build(recognition)
    ledger.close(rebuilt.module, checkpoint, rebuilt.unused, rebuilt.spellings)


def configured(path: Path) -> None:
    """The configuration of ``--config PATH``, as a family takes it."""
    json.dumps(to_json(dict(read_config(path))))
