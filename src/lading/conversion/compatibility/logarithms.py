"""Logarithms and exponentials as numbers of few bits bear them.

coremltools 9.0 says them by their definitions, which lose everything where a value between is too
small, in fp16 soon and in fp32 too:

- ``log_softmax`` as log(softmax(x)): a class whose share is below the smallest number is -inf.
- ``log1p`` as log(1 + x) and ``expm1`` as exp(x) - 1: of a small x nothing is left beside the 1.

Here

    log_softmax(x) = z - log Σ exp(z),  z = x - max x
    log1p(x) = log(u) · x / (u - 1),  u = 1 + x as it is rounded; x where u is 1
    expm1(x) = 2 t / (1 - t),  t = tanh(x / 2)

the last two for |x| < 1. Sources: P. Blanchard et al., "Accurately computing the log-sum-exp and
softmax functions", IMA J. Numer. Anal. 41 (2021); W. Kahan's formula as in N. Higham, "Accuracy and
Stability of Numerical Algorithms", 2002, 1.14.1; tanh(x / 2) = (exp(x) - 1) / (exp(x) + 1).
"""

from __future__ import annotations

from typing import Any

import numpy as np


def log_softmax(context: Any, node: Any) -> None:
    """Over one axis; the type that torch may be told is that of the result."""
    from coremltools.converters.mil.frontend.torch import ops
    from coremltools.converters.mil.mil import Builder

    x, axis = ops._get_inputs(context, node, min_expected=2)[:2]
    how = {"axes": [int(axis.val)], "keep_dims": True}
    x = _real(x)
    z = Builder.sub(x=x, y=Builder.reduce_max(x=x, **how))
    total = Builder.reduce_log_sum_exp(x=z, **how)
    context.add(Builder.sub(x=z, y=total, name=node.name))


def log1p(context: Any, node: Any) -> None:
    """See above; -1 gives -inf, and below it there is no number, as with torch."""
    from coremltools.converters.mil.frontend.torch import ops
    from coremltools.converters.mil.mil import Builder

    x = _real(ops._get_inputs(context, node, expected=1)[0])
    u = Builder.add(x=x, y=np.float32(1))
    d = Builder.sub(x=u, y=np.float32(1))
    log = Builder.log(x=u, epsilon=np.float32(0))  # which is else the least number that there is
    none = Builder.equal(x=d, y=np.float32(0))
    divisor = Builder.select(cond=none, a=np.float32(1), b=d)
    near = Builder.select(cond=none, a=x, b=Builder.mul(x=log, y=Builder.real_div(x=x, y=divisor)))
    context.add(Builder.select(cond=_small(x), a=near, b=log, name=node.name))


def expm1(context: Any, node: Any) -> None:
    """See above."""
    from coremltools.converters.mil.frontend.torch import ops
    from coremltools.converters.mil.mil import Builder

    x = _real(ops._get_inputs(context, node, expected=1)[0])
    t = Builder.tanh(x=Builder.mul(x=x, y=np.float32(0.5)))
    near = Builder.real_div(
        x=Builder.mul(x=t, y=np.float32(2)), y=Builder.sub(x=np.float32(1), y=t)
    )
    far = Builder.sub(x=Builder.exp(x=x), y=np.float32(1))
    context.add(Builder.select(cond=_small(x), a=near, b=far, name=node.name))


def _small(x: Any) -> Any:
    from coremltools.converters.mil.mil import Builder

    return Builder.less(x=Builder.abs(x=x), y=np.float32(1))


def _real(x: Any) -> Any:
    from coremltools.converters.mil.mil import Builder, types

    return x if types.is_float(x.dtype) else Builder.cast(x=x, dtype="fp32")


#: By torch's names.
FORMS = {"log_softmax": log_softmax, "_log_softmax": log_softmax, "log1p": log1p, "expm1": expm1}
