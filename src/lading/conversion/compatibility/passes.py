"""How lading's own passes over a MIL program become coremltools'."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def register(name: str, mend: Callable[[Any], None]) -> str:
    """Makes a pass known to coremltools, which runs it over every function.

    Args:
        name: as ``"lading::share_constants"``.
        mend: changes the block of a function.

    Returns:
        `name`.
    """
    from coremltools.converters.mil.mil.passes.graph_pass import AbstractGraphPass
    from coremltools.converters.mil.mil.passes.helper import block_context_manager
    from coremltools.converters.mil.mil.passes.pass_registry import PASS_REGISTRY, register_pass

    if name not in PASS_REGISTRY:
        namespace, _, own = name.partition("::")

        @register_pass(namespace=namespace, name=own)
        class Pass(AbstractGraphPass):  # type: ignore[misc]
            """See `mend`."""

            def apply(self, program: Any) -> None:
                for function in program.functions.values():
                    block_context_manager(mend)(function)

    return name


def everywhere(change: Callable[[Any, Any], None]) -> Callable[[Any], None]:
    """What changes a block, of what is done with each operation and the block that it is in:
    nested blocks first."""

    def mend(block: Any) -> None:
        from coremltools.converters.mil.mil.passes.helper import block_context_manager

        for op in list(block.operations):
            for inner in op.blocks:
                block_context_manager(mend)(inner)
            change(block, op)

    return mend
