"""Positions that `nn.TransformerEncoder` leaves out where a padding mask says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from lading.conversion.repairs import Watching

Forward = Callable[..., torch.Tensor]


class AbsentPositions(Watching):
    """Puts zeros where an encoder that packs its batch gives zeros.

    Algebra. In eval mode, without gradients, and with a padding mask that keeps the first positions
    of every sample, `nn.TransformerEncoder` packs what is kept into a nested tensor, runs its
    layers on that, and unpacks it with zeros in the places that were left out; its last norm comes
    after. A kept position attends to kept ones alone, packed or not, so that the layers give it the
    same. Where a mask keeps others than the first positions, in any sample of a batch, nothing is
    packed and every position is computed.

    A graph takes the layers one after the other and computes every position. So with ``keep`` [N,
    L] and ``packed`` = no position is kept behind one that is not, the result of the layers is 0
    where ``packed`` and not ``keep``. Where torch packs it is 0 there already: the untouched
    network's bytes are what they were.
    """

    name = "absent positions"
    reason = (
        "torch leaves padded positions out of an encoder and gives zeros there; a graph computes "
        "them, so the zeros are put there"
    )
    idle = "no encoder of torch's own packs a padded batch"

    @contextmanager
    def watched(self, noted: Callable[[], Any]) -> Iterator[None]:
        """Sends every `nn.TransformerEncoder` through `_zeroed`, and calls `noted`."""
        own: Forward = nn.TransformerEncoder.forward
        enabled = torch.backends.mha.get_fastpath_enabled()

        def forward(
            self: Any,
            src: torch.Tensor,
            mask: torch.Tensor | None = None,
            src_key_padding_mask: torch.Tensor | None = None,
            is_causal: bool | None = None,
        ) -> torch.Tensor:
            padding = src_key_padding_mask
            if not enabled or mask is not None or padding is None or not _packs(self, src):
                return own(self, src, mask, padding, is_causal)
            noted()
            norm, self.norm = self.norm, None
            try:
                found = own(self, src, mask, padding, is_causal)
            finally:
                self.norm = norm
            found = _zeroed(found, padding)
            return found if norm is None else norm(found)

        kind: Any = nn.TransformerEncoder
        kind.forward = forward
        try:
            yield
        finally:
            kind.forward = own


def _packs(encoder: Any, src: torch.Tensor) -> bool:
    return (
        getattr(encoder, "use_nested_tensor", False)
        and getattr(encoder, "mask_check", True)
        and not encoder.layers[0].training
        and src.dim() == 3
        and not torch.is_autocast_enabled()
    )


def _zeroed(values: torch.Tensor, padding: torch.Tensor) -> torch.Tensor:
    """0 at every position that is left out where only last ones are: [N, L, C], [N, L]."""
    absent = padding if padding.dtype == torch.bool else padding != 0
    if absent.shape[1] > 1:
        number = absent.to(values.dtype)
        behind = number[:, :-1] * (1.0 - number[:, 1:])  # kept, after one that is not
        absent = torch.logical_and(absent, behind.amax((0, 1), keepdim=True) == 0)
    return torch.where(absent.unsqueeze(-1), torch.zeros_like(values), values)


REPAIR = AbsentPositions()
