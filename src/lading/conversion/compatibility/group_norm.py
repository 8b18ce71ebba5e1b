"""A group norm as one operation.

coremltools spells a group norm as mean, difference, ``square``, mean, root and division. In fp16
the square overflows as soon as a value lies more than 255 from its group's mean, and the mean of a
long group loses digits; and it takes a dozen operations. MIL has the whole formula as one
operation, whose intermediate values belong to whoever computes it:

    group norm(x) = γ · (x - µ) / √(σ² + ε) + β,  µ and σ² of a group's channels and positions
                  = γ · instance norm(x with each group as one channel) + β

The instance norm is over [N, G, C/G · H, W]: rank four whatever the network's dimensions, and no
axis longer than the picture's own by more than C/G, as the Neural Engine takes axes of 16,384 at
most. ``γ · x + β`` is a ``batch_norm`` with mean 0, variance 1 and ε 0: one rounding, not two.

What a device does inside its instance norm is Apple's to know. `lading.coreml.mil` computes it in
fp32 and rounds once; a device that squares in fp16 would overflow as the spelled-out form does. No
form can forbid that but fp32 (``--precision fp32``).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def group_norm(context: Any, node: Any) -> None:
    """``group_norm(x, groups, weight, bias, eps)`` as an instance norm over groups.

    Left to coremltools' own spelling: an unknown number of samples or channels, or weights that are
    no constants.
    """
    from coremltools.converters.mil.frontend.torch import ops
    from coremltools.converters.mil.mil import Builder

    given = _arguments(ops, context, node)
    x, groups, weight, bias = given["x"], given["groups"], given["weight"], given["bias"]
    constant = all(one is None or one.val is not None for one in (weight, bias))
    lead = all(isinstance(size, (int, np.integer)) for size in x.shape[:2])
    if not (lead and constant and 2 <= x.rank <= 5):
        result = ops._group_norm_impl(x, groups, weight, bias, given["eps"])
        context.add(result, node.name)
        return
    if all(isinstance(size, (int, np.integer)) for size in x.shape):
        shape: Any = tuple(map(int, x.shape))
        inside = grouping(shape, groups)
    else:  # sizes that only the input will tell
        shape = Builder.shape(x=x)
        inside = (int(x.shape[0]), groups, -1)
    grouped = Builder.reshape(x=x, shape=inside)
    normed = Builder.instance_norm(x=grouped, epsilon=np.float32(given["eps"]))
    if weight is None and bias is None:
        context.add(Builder.reshape(x=normed, shape=shape, name=node.name), node.name)
        return
    back = Builder.reshape(x=normed, shape=shape)
    context.add(_affine(back, weight, bias, node.name), node.name)


def grouping(shape: tuple[int, ...], groups: int) -> tuple[int, ...]:
    """The shape in which each group is a channel: [N, C, *] -> [N, G, C/G · ..., last].

    >>> grouping((1, 64, 256, 256), 32), grouping((2, 12, 7), 4), grouping((3, 8), 2)
    ((1, 32, 512, 256), (2, 4, 3, 7), (3, 2, 4, 1))
    """
    samples, channels, *sizes = shape
    inner = channels // groups
    if not sizes:
        return samples, groups, inner, 1
    return samples, groups, inner * math.prod(sizes[:-1]), sizes[-1]


def _affine(x: Any, weight: Any, bias: Any, name: str) -> Any:
    """γ · x + β per channel."""
    from coremltools.converters.mil.mil import Builder

    channels = int(x.shape[1])
    zeros, ones = np.zeros(channels, np.float32), np.ones(channels, np.float32)
    gamma = ones if weight is None else weight.val
    beta = zeros if bias is None else bias.val
    if x.rank == 2:  # a batch norm has positions
        return Builder.add(x=Builder.mul(x=x, y=gamma), y=beta, name=name)
    return Builder.batch_norm(
        x=x, mean=zeros, variance=ones, gamma=gamma, beta=beta, epsilon=np.float32(0.0), name=name
    )


def _arguments(ops: Any, context: Any, node: Any) -> dict[str, Any]:
    """By name, from a traced graph (all in order) or an exported one (some by keyword)."""
    given = ops._get_inputs(context, node, min_expected=2)
    names = ("x", "groups", "weight", "bias", "eps")
    found = dict(zip(names, given, strict=False))
    for name in names[2:]:
        if name not in found:
            found[name] = ops._get_kwinputs(context, node, name, default=[None])[0]
    eps = found["eps"]
    found["eps"] = 1e-5 if eps is None else float(getattr(eps, "val", eps))
    found["groups"] = int(found["groups"].val)
    return found


#: By torch's name.
FORMS = {"group_norm": group_norm}
