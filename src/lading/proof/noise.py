"""How near two sound fp32 computations of one network come: measured on the original itself.

A fixed gate passes what is wrong in a well-behaved network and fails what is right in a touchy one.
So the original is run once more with every result of every operation disturbed by the rounding of
a sum in another order, and the distance from itself is what a sound conversion may show, probe by
probe. This is Monte Carlo arithmetic (D. S. Parker, "Monte Carlo Arithmetic", UCLA CSD-970002,
1997) with one sample.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import cache
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from lading.interface import Interface
from lading.interface.side import Array
from lading.proof import metrics
from lading.proof.probes import Probe

#: Relative disturbance of every result. fp32 rounds at 2^-24; a plain sum over the 65,536 elements
#: of a plane, as some runtimes do it, is off by 2^-18 of its terms' size on the average.
DISTURBANCE = 2.0**-18
#: The same of fp16: one rounding is up to 2^-11. What it moves is as much more: errors this small
#: add up linearly.
HALF = 2.0**-11
#: Different factors: a prime number, so that they fall otherwise on every row and plane.
_FACTORS = 1_000_003
#: dB below the measured distance: one sample of noise, and a runtime's sums err all one way. ONNX
#: Runtime's plain instance norm over 65,536 elements was seen 4 dB below.
MARGIN = 12.0
#: No gate below: a conversion this far off is wrong whatever the network.
LOWEST = 60.0
#: None above: past this, the last bits of another libm decide.
HIGHEST = 90.0
HIGHEST_REASON = "no gate is higher: what the original keeps when disturbed had not to be measured"


class Disturbed(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Multiplies every floating-point result by 1 ± `DISTURBANCE`, element by element. What says
    which element of an axis is the highest, or how all of them follow, is asked of elements no two
    of which are equal: of equal ones each runtime takes another, and a factor leaves 0 as it is."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._factors, self._starts = _factors(), random.Random(97)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if _says_which(func, args, result):
            result = func(self._apart(args[0]), *args[1:], **(kwargs or {}))
        if not func.is_view:
            for one in result if isinstance(result, (tuple, list)) else (result,):
                if isinstance(one, torch.Tensor) and one.dtype == torch.float32 and one.numel():
                    self._multiply(one)
        return result

    def _apart(self, x: torch.Tensor) -> torch.Tensor:
        """`x` with each element moved by up to a rounding of the largest, or of 1 if all are 0."""
        start, size = self._starts.randrange(_FACTORS), x.numel()
        these = self._factors[start : start + min(size, _FACTORS)] - 1
        these = these.repeat(-(-size // _FACTORS))[:size].reshape(x.shape)
        largest = float(x.abs().nan_to_num(0.0, 0.0, 0.0).max()) or 1.0
        return x + these * (largest * 2.0**-24 / DISTURBANCE)

    def _multiply(self, one: torch.Tensor) -> None:
        """The factors lie in a ring that is longer than a plane and begins anywhere: to draw them
        anew for each result takes longer than the network."""
        start, size = self._starts.randrange(_FACTORS), one.numel()
        these = self._factors[start : start + min(size, _FACTORS)]
        flat = one.reshape(-1)  # its own memory as a rule, else a copy
        for part in flat.split(_FACTORS):  # type: ignore[no-untyped-call]
            part.mul_(these[: part.numel()])
        if not one.is_contiguous():
            one.copy_(flat.view(one.shape))


def _says_which(func: Any, args: Any, result: Any) -> bool:
    """Whether an operator along an axis of real numbers gives places in it."""
    if not (args and isinstance(args[0], torch.Tensor) and args[0].dtype == torch.float32):
        return False
    if not args[0].numel() or all(one.name != "dim" for one in func._schema.arguments):
        return False
    results = result if isinstance(result, (tuple, list)) else (result,)
    return any(isinstance(one, torch.Tensor) and one.dtype == torch.int64 for one in results)


@cache
def _factors() -> torch.Tensor:
    """Twice round the ring, so that as many as there are lie behind any start."""
    chance = torch.Generator().manual_seed(97)
    once = torch.rand(_FACTORS, generator=chance).mul_(2 * DISTURBANCE).add_(1 - DISTURBANCE)
    return torch.cat([once, once])


def disturbed(interface: Interface, probe: Probe) -> dict[str, Array]:
    """The original's outputs for a probe with every result disturbed by up to `DISTURBANCE`."""
    arguments = interface.arguments(probe.inputs)
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad(), Disturbed():
            values = interface.module(*arguments)
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    values = values if isinstance(values, tuple) else (values,)
    return {p.name: v.numpy() for p, v in zip(interface.answers, values, strict=True)}


def in_half(interface: Interface) -> dict[str, torch.Tensor]:
    """The original's own tensors, by name, rounded to fp16 and fp32 again."""
    module = interface.module
    own = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    with torch.no_grad():
        return {name: _half(tensor) for name, tensor in own.items()}


def halved(
    interface: Interface, probe: Probe, small: Mapping[str, torch.Tensor]
) -> dict[str, Array]:
    """The original's outputs for a probe with its tensors (see `in_half`) and its inputs rounded to
    fp16, and all arithmetic in fp32; what fp16 cannot hold stays as it is."""
    module, arguments = interface.module, interface.arguments(probe.inputs)
    own = dict(small)
    for name, _ in module.named_buffers():  # a call may write into them, and the next begins anew
        own[name] = small[name].clone()
    with torch.no_grad():
        values = torch.func.functional_call(module, own, tuple(map(_half, arguments)))
    values = values if isinstance(values, tuple) else (values,)
    return {p.name: v.numpy() for p, v in zip(interface.answers, values, strict=True)}


def _half(tensor: torch.Tensor) -> torch.Tensor:
    if tensor.dtype != torch.float32:
        return tensor
    small = tensor.half().float()
    finite = small.isfinite()
    return small if finite.all() else torch.where(finite, small, tensor)


def gates(outputs: Mapping[str, Array], again: Mapping[str, Array]) -> dict[str, float]:
    """The least PSNR (dB) of a sound fp32 computation at a probe, for every floating-point output.

    Args:
        outputs: what the reference gives.
        again: what it gives disturbed.
    """
    return {
        name: gate(value, again[name]) for name, value in outputs.items() if value.dtype.kind == "f"
    }


def gate(value: Array, again: Array) -> float:
    """The least PSNR (dB) of a sound fp32 computation whose result moves from `value` to `again`.

    >>> import numpy as np
    >>> round(gate(np.array([1.0, 0.0]), np.array([1.0, 1e-4])), 2)
    71.01
    >>> gate(np.array([1.0]), np.array([1.0])), gate(np.array([1.0]), np.array([np.nan]))
    (90.0, 60.0)
    """
    ratio = metrics.psnr(value, again)
    return min(max(ratio - MARGIN, LOWEST), HIGHEST) if ratio == ratio else LOWEST
