"""An encoder of torch's own that packs a padded batch: the graph gives zeros where it does."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch import nn

from lading.conversion.capture import capture
from lading.conversion.repairs import Case, absent_positions, repaired
from lading.errors import CaptureError
from lading.interface import Interface, Options
from lading.record import Port, Route, Task

WIDTH, LENGTH = 16, 6


class Encoder(nn.Module):
    """Padding is a 0 among the ids; with a last norm, and a mask in numbers, where asked."""

    def __init__(self, norm: bool = False, numbers: bool = False) -> None:
        super().__init__()
        self.embedding = nn.Embedding(9, WIDTH)
        layer = nn.TransformerEncoderLayer(WIDTH, 4, 24, batch_first=True)
        last = nn.LayerNorm(WIDTH) if norm else None
        self.encoder = nn.TransformerEncoder(layer, 2, last)
        self.numbers = numbers

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        padding = ids == 0
        if self.numbers:
            padding = torch.zeros(ids.shape).masked_fill(padding, -torch.inf)
        return self.encoder(self.embedding(ids), src_key_padding_mask=padding)


def around(module: nn.Module) -> Interface:
    port = Port("ids", "tensor", "int32", (2, LENGTH), value_range=(0.0, 8.0))
    return Interface(module.eval(), (port,), (), Options(), Task("module", (port,), ()))


@pytest.fixture(autouse=True)
def nested_tensors_are_a_prototype() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The PyTorch API of nested tensors", UserWarning)
        warnings.filterwarnings("ignore", ".*", torch.jit.TracerWarning)
        warnings.filterwarnings("ignore", ".*torch.jit.trace", DeprecationWarning)
        yield


FULL = [[3, 1, 2, 5, 8, 7], [1, 1, 4, 2, 2, 6]]
#: Packed, packed with one sample whole, and two that are not packed.
MASKS = {
    "nothing is padded": FULL,
    "last ones": [[3, 1, 0, 0, 0, 0], [1, 1, 4, 2, 0, 0]],
    "all of one sample": [[0, 0, 0, 0, 0, 0], [1, 1, 4, 2, 0, 0]],
    "a first one": [[0, 1, 2, 5, 8, 7], [1, 1, 4, 2, 0, 0]],
}


@pytest.mark.parametrize("route", ["export", "trace"])
@pytest.mark.parametrize(("norm", "numbers"), [(False, False), (True, True)])
def test_the_graph_gives_what_torch_gives(route: Route, norm: bool, numbers: bool) -> None:
    torch.manual_seed(1)
    interface = around(Encoder(norm, numbers))
    with repaired(interface, route) as (mended, records):
        captured = capture(mended, route)
    assert [one.name for one in records[:2]] == ["absent positions", "attention fast path"]
    assert records[0].where == ("encoder",)
    assert records[0].proof == "every output byte equals the untouched network's, on 3 inputs"
    graph = captured.traced or captured.exported.module()
    for ids in MASKS.values():
        with torch.inference_mode():
            given = torch.tensor(ids, dtype=torch.int32)
            wanted, got = interface.module(given), graph(given)
        torch.testing.assert_close(got, wanted, rtol=0, atol=1e-5)


def test_without_it_the_repair_of_attention_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fused path gives zeros where there is padding; the plain operations do not."""

    class Padded(Encoder):
        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            padding = torch.arange(LENGTH)[None].expand(2, -1) > 3
            return self.encoder(self.embedding(ids), src_key_padding_mask=padding)

    interface = around(Padded())
    with repaired(interface, "export") as (_, records):
        assert len(records) == 2
    monkeypatch.setattr(absent_positions, "_packs", lambda *_: False)
    with pytest.raises(CaptureError) as refused, repaired(interface, "export"):
        pytest.fail("it was let through")
    assert refused.value.subject == "repair 'attention fast path' in encoder"


def test_it_declines_where_nothing_is_packed() -> None:
    module = Encoder().eval()
    module.encoder.use_nested_tensor = False
    ids = torch.tensor(FULL)
    found = absent_positions.REPAIR.scope(Case(module, (ids,), "export", True))
    assert found.declined == "no encoder of torch's own packs a padded batch"
    assert nn.TransformerEncoder.forward.__module__.startswith("torch.")
    assert replace(found, declined="").where == ()
