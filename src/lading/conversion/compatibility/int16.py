"""Whole numbers become 16 bits wide only where they are known to fit.

In an fp16 program coremltools 9.0 gives ``gather``, ``squeeze``, ``topk`` numbers of 16 bits, and
asks of constants alone whether they fit (pass ``add_int16_cast``):

- Whether a value becomes ``uint16`` or ``int16`` is left over from the operation before: behind a
  constant index, an index of -1 is 65535 (apple/coremltools pull request 2626, merged after 9.0).
- Data that is gathered or squeezed is cut to 16 bits whatever it is: 70,000 comes out as 4,464
  (issue 2222).

Here a value that is computed becomes ``int16``, and only an index into axes that are short enough,
or what was of 16 bits before. The file can go when the pass asks that itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

_LARGEST = 2**15 - 1


@contextlib.contextmanager
def in_force() -> Iterator[None]:
    """Within it, coremltools' pass asks so."""
    from coremltools.converters.mil.mil.passes.defs.quantization import add_int16_cast

    asks = add_int16_cast.should_cast_parameter

    def should_cast_parameter(self: Any, op: Any, name: str) -> bool:
        self.target_dtype = "int16"
        return _fits(op, name) and bool(asks(self, op, name))

    with patch.object(add_int16_cast, "should_cast_parameter", should_cast_parameter):
        yield


def _fits(op: Any, name: str) -> bool:
    """Whether what an operation takes can be told to fit; of constants the pass asks itself."""
    value = op.inputs[name]
    maker = value.op
    if name == "output_indices_dtype":
        return _short(op.x, op.axis.val)
    if maker is not None and maker.op_type == "const":
        return True
    if maker is not None and maker.op_type == "cast" and "int16" in maker.x.dtype.__name__:
        return True
    return name == "indices" and _short(op.x, op.axis.val if "axis" in op.inputs else None)


def _short(x: Any, axis: int | None) -> bool:
    """Whether all places along an axis, or along every one, can be counted in 16 bits."""
    sizes = x.shape if axis is None else [x.shape[axis]]
    return all(isinstance(size, int) and size <= _LARGEST for size in sizes)
