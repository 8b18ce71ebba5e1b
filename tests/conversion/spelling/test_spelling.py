"""Every spelling of the shelf, carried to Core ML by export and run there beside torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lading.conversion.spelling import spelled
from lading.record import Route
from tests.conversion.compatibility.forms_in_use import answer, carried

X, Y = torch.randn(1, 3, 6), torch.randn(1, 3, 6)
VOLUME, PICTURE = torch.randn(1, 2, 4, 5, 6), torch.randn(1, 2, 7, 6)
IDS, PLACES = torch.tensor([3, 0, 3, 1, 2, 3, 0]), torch.tensor([5, 0, 3, 3, 1, 3, 0])
SMALL = torch.tensor([[7, -7, 5, -1]])
COMPUTED = torch.randn(4, 3, 3, 3)


class Does(nn.Module):
    def __init__(self, what: Callable[..., Any], **state: torch.Tensor) -> None:
        super().__init__()
        self.what = what
        for name, value in state.items():
            self.register_buffer(name, value)

    def forward(self, *values: torch.Tensor) -> Any:
        return self.what(self, *values)


def real_of_spectrum(_: Any, x: torch.Tensor) -> torch.Tensor:
    z = torch.fft.rfft2(x)
    z = z * torch.polar(z.abs().sqrt(), z.angle())
    return torch.fft.irfft2(z, s=x.shape[-2:]) + torch.fft.fft(x).imag


def transform(self: Any, x: torch.Tensor) -> torch.Tensor:
    z = torch.stft(x[0], 4, 2, window=self.window, return_complex=True)
    return torch.istft(z, 4, 2, window=self.window, length=6) + z.abs().sum()


def of_one_number(_: Any, n: torch.Tensor) -> torch.Tensor:
    flags = n > 2
    least = torch.zeros_like(flags, dtype=torch.float32).masked_fill(flags, -3.0)
    whole = torch.ones_like(n) + torch.full_like(n, 7) + torch.full((4,), 3) + n.new_ones(4)
    whole = whole + torch.zeros(4, dtype=torch.int64) + torch.full_like(flags, 2, dtype=torch.int64)
    return least + (whole + n.new_zeros(1, dtype=torch.float32)) / 2 + n.new_full((1,), 9) // 2


CASES: dict[str, tuple[Callable[..., Any], tuple[torch.Tensor, ...], dict[str, torch.Tensor]]] = {
    "alpha": (lambda _, x, y: torch.add(x, y, alpha=3) - torch.sub(y, x, alpha=5), (X, Y), {}),
    "two to the power": (lambda _, x: 2**x + torch.pow(3, x), (X,), {}),
    "whole power": (lambda _, n: torch.pow(1.5, n) + n, (SMALL,), {}),
    "whole division": (
        lambda _, n: (n // 2) / 3 + n.div(4, rounding_mode="floor") + (n // (n * n - 3)).float(),
        (SMALL,), {}),
    "diff": (lambda _, x: torch.diff(x, n=2, prepend=x[..., :1]), (X,), {}),
    "cumprod": (lambda _, x: x.cumprod(1), (X,), {}),
    "lerp": (lambda _, x, y: torch.lerp(x, y, 0.1) + torch.lerp(x, y, 0.7) * torch.lerp(y, x, y),
             (X, Y), {}),
    "prelu": (lambda s, x: F.prelu(x, s.slope), (X,), {"slope": torch.rand(3)}),
    "prelu in 3-D": (lambda s, x: F.prelu(x, s.slope), (VOLUME,), {"slope": torch.rand(2)}),
    "output padding in 3-D": (
        lambda s, x: F.conv_transpose3d(x, s.w, s.b, 2, 1, 1), (VOLUME,),
        {"w": torch.randn(2, 3, 3, 3, 3), "b": torch.randn(3)}),
    "computed weight": (
        lambda s, x, y: F.conv_transpose2d(x, s.w * y.mean(), None, 2, 1, 1, groups=2),
        (torch.randn(1, 4, 5, 5), Y), {"w": COMPUTED}),
    "max pool": (lambda _, x: F.max_pool2d(x, 2), (PICTURE,), {}),
    "bicubic": (lambda _, x: F.interpolate(x, size=(9, 4), mode="bicubic"), (PICTURE,), {}),
    "bicubic by factors": (
        lambda _, x: F.interpolate(x, scale_factor=(1.5, 2), mode="bicubic"), (PICTURE,), {}),
    "linear by a factor": (
        lambda _, x: F.interpolate(x[0], scale_factor=1.3, mode="linear"), (PICTURE,), {}),
    "bilinear by factors": (
        lambda _, x: F.interpolate(x, scale_factor=(0.7, 5.3), mode="bilinear"), (PICTURE,), {}),
    "trilinear": (
        lambda _, x: F.interpolate(x, size=(3, 9, 6), mode="trilinear", align_corners=True),
        (VOLUME,), {}),
    "nearest in 3-D": (lambda _, x: F.interpolate(x, scale_factor=2.0), (VOLUME,), {}),
    "grid in 3-D": (
        lambda _, x, y: F.grid_sample(x, y, align_corners=True, padding_mode="border"),
        (VOLUME, torch.rand(1, 3, 2, 4, 3) * 3 - 1.5), {}),
    "grid of nearest": (
        lambda _, x, y: F.grid_sample(x, y, mode="nearest", align_corners=False),
        (VOLUME, torch.rand(1, 3, 2, 4, 3) * 3 - 1.5), {}),
    "norms by singular values": (
        lambda _, x: torch.linalg.matrix_norm(x, 2) + torch.linalg.norm(x, -2, (1, 3))
        + torch.linalg.matrix_norm(x[..., :1], "nuc", (2, 3)) + torch.linalg.norm(x[0, 0], 2),
        (PICTURE[..., :2, :3],), {}),
    "nuclear norm": (
        lambda _, x: torch.linalg.matrix_norm(x, "nuc", (3, 2), True), (PICTURE[..., :3],), {}),
    "index add": (
        lambda s, x: torch.zeros(4, 3).index_add(0, s.ids, x[0].T @ s.w, alpha=2), (torch.randn(
            1, 3, 7),), {"ids": IDS, "w": torch.eye(3)}),
    "added at places": (
        lambda s, x: torch.ops.aten.index_put(torch.ones(1, 6, 4), (None, s.ids), x, True)
        + torch.ops.aten.index_put(x[:, :6], (None, s.ids), x[:, :1], True),
        (torch.randn(1, 7, 4),), {"ids": PLACES}),
    "of one number": (of_one_number, (SMALL,), {}),
    "a number of one axis": (
        lambda _, x, y: torch.cat([(x[:, :1, :1].reshape(()) * y)[..., 1:], y[..., :1]], -1),
        (X, Y), {}),
    "a number with new axes": (
        lambda _, x: torch.cat([x[0, 0, :1].view(())[None, None].cos(), x[0, :1, :2]], -1),
        (X,), {}),
    "scatter": (
        lambda s, x: torch.zeros(1, 3, 6).scatter_reduce(2, s.ids.expand(1, 3, 7), x, "mean")
        + torch.ones(1, 3, 6).scatter_reduce(2, s.ids.expand(1, 3, 7), x, "amax")
        + torch.ones(1, 3, 6).scatter_add(2, s.ids.expand(1, 3, 7), x),
        (torch.randn(1, 3, 7),), {"ids": PLACES}),
    "bag": (
        lambda s, x: F.embedding_bag(s.ids, s.w * x.mean(), s.starts)
        + F.embedding_bag(s.ids, s.w, s.starts, mode="max"), (X,),
        {"ids": IDS, "w": torch.randn(4, 3), "starts": torch.tensor([0, 2, 2])}),
    "distances": (lambda _, x, y: torch.cdist(x, y) + torch.cdist(x, y, p=1.0), (X, Y), {}),
    "single numbers": (
        lambda _, x, y: torch.fmod(x, 0.7) + torch.fmod(x, y) + torch.trunc(3 * x)
        + torch.hypot(x, y) + torch.copysign(x, y) + torch.copysign(x, -1.0)
        + torch.signbit(y).float() + torch.fmax(x, y) - torch.fmin(x, y)
        + torch.ldexp(x, SMALL[0, :1]) / 128, (X, Y), {}),
    "of exponentials": (
        lambda _, x, y: torch.logaddexp2(x, y) + torch.erfc(x) + torch.asinh(3 * y)
        + torch.acosh(1 + x.abs()) + torch.logcumsumexp(9 * y, 1) / 9, (X, Y), {}),
    "close": (
        lambda _, x: (torch.isclose(x, x.round(), atol=0.1) + torch.round(x, decimals=1)
                      + torch.round(90 * x, decimals=-1)), (X,), {}),
    "in an order": (
        lambda _, x, y: x.median(1, keepdim=True).values + x.kthvalue(2, -1, True).values
        + x.cummax(1).values * x.cummin(2).values + y.median() + y.cummax(-1).indices, (X, Y), {}),
    "where it belongs": (
        lambda s, x, y: torch.bucketize(x, s.ends) + torch.searchsorted(s.ends, y, right=True)
        + torch.searchsorted(x.sort(-1).values, y).float(), (X, Y),
        {"ends": torch.linspace(-1, 1, 5)}),
    "at places": (
        lambda s, x: x.index_fill(1, s.few, 2.0) + x.masked_scatter(x > 0, s.w)
        + torch.ops.aten.put(x, s.ids, s.w[: len(IDS)]), (X,),
        {"few": torch.tensor([0, -1]), "w": torch.randn(18), "ids": torch.arange(7) * 2 - 5}),
    "reduced at places": (
        lambda s, x: torch.ones(1, 3, 6).index_reduce(2, s.ids, x, "mean")
        + torch.ones(1, 3, 6).index_reduce(-1, s.ids, x, "amax", include_self=False)
        + torch.ops.aten.put(x[..., :6], s.ids, x[0, 0, :7], True),
        (torch.randn(1, 3, 7),), {"ids": PLACES}),
    "diagonals": (
        lambda _, x: torch.diagonal_scatter(x, x[:, :, 0, :5], 1, 2, 3)[..., :1, :5]
        + x.diagonal(1, 2, 3).unsqueeze(2) + x.diagonal(-2, 3, 2).sum(), (PICTURE[:, :, :5],), {}),
    "unpooled": (
        lambda _, x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2),
        (PICTURE[:, :, :6],), {}),
    "unpooled from windows that overlap": (
        lambda _, x: F.max_unpool2d(
            *F.max_pool2d(x, (3, 2), 2, 1, 1, return_indices=True), (3, 2), 2, 1,
            output_size=x.shape[2:]), (PICTURE,), {}),
    "unpooled in 3-D": (
        lambda _, x: F.max_unpool3d(*F.max_pool3d(x, (2, 1, 2), return_indices=True), (2, 1, 2)),
        (VOLUME,), {}),
    "pooled to sizes": (
        lambda _, x: F.adaptive_max_pool2d(x, (3, 4)) + F.adaptive_max_pool1d(x[0, :, :3], 4),
        (PICTURE,), {}),
    "with a mean": (
        lambda _, x: sum(map(torch.sum, torch.var_mean(x, 1)), x)
        + torch.std_mean(x, (1, 2), correction=0, keepdim=True)[0] + torch.var_mean(x)[0], (X,),
        {}),
    "bilinear": (lambda s, x, y: F.bilinear(x, y, s.w, s.w[:, 0, 0]), (X, Y),
                 {"w": torch.randn(4, 6, 6)}),
    "moved by a padding": (
        lambda _, x: F.pad(x, (0, 0, 1, -1)) + F.pad(x, (-2, 2), value=3.0)
        + F.pad(x, (-1, -1))[..., :1], (X,), {}),
    "as many as are set": (
        lambda _, x, y: y.gather(-1, (x > 0).sum(-1, keepdim=True) - 1)
        + x[..., :1] * (x > 0).sum(), (X.abs(), Y), {}),
    "laid out otherwise": (
        lambda _, x: torch.fmod(x.transpose(1, 2), 0.5).transpose(1, 2).view(1, 18)
        + x.diagonal(0, 1, 2).sum(), (X,), {}),
    "products of spectra": (
        lambda s, x: torch.fft.irfft2(torch.einsum(
            "bixy,ioxy->boxy", torch.fft.rfft2(x, norm="ortho"), torch.view_as_complex(s.w))),
        (PICTURE[:, :, :6],), {"w": torch.randn(2, 3, 6, 4, 2)}),
    "pairs": (lambda _, x: F.pdist(x[0]) + F.pdist(x[0], 1.0), (X,), {}),
    "spectrum": (real_of_spectrum, (PICTURE,), {}),
    "short transform": (transform, (X[:, :1].reshape(1, 6),), {"window": torch.hann_window(4)}),
}  # fmt: skip


#: What torch itself takes apart in another way.
APART = ("prelu", "max pool", "bag", "scatter")


@pytest.mark.parametrize(
    ("name", "route"),
    [*((name, "export") for name in CASES), *((name, "decomposed") for name in APART)],
)
def test_it_gives_in_core_ml_what_torch_gives(name: str, route: Route, tmp_path: Path) -> None:
    what, inputs, state = CASES[name]
    module = Does(what, **state).eval()
    model = carried(module, inputs, tmp_path / "a.mlpackage", route=route)
    with torch.no_grad():
        wanted = module(*inputs)
    got = answer(model, *(one.int() if one.dtype == torch.int64 else one for one in inputs))
    np.testing.assert_allclose(got, wanted.numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("many", [False, True])
def test_open_axes_stay_open(many: bool) -> None:
    """Whether the module names its inputs or takes any number of them."""

    class Named(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return F.prelu(x, COMPUTED[0, 0, 0])

    module: nn.Module = Does(lambda _, x: F.prelu(x, COMPUTED[0, 0, 0])) if many else Named()
    shapes = ({2: torch.export.Dim("n", min=2, max=9)},)
    given = (shapes,) if many else shapes
    program = torch.export.export(module.eval(), (X,), dynamic_shapes=given)
    other = spelled(program, shapes)
    assert other is not program
    x = torch.randn(1, 3, 9)
    assert torch.equal(other.module()(x), module(x))


def test_complex_numbers_that_are_given_out_are_told_of() -> None:
    program = torch.export.export(Does(lambda _, x: torch.fft.fft(x)).eval(), (X,))
    with pytest.raises(ValueError, match="view_as_real"):
        spelled(program)
