"""Several results at once that are one each, a product of two inputs, and how many flags are set.

Symptoms with coremltools 9.0: "Unsupported fx node" of ``var_mean``, ``std_mean`` and ``bilinear``;
a sum of flags is a real number, which nothing can be taken at: "Input indices expects tensor of
dtype int32". Checked with torch 2.13; each can go when the converter knows it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

aten = torch.ops.aten


def _with_mean(spread: Any) -> Any:
    """Arguments after the tensor: (dim, unbiased, keepdim), or by name with a correction."""

    def spell(_: Any, x: torch.Tensor, *given: Any, **named: Any) -> Any:
        if given and isinstance(given[0], bool):  # of all elements
            return spread(x, unbiased=given[0]), x.mean()
        dim = given[0] if given else named.get("dim")
        keepdim = given[2] if len(given) > 2 else named.get("keepdim", False)
        correction = int(given[1]) if len(given) > 1 else named.get("correction")
        correction = 1 if correction is None else correction
        dim = list(range(x.dim())) if dim is None or not dim else dim
        return (
            spread(x, dim, correction=correction, keepdim=keepdim),
            x.mean(dim, keepdim=keepdim),
        )

    return spell


def _bilinear(_: Any, x: torch.Tensor, y: torch.Tensor, weight: torch.Tensor,
              bias: torch.Tensor | None = None) -> torch.Tensor:  # fmt: skip
    """x W_o y for each output o: the product with y first, for all of them at once."""
    outputs, left, right = weight.shape
    with_y = torch.nn.functional.linear(y, weight.reshape(outputs * left, right))
    made = (with_y.reshape(*y.shape[:-1], outputs, left) * x.unsqueeze(-2)).sum(-1)
    return made if bias is None else made + bias


def _sum(n: fx.Node, x: torch.Tensor, *given: Any, **named: Any) -> Any:
    if x.dtype != torch.bool or n.meta["val"].dtype != torch.int64:
        return NotImplemented
    return x.to(torch.int64).sum(*given, **named)


SPELLING = {
    aten.sum.default: _sum,
    aten.sum.dim_IntList: _sum,
    **dict.fromkeys((aten.var_mean.default, aten.var_mean.dim, aten.var_mean.correction),
                    _with_mean(torch.var)),
    **dict.fromkeys((aten.std_mean.default, aten.std_mean.dim, aten.std_mean.correction),
                    _with_mean(torch.std)),
    aten.bilinear.default: _bilinear,
}  # fmt: skip
