"""What keeps fp32 in an fp16 program, and why.

- A variance of raw grey levels overflows fp16, and nnU-Net's floor of 1e-8 is zero there: all of
  the pre-processing.
- The arithmetic of a sampling step around its network: what one step rounds away is lost for all
  that follow.
- The sine of an angle needs the angle modulo a turn. At 1,000 fp16 has a grid of half a radian: the
  embedding of a timestep would be another timestep's. Angles that come from the inputs by plain
  arithmetic stay in fp32; those that a layer computed are in fp16 already and gain nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from lading.interface.settings import Precision

#: Parts of the wrapped module, see `lading.interface` and `lading.task.diffusion.step`.
_WIDE = ("prepare", "network.step_tables", "network.step_back")
_CIRCULAR = ("sin", "cos", "tan")
#: What may lie between an input and an angle.
_ARITHMETIC = {
    *("add", "cast", "concat", "const", "exp", "exp2", "expand_dims", "fill", "identity"),
    *("inverse", "log", "mul", "pow", "range_1d", "real_div", "reshape", "slice_by_index"),
    *("slice_by_size", "split", "squeeze", "stack", "sub", "tile", "transpose"),
}


def compute(precision: Precision, wide: Collection[str] = ()) -> Any:
    """`precision` as `coremltools.convert` takes it; operations named in `wide`, as the file names
    them, keep fp32 too."""
    import coremltools as ct

    if precision == "fp32":
        return ct.precision.FLOAT32
    stays = _Exempt(wide)
    return ct.transform.FP16ComputePrecision(op_selector=lambda op: not stays(op))


class _Exempt:
    """Whether an operation stays in fp32. One for each conversion."""

    def __init__(self, wide: Collection[str] = ()) -> None:
        self.wide = frozenset(wide)
        self.angles: dict[int, frozenset[str]] = {}

    def __call__(self, op: Any) -> bool:
        if _written(op.name) in self.wide or module_of(op).startswith(_WIDE):
            return True
        block = op.enclosing_block
        if id(block) not in self.angles:  # first asked before anything in the block is changed
            self.angles[id(block)] = _angles(block)
        return op.name in self.angles[id(block)]


def _written(name: str) -> str:
    """An operation's name as the file will have it: ``"56"`` is ``"op_56"`` there."""
    from coremltools.converters.mil.mil.passes.defs.preprocess import NameSanitizer

    return str(NameSanitizer(prefix="op_").sanitize_name(name))


def _angles(block: Any) -> frozenset[str]:
    """Names of the sines and cosines of plain arithmetic, and of that arithmetic."""
    found: set[str] = set()
    for op in block.operations:
        if op.op_type in _CIRCULAR:
            before = _arithmetic_before(op)
            if before is not None:
                found |= {op.name, *before}
    return frozenset(found)


def _arithmetic_before(op: Any) -> set[str] | None:
    """Names of all operations that lead to `op`; None if one is more than arithmetic."""
    seen: set[str] = set()
    pending = _makers(op)
    while pending:
        maker = pending.pop()
        if maker.name in seen:
            continue
        if maker.op_type not in _ARITHMETIC:
            return None
        seen.add(maker.name)
        pending += _makers(maker)
    return seen


def _makers(op: Any) -> list[Any]:
    """The operations whose results `op` takes; inputs of the function have none."""
    values: list[Any] = []
    for one in op.inputs.values():
        values += one if isinstance(one, (list, tuple)) else [one]
    return [v.op for v in values if v is not None and v.op is not None]


def module_of(op: Any) -> str:
    """The module path of a MIL op on either route; empty where the converter lost it."""
    for source, data in op.scopes.items():
        if source.name == "EXIR_STACK_TRACE" and data and data[0]:
            return str(data[0])
        if source.name == "TORCHSCRIPT_MODULE_NAME" and data:
            return ".".join(str(name) for name in data)
    return ""
