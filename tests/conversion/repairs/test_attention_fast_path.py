"""torch's attention in any module: captured on both routes, without a warning, proved."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest
import torch
from torch import nn
from torch.nn.modules import transformer

from lading.conversion.capture import capture
from lading.conversion.repairs import Case, repaired
from lading.conversion.repairs.attention_fast_path import REPAIR
from lading.interface import Interface, Options
from lading.record import Port, Route, Task

ROUTES: tuple[Route, ...] = ("export", "trace")
LENGTH, WIDTH = 7, 16


class Bare(nn.Module):
    """nn.MultiheadAttention alone, with or without its weights."""

    def __init__(self, need_weights: bool) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(WIDTH, 4, batch_first=True)
        self.need_weights = need_weights

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.attention(x, x, x, need_weights=self.need_weights)[0]


class Encoder(nn.Module):
    """nn.TransformerEncoder, given what `asked` says."""

    def __init__(self, asked: str, batch_first: bool = True, norm_first: bool = False) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(
            WIDTH, 4, 24, activation="gelu", batch_first=batch_first, norm_first=norm_first
        )
        self.encoder = nn.TransformerEncoder(
            layer, 2, nn.LayerNorm(WIDTH), enable_nested_tensor=False
        )
        self.asked = asked
        self.register_buffer("causal", nn.Transformer.generate_square_subsequent_mask(LENGTH))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.asked == "padding":
            return self.encoder(x, src_key_padding_mask=x[:, :, 0] > 1.0)
        if self.asked == "causal mask":
            return self.encoder(x, mask=self.causal)
        if self.asked == "said to be causal":
            return self.encoder(x, mask=self.causal, is_causal=True)
        return self.encoder(x)


class Whole(nn.Module):
    """nn.Transformer: encoder and decoder."""

    def __init__(self) -> None:
        super().__init__()
        self.transformer = nn.Transformer(WIDTH, 4, 1, 1, 24, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.transformer(x, x.flip(1))


class UsersOwn(nn.Module):
    """As somebody writes it: n-grams cut to the shortest, positions sliced, lengths compared."""

    def __init__(self) -> None:
        super().__init__()
        self.even = nn.Conv1d(WIDTH, WIDTH, 2, padding=1)
        self.odd = nn.Conv1d(WIDTH, WIDTH, 3, padding=1)
        self.register_buffer("positions", torch.randn(1, 50, 2 * WIDTH))
        layer = nn.TransformerEncoderLayer(2 * WIDTH, 4, 24, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        grams = [self.even(x.transpose(1, 2)), self.odd(x.transpose(1, 2))]
        shortest = min(gram.shape[2] for gram in grams)
        y = torch.cat([gram[:, :, :shortest] for gram in grams], dim=1).transpose(1, 2)
        y = y + self.positions[:, : y.size(1)]
        if len(y) > 50 or y.numel() == 0:
            raise ValueError("too long")
        return self.encoder(y)[:, : min(y.size(1), 5)]


MODULES = {
    "attention": lambda: Bare(need_weights=False),
    "attention with weights": lambda: Bare(need_weights=True),
    "encoder": lambda: Encoder(""),
    "encoder, norm first": lambda: Encoder("", norm_first=True),
    "encoder, sequence first": lambda: Encoder("", batch_first=False),
    "encoder with padding": lambda: Encoder("padding"),
    "encoder with a causal mask": lambda: Encoder("causal mask"),
    "encoder told that it is causal": lambda: Encoder("said to be causal"),
    "transformer": Whole,
    "of a user's own": UsersOwn,
}


def around(module: nn.Module) -> Interface:
    port = Port("x", "tensor", "float32", (1, LENGTH, WIDTH))
    return Interface(module.eval(), (port,), (), Options(), Task("module", (port,), ()))


@pytest.fixture(autouse=True)
def every_warning_is_an_error() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ResourceWarning)  # an earlier test's garbage, collected now
        # torch says of torch.jit.trace itself, whatever is traced, that it is on its way out
        warnings.filterwarnings("ignore", r".*torch\.jit\.trace")
        yield


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("name", MODULES)
def test_any_attention_is_captured_without_a_warning(name: str, route: Route) -> None:
    torch.manual_seed(0)
    interface = around(MODULES[name]())
    with repaired(interface, route) as (mended, records):
        captured = capture(mended, route)
    assert records[0].name == "attention fast path"
    with torch.inference_mode():
        for seed in (5, 6):
            x = interface.example(seed=seed)["x"]
            if captured.exported is not None:
                got = captured.exported.module()(x)
            else:
                assert captured.traced is not None
                got = captured.traced(x)
            expected = interface.module(x)
            # the fused kernel sums in another order: a few roundings of values of about 1
            torch.testing.assert_close(got, expected, rtol=0, atol=5e-6)


@pytest.mark.parametrize("name", MODULES)
def test_the_graph_holds_operations_and_no_kernel(name: str) -> None:
    interface = around(MODULES[name]())
    with repaired(interface, "export") as (mended, _):
        exported = capture(mended, "export").exported
    assert exported is not None
    targets = {str(node.target) for node in exported.graph.nodes}
    assert not {one for one in targets if "_fwd" in one or "_native_multi_head" in one}
    assert any("softmax" in one or "scaled_dot_product" in one for one in targets)


def test_torch_s_own_second_look_finds_the_same_graph() -> None:
    """`torch.jit.trace` with its re-check, which fails without the repair."""
    module = Encoder("").eval()
    x = torch.randn(1, LENGTH, WIDTH)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(torch.jit.TracingCheckError, match="Graphs differed"):
            torch.jit.trace(module, (x,))
    with repaired(around(module), "trace") as (mended, _):
        torch.jit.trace(mended.module, (x,))


def test_without_the_repair_of_sizes_torch_warns() -> None:
    module = UsersOwn().eval()
    with warnings.catch_warnings(record=True) as said, REPAIR.applied(module), torch.no_grad():
        warnings.simplefilter("always")
        torch.jit.trace(module, (torch.randn(1, LENGTH, WIDTH),), check_trace=False)
    assert any(issubclass(one.category, torch.jit.TracerWarning) for one in said)


# -------------------------------------------------------------------------------------------- scope
def scope(module: nn.Module) -> tuple[str, ...]:
    return REPAIR.scope(Case(module, (), "export", True)).where


def test_the_outermost_modules_are_named() -> None:
    assert scope(UsersOwn()) == ("encoder",)
    assert scope(nn.Sequential(nn.ReLU(), Bare(False), Bare(True))) == (
        "1.attention",
        "2.attention",
    )
    assert scope(nn.TransformerEncoderLayer(WIDTH, 4)) == ("TransformerEncoderLayer",)


def test_it_declines_where_there_is_no_attention() -> None:
    found = REPAIR.scope(Case(nn.Linear(2, 2), (), "export", True))
    assert found.where == ()
    assert found.declined == "no attention of torch's own"


@pytest.mark.parametrize("enabled", [True, False])
def test_torch_s_switches_are_as_they_were(enabled: bool) -> None:
    detect, unflatten = transformer._detect_is_causal_mask, torch.Tensor.unflatten
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(enabled)
    try:
        with REPAIR.applied(nn.Linear(2, 2)):
            assert not torch.backends.mha.get_fastpath_enabled()
        assert torch.backends.mha.get_fastpath_enabled() is enabled
        with pytest.raises(ZeroDivisionError), REPAIR.applied(nn.Linear(2, 2)):
            raise ZeroDivisionError
        assert torch.backends.mha.get_fastpath_enabled() is enabled
        assert transformer._detect_is_causal_mask is detect
        assert torch.Tensor.unflatten is unflatten
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


@pytest.mark.parametrize(("dim", "sizes"), [(-1, (2, 6)), (1, (3, -1)), (0, (1, 2)), (-2, (6, 1))])
def test_unflatten_is_the_view(dim: int, sizes: tuple[int, ...]) -> None:
    x = torch.arange(2 * 12 * 6.0).reshape(12, 2, 6).transpose(0, 1).repeat(1, 1, 2)
    if dim == -2:
        x = x[:, :6]
    expected = x.unflatten(dim, sizes)
    with REPAIR.applied(nn.Linear(2, 2)):
        got = x.unflatten(dim, sizes)
    assert got.shape == expected.shape
    assert torch.equal(got, expected)
    assert got.data_ptr() == x.data_ptr()


# -------------------------------------------------------------------------------------------- proof
def proof(module: nn.Module) -> str:
    with repaired(around(module), "export") as (_, records):
        return records[0].proof


def test_what_is_proved_is_said() -> None:
    torch.manual_seed(0)
    fused = proof(Encoder(""))
    assert fused.startswith(
        "every output byte equals the untouched network's with gradients on, on 3 inputs; its "
        "fused kernel without them differs by at most "
    )
    assert fused.endswith("roundings of the largest output (gate 128)")
    # with its weights asked for, the module takes the plain path by itself
    assert proof(Bare(need_weights=True)) == (
        "every output byte equals the untouched network's, on 3 inputs"
    )


def test_frozen_weights_are_proved_all_the_same() -> None:
    module = Encoder("").requires_grad_(False)
    assert "with gradients on" in proof(module)
    assert not any(parameter.requires_grad for parameter in module.parameters())
