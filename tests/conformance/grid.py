"""Random data that float16 holds exactly, for the cases that ask float32 accuracy of float16 data.

Such a test draws its data in float32, computes its reference from that, and then rounds the data
to float16: what it compares with is not what it asks of the program, and no runtime can meet
rtol 1e-5. Drawn from a grid that float16 holds, the data survive the rounding, and the reference
is the right one again.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from types import SimpleNamespace
from typing import Any

import numpy as np

#: Whether the test that is running gets its data from the grid.
state = SimpleNamespace(active=False)


def wanted(nodeid: str) -> bool:
    """Whether a case computes in float32 what it has rounded to float16.

    The float16 cases of the plain recurrent layer too: it adds up 64 products of unit size, and
    the rounding of its data alone can pass the tolerance.
    """
    test, _, parameters = nodeid.partition("[")
    if "::TestRNN::" in test:
        return True
    halves = "float16" in parameters or "dtype=fp16" in parameters
    return "precision='fp32'" in parameters and halves


def on_grid(values: Any) -> Any:
    """`values` rounded to multiples of 2^-9, and to ten significant bits: one less than float16
    has, so that the sum of two below 1 (biases) is exact as well. Only 0 becomes 0.

    >>> on_grid(np.array([0.3, 1e-9, -3.001, 0.0])).tolist()
    [0.30078125, 0.001953125, -3.0, 0.0]
    """
    exact = np.asarray(values, np.float64)
    _, exponent = np.frexp(exact)
    step = np.maximum(2.0**-9, np.exp2(exponent - 10.0))
    rounded = np.rint(exact / step) * step
    rounded = np.where((rounded == 0) & (exact != 0), np.copysign(step, exact), rounded)
    return rounded.astype(getattr(values, "dtype", np.float64))[()]


def rounding(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, its result on the grid while that is wanted."""

    @wraps(function)
    def drawn(*args: Any, **options: Any) -> Any:
        result = function(*args, **options)
        if not state.active or np.asarray(result).dtype.kind != "f":
            return result
        return on_grid(result)

    return drawn


def install() -> None:
    """Wrap what the suite draws its data with: numpy's, torch's and its own `random_gen`."""
    import coremltools.converters.mil.testing_utils as utils
    import torch

    utils.random_gen = rounding(utils.random_gen)
    for name in ("rand", "randn", "random", "random_sample", "uniform", "normal"):
        setattr(np.random, name, rounding(getattr(np.random, name)))
    for place, name in (
        (torch, "rand"),
        (torch, "randn"),
        (torch.Tensor, "uniform_"),
        (torch.Tensor, "normal_"),
    ):
        setattr(place, name, _rounding_tensor(getattr(place, name)))


def _rounding_tensor(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def drawn(*args: Any, **options: Any) -> Any:
        import torch

        result = function(*args, **options)
        if state.active and result.is_floating_point():
            with torch.no_grad():
                result.copy_(torch.from_numpy(np.array(on_grid(result.detach().numpy()))))
        return result

    return drawn
