"""torch's own attention, captured as the operations that it is made of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.modules import transformer

from lading.conversion.repairs import Case, Scope

KINDS = (
    nn.Transformer,
    nn.TransformerEncoder,
    nn.TransformerDecoder,
    nn.TransformerEncoderLayer,
    nn.TransformerDecoderLayer,
    nn.MultiheadAttention,
)


class AttentionFastPath:
    """Turns the fused kernels of `nn.TransformerEncoderLayer` and `nn.MultiheadAttention` off.

    Algebra. Without gradients, these modules hand a whole layer to one kernel
    (``_transformer_encoder_layer_fwd``, ``_native_multi_head_attention``); with gradients they call
    the operations: linear, softmax(q·kᵀ/√d)·v, linear, norm. Both are the same formula, summed in
    another order. A graph is wanted of the operations: no target knows the kernel, and
    `torch.jit.trace` finds two different graphs when gradients are on in one pass and off in the
    other ("Graphs differed across invocations"). ``torch.backends.mha.set_fastpath_enabled(False)``
    chooses the operations always.

    A mask that is not said to be causal is compared with the causal one, value by value, so that a
    kernel may be told so and leave the mask out. That is a decision on values, which a graph cannot
    hold. Without it the mask itself is added, which gives every score that it forbids a weight of
    exp(-inf) = 0, as the kernel does: the same bits.

    The three projections are taken apart by ``unflatten``, which is a ``view``: of the two, only
    the latter keeps its rank in torch's ONNX exporter for traces ("tensor of unknown rank", torch
    2.13), so the latter is recorded.
    """

    name = "attention fast path"
    reason = (
        "without gradients torch runs these layers as one fused kernel that no target knows; "
        "captured are the operations that it stands for"
    )
    fused = True

    def scope(self, case: Case) -> Scope:
        found: list[str] = []
        for path, module in case.module.named_modules():
            inside = any(path.startswith(f"{outer}.") or not outer for outer in found)
            if isinstance(module, KINDS) and not inside:
                found.append(path)
        if not found:
            return Scope(declined="no attention of torch's own")
        return Scope(tuple(path or type(case.module).__name__ for path in found))

    @contextmanager
    def applied(self, module: nn.Module) -> Iterator[nn.Module]:
        enabled = torch.backends.mha.get_fastpath_enabled()
        detect = transformer._detect_is_causal_mask
        torch.backends.mha.set_fastpath_enabled(False)
        transformer._detect_is_causal_mask = _as_said
        torch.Tensor.unflatten = _as_view  # type: ignore[method-assign]
        try:
            yield module
        finally:
            torch.Tensor.unflatten = _UNFLATTEN  # type: ignore[method-assign]
            torch.backends.mha.set_fastpath_enabled(enabled)
            transformer._detect_is_causal_mask = detect


def _as_said(
    mask: torch.Tensor | None, is_causal: bool | None = None, size: int | None = None
) -> bool:
    """Causal only where the caller said so."""
    return is_causal is True


_UNFLATTEN: Any = torch.Tensor.unflatten


def _as_view(self: torch.Tensor, dim: Any, sizes: Any) -> torch.Tensor:
    """`torch.Tensor.unflatten` of a numbered axis, as the view that it is."""
    if not isinstance(dim, int):  # a named axis
        named: torch.Tensor = _UNFLATTEN(self, dim, sizes)
        return named
    axis = dim % self.ndim
    return self.view(*self.shape[:axis], *sizes, *self.shape[axis + 1 :])


REPAIR = AttentionFastPath()
