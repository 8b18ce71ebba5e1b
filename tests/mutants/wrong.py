"""Wrong artifacts by a wrong module: what a converter may do, done to a copy before it is carried.

Each function takes a subject's network (a copy) and gives the wrong one, or None where the kind has
nothing to bite on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from lading.network.families.guided_diffusion.network import Attention
from lading.network.families.guided_diffusion.network import UNet as Diffusion
from tests.mutants.networks import Enlarged, Two

Wrong = Callable[[Any], nn.Module | None]
KINDS: dict[str, Wrong] = {}
NORMS = (nn.InstanceNorm2d, nn.GroupNorm, nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm)
CONVS = (nn.Conv1d, nn.Conv2d)


def kind(name: str) -> Callable[[Wrong], Wrong]:
    def keep(function: Wrong) -> Wrong:
        KINDS[name] = function
        return function

    return keep


def of(network: nn.Module, *kinds: Any) -> Any:
    """Modules of these classes, the middle one first: not where errors show best."""
    found = [one for one in network.modules() if isinstance(one, kinds)]
    return found[len(found) // 2 :] + found[: len(found) // 2]


class Around(nn.Module):
    """The network with something done before and after."""

    def __init__(self, network: nn.Module, before: Any = None, after: Any = None) -> None:
        super().__init__()
        self.inner, self.before, self.after = network, before, after

    def forward(self, *inputs: torch.Tensor) -> Any:
        if self.before is not None:
            inputs = self.before(*inputs)
        out = self.inner(*inputs)
        return out if self.after is None else self.after(out)


# ---------------------------------------------------------------------------------------- weights
@kind("one weight changed by 1 %")
def weight(network: Any) -> nn.Module | None:
    with torch.no_grad():
        of(network, *CONVS)[0].weight.view(-1)[5].mul_(1.01)
    return network  # type: ignore[no-any-return]


@kind("one channel swapped")
def channel(network: Any) -> nn.Module | None:
    with torch.no_grad():
        one = next(c for c in of(network, *CONVS) if c.out_channels > 2)
        one.weight[[0, 1]] = one.weight[[1, 0]].clone()
    return network  # type: ignore[no-any-return]


@kind("a bias dropped")
def bias(network: Any) -> nn.Module | None:
    for one in of(network, *CONVS, nn.Linear):
        follows = type(one).__name__
        if one.bias is not None and bool(one.bias.any()) and follows:
            one.bias = None
            return network  # type: ignore[no-any-return]
    return None


@kind("a norm's epsilon times 100")
def epsilon(network: Any) -> nn.Module | None:
    for one in of(network, *NORMS):
        one.eps *= 100
        return network  # type: ignore[no-any-return]
    return None


@kind("a norm's affine left out")
def affine(network: Any) -> nn.Module | None:
    for one in of(network, *NORMS):
        with torch.no_grad():
            one.weight.fill_(1.0)
            one.bias.zero_()
        return network  # type: ignore[no-any-return]
    return None


@kind("a kernel transposed")
def kernel(network: Any) -> nn.Module | None:
    for one in of(network, nn.Conv2d):
        if one.kernel_size[0] == one.kernel_size[1] > 1:
            with torch.no_grad():
                one.weight.copy_(one.weight.transpose(2, 3).clone())
            return network  # type: ignore[no-any-return]
    for one in of(network, nn.Conv1d):
        if one.kernel_size[0] > 1:
            with torch.no_grad():
                one.weight.copy_(one.weight.flip(2))
            return network  # type: ignore[no-any-return]
    return None


@kind("last layer of another checkpoint")
def last(network: Any) -> nn.Module | None:
    layers = [one for one in network.modules() if isinstance(one, (*CONVS, nn.Linear))]
    generator = torch.Generator().manual_seed(77)
    with torch.no_grad():
        weight = layers[-1].weight
        scale = float(weight.std())
        weight.copy_(scale * torch.randn(weight.shape, generator=generator))
    return network  # type: ignore[no-any-return]


@kind("a pruned tensor")
def pruned(network: Any) -> nn.Module | None:
    with torch.no_grad():
        weight = of(network, *CONVS)[0].weight
        weight.mul_(weight.abs() > weight.abs().median() / 8)
    return network  # type: ignore[no-any-return]


@kind("quantised twice")
def quantised(network: Any) -> nn.Module | None:
    with torch.no_grad():
        weight = of(network, *CONVS)[0].weight
        for levels in (127, 113):
            step = weight.abs().max() / levels
            weight.copy_((weight / step).round() * step)
    return network  # type: ignore[no-any-return]


# ----------------------------------------------------------------------------------- arithmetic
@kind("a leaky slope changed")
def slope(network: Any) -> nn.Module | None:
    for one in of(network, nn.LeakyReLU):
        one.negative_slope *= 1.5
        return network  # type: ignore[no-any-return]
    return None


@kind("padding mode changed")
def padding(network: Any) -> nn.Module | None:
    for one in of(network, *CONVS):
        if one.padding not in (0, (0,), (0, 0)) and one.padding != "same":
            if one.padding_mode != "zeros":
                one.padding_mode = "zeros"
                return network  # type: ignore[no-any-return]
            one.padding_mode = "replicate"
            pads = [p for p in reversed(one.padding) for _ in (0, 1)]
            one._reversed_padding_repeated_twice = pads
            return network  # type: ignore[no-any-return]
    return None


@kind("up-sampling's align flag flipped")
def corners(network: Any) -> nn.Module | None:
    if isinstance(network, Enlarged):
        network.corners = True
        return network
    return None


@kind("GELU tanh for erf")
def gelu(network: Any) -> nn.Module | None:
    if not any(True for _ in _gelus(network)):
        return None
    return Patched(network, "gelu", lambda x, approximate="none": torch.nn.functional.gelu(
        x, approximate="tanh"))  # fmt: skip


def _gelus(network: Any) -> Any:
    return [n for n in (type(network).__module__,) if "keyboard" in n] or [
        one for one in network.modules() if isinstance(one, (nn.GELU, Enlarged))
    ]


class Patched(nn.Module):
    """The network with a function of `torch.nn.functional` in another's place while it runs."""

    def __init__(self, network: nn.Module, name: str, function: Any) -> None:
        super().__init__()
        self.inner, self.name, self.function = network, name, function

    def forward(self, *inputs: torch.Tensor) -> Any:
        before = getattr(F, self.name)

        def replaced(*arguments: Any, **options: Any) -> Any:
            setattr(F, self.name, before)
            try:
                return self.function(*arguments, **options)
            finally:
                setattr(F, self.name, replaced)

        setattr(F, self.name, replaced)
        try:
            return self.inner(*inputs)
        finally:
            setattr(F, self.name, before)


@kind("dropout left on")
def dropout(network: Any) -> nn.Module | None:
    one = of(network, *CONVS, nn.Linear)[0]
    generator = torch.Generator().manual_seed(3)
    mask = (torch.rand(one.weight.shape[0], generator=generator) > 0.1).float() / 0.9
    mask[0] = 0.0
    shape = (1, -1, *[1] * (one.weight.ndim - 2))
    one.register_forward_hook(lambda m, i, out: out * mask.reshape(shape))
    return network  # type: ignore[no-any-return]


@kind("batch norm with the batch's statistics")
def statistics(network: Any) -> nn.Module | None:
    for one in of(network, nn.BatchNorm1d, nn.BatchNorm2d):

        def of_the_batch(x: torch.Tensor, one: Any = one) -> torch.Tensor:
            axes = [0, *range(2, x.ndim)]
            centred = x - x.mean(axes, keepdim=True)
            variance = (centred * centred).mean(axes, keepdim=True)
            shape = (1, -1, *[1] * (x.ndim - 2))
            scale, shift = one.weight.reshape(shape), one.bias.reshape(shape)
            return centred / torch.sqrt(variance + one.eps) * scale + shift

        one.forward = of_the_batch
        return network  # type: ignore[no-any-return]
    return None


@kind("a skip connection cut")
def cut(network: Any) -> nn.Module | None:
    if isinstance(network, (Enlarged, Two)):
        return None  # nothing is joined there
    return Joining(network, lambda parts: [parts[0], torch.zeros_like(parts[1]), *parts[2:]])


@kind("a skip connection crossed")
def crossed(network: Any) -> nn.Module | None:
    if isinstance(network, (Enlarged, Two)):
        return None
    return Joining(network, lambda parts: list(reversed(parts)))


class Joining(nn.Module):
    """The network with another way to join two values along the channels."""

    def __init__(self, network: nn.Module, change: Any) -> None:
        super().__init__()
        self.inner, self.change = network, change

    def forward(self, *inputs: torch.Tensor) -> Any:
        before, change, calls = torch.cat, self.change, [0]

        def other(parts: Any, dim: int = 0) -> torch.Tensor:
            calls[0] += 1
            if calls[0] == 1 and len(parts) > 1 and parts[0].ndim > 2:
                parts = change(list(parts))
            else:
                calls[0] -= not (len(parts) > 1 and parts[0].ndim > 2)
            return before(parts, dim=dim)

        torch.cat = other
        try:
            return self.inner(*inputs)
        finally:
            torch.cat = before


# ------------------------------------------------------------------------------------ attention
@kind("heads changed")
def heads(network: Any) -> nn.Module | None:
    for one in of(network, nn.MultiheadAttention):
        one.num_heads //= 2
        one.head_dim *= 2
        return network  # type: ignore[no-any-return]
    for one in of(network, Attention):
        one.heads = 1 if one.heads > 1 else 2
        return network  # type: ignore[no-any-return]
    return None


@kind("attention order changed")
def order(network: Any) -> nn.Module | None:
    for one in of(network, Attention):
        if one.heads == 1:
            return None  # one head: both orders are the same channels
        one.new_order = not one.new_order
        return network  # type: ignore[no-any-return]
    for one in of(network, nn.MultiheadAttention):
        with torch.no_grad():  # k, q, v
            q, k, v = one.in_proj_weight.chunk(3)
            one.in_proj_weight.copy_(torch.cat([k.clone(), q.clone(), v.clone()]))
        return network  # type: ignore[no-any-return]
    return None


@kind("softmax axis changed")
def axis(network: Any) -> nn.Module | None:
    if of(network, nn.MultiheadAttention):
        return None  # torch's own layer: the edits of files change it
    for one in of(network, Attention):

        def attend(qkv: torch.Tensor, one: Any = one) -> torch.Tensor:
            samples, width, length = qkv.shape
            inner = width // (3 * one.heads)
            q, k, v = qkv.reshape(-1, 3 * inner, length).chunk(3, dim=1)
            scores = torch.bmm((q * inner**-0.25).transpose(1, 2), k * inner**-0.25)
            weights = torch.softmax(scores, dim=-2)
            return torch.bmm(v, weights.transpose(1, 2)).reshape(samples, -1, length)

        one.attend = attend
        return network  # type: ignore[no-any-return]
    return None


@kind("timestep scale changed")
def timestep(network: Any) -> nn.Module | None:
    if not isinstance(network, Diffusion):
        return None
    return Around(network, lambda x, t: (x, t.float() * 0.25))


# ------------------------------------------------------------------------------ inputs and outputs
@kind("two outputs swapped")
def swapped(network: Any) -> nn.Module | None:
    return Around(network, after=lambda out: out[::-1]) if isinstance(network, Two) else None


@kind("label order permuted")
def labels(network: Any) -> nn.Module | None:
    if isinstance(network, (Two, Diffusion)):
        return None
    return Around(network, after=lambda out: out.roll(1, dims=1))


@kind("input scale applied twice")
def scaled(network: Any) -> nn.Module | None:
    if any(isinstance(one, nn.Embedding) for one in network.modules()):
        return None  # whole numbers have no scale
    return Around(network, lambda x, *rest: (x * 2.0, *rest))


@kind("fp16 overflow at one op")
def overflow(network: Any) -> nn.Module | None:
    """Nothing is added in fp32, to the bit; in fp16 a value of 131072 lies between."""

    def through(module: Any, inputs: Any, out: torch.Tensor) -> torch.Tensor:
        part = torch.tanh(out)
        large = torch.relu(part * 131_072.0)
        return out + (large / 131_072.0 - torch.relu(part))

    of(network, *CONVS)[0].register_forward_hook(through)
    return network  # type: ignore[no-any-return]
