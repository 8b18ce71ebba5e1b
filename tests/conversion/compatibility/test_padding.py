"""Padding that the loader refuses is written as one that it takes, and gives the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from lading.coreml import mil
from lading.formats.coreml.limits import broken
from lading.record import Port, Task
from tests.mutants.court import Form, Subject, carry


class Rows(nn.Module):
    """Padding of a picture's channels and rows."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.pad(x[None], (0, 0, 1, 2, 2, 1), mode="replicate")[0] + 1


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (
            nn.Sequential(nn.ReflectionPad3d((1, 2, 0, 1, 2, 1)), nn.Conv3d(1, 2, 3)),
            (1, 1, 6, 5, 7),
        ),
        (nn.Conv3d(2, 2, 3, padding=1, padding_mode="replicate"), (1, 2, 4, 5, 6)),
        (nn.ReplicationPad3d((0, 0, 0, 0, 1, 1)), (1, 2, 4, 5, 6)),
        (Rows(), (1, 3, 4, 5)),
        (nn.ReflectionPad2d(2), (1, 3, 4, 5)),
    ],
    ids=["reflect", "conv", "one axis", "rows", "two axes"],
)
def test_it_gives_the_same_and_is_loadable(
    network: nn.Module, shape: tuple[int, ...], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    x = torch.randn(shape)
    wanted = network(x).detach().numpy()
    ports = [Port(n, "tensor", "float32", s) for n, s in (("x", shape), ("y", wanted.shape))]
    subject = Subject("padded", network.eval(), Task("module", (ports[0],), (ports[1],)))
    forms: tuple[tuple[Form, float], ...] = (("fp32", 1e-5), ("fp16", 1e-2))
    for form, room in forms:
        model = mil.load(carry(subject, form, tmp_path / form))
        assert broken(model) == ""
        np.testing.assert_allclose(model.predict({"x": x.numpy()})["y"], wanted, atol=room)
