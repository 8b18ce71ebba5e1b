"""The work of a network in torch, module by module, by torch's own counter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, Protocol

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from lading.interface import Interface
from lading.interface.side import Array
from lading.interface.work import Work


class Follower(Protocol):
    """A mode that sees the operations of the same call, and is told what that takes and gives."""

    def __enter__(self) -> Any: ...
    def __exit__(self, *error: Any) -> Any: ...
    def begin(self, arguments: Sequence[torch.Tensor]) -> None: ...
    def reach(self, result: Any) -> None: ...


def operations(
    interface: Interface, inputs: Mapping[str, Array], follower: Follower | None = None
) -> float | None:
    """Floating-point operations of one call: of convolutions and products of matrices, which are
    nearly all; two for each number of the weights at least. None of a network that torch's counter
    cannot follow.

    Args:
        interface: the network.
        inputs: by port name; their sizes decide.
        follower: sees that call too.
    """
    found = counted(interface, inputs, follower)
    if found is None:
        return None
    return 2.0 * max(sum(one.macs or 0 for one in found), sum(one.parameters for one in found))


def counted(
    interface: Interface, inputs: Mapping[str, Array], follower: Follower | None = None
) -> list[Work] | None:
    """Every module that computes or holds something, with what it does itself; a module that is
    called again and again with all its calls. None of a network that the counter cannot follow.

    Args:
        interface: the network.
        inputs: by port name; their sizes decide.
        follower: see `operations`.
    """
    module = interface.module
    try:
        counter = _count(interface, inputs, follower)
        if counter.fused:
            counter = _count(interface, inputs, onednn=False)
        totals = _totals(counter, type(module).__name__)
    except Exception:  # the code of anybody's network, under hooks that it may not bear
        return None
    seen: set[int] = set()
    found = []
    for path, one in module.named_modules():
        own = [p for p in one.parameters(recurse=False) if id(p) not in seen]
        seen.update(map(id, own))
        flops = totals.get(path, 0) - sum(
            count for other, count in totals.items() if other and _parent(other, totals) == path
        )
        if flops or own:
            size = sum(p.numel() * p.element_size() for p in own)
            numbers = sum(p.numel() for p in own)
            # torch counts a product and its sum as two
            found.append(Work(path, type(one).__name__, path, flops // 2, numbers, size))
    return found


class _Counter(FlopCounterMode):
    """Notes besides whether it met a layer that oneDNN computes whole, which it cannot count."""

    fused = False

    def _count_flops(self, func_packet: Any, out: Any, args: Any, kwargs: Any) -> Any:
        self.fused |= "mkldnn_rnn" in str(func_packet)
        return super()._count_flops(func_packet, out, args, kwargs)  # type: ignore[no-untyped-call]


def _count(
    interface: Interface,
    inputs: Mapping[str, Array],
    follower: Follower | None = None,
    *,
    onednn: bool = True,
) -> _Counter:
    """One call of the network under the counter."""
    counter, arguments = _Counter(display=False), interface.arguments(inputs)
    if follower is not None:
        follower.begin(arguments)
    with torch.no_grad(), _unfused(onednn=onednn), follower or nullcontext(), counter:
        result = interface.module(*arguments)
    if follower is not None:
        follower.reach(result)
    return counter


def _totals(counter: FlopCounterMode, root: str) -> dict[str, int]:
    """What was counted within each module, those in it included; the network itself at \"\"."""
    made = {"": counter.get_total_flops()}
    for name, ops in counter.get_flop_counts().items():
        if name.startswith(f"{root}."):
            made[name.removeprefix(f"{root}.")] = sum(ops.values())
    return made


def _parent(path: str, known: Mapping[str, Any]) -> str:
    while path:
        path = path.rpartition(".")[0]
        if path in known:
            return path
    return ""


@contextmanager
def _unfused(*, onednn: bool) -> Iterator[None]:
    """Within it layers that torch has whole kernels for are computed product by product: the
    counter does not know those kernels. oneDNN has them for recurrent layers alone, and without it
    convolutions are slow."""
    fast, library = torch.backends.mha.get_fastpath_enabled(), torch.backends.mkldnn
    enabled = library.enabled
    torch.backends.mha.set_fastpath_enabled(False)
    library.enabled = enabled and onednn  # type: ignore[assignment]  # its `flags` warn of TF32
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        library.enabled = enabled
