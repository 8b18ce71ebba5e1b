"""How operations are said in MIL where coremltools' own spelling is long or unsafe.

Each module has its reasons at its head and its ``FORMS``, by torch's names. They are in force only
within `in_force`: coremltools' registry is left as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from lading.conversion.compatibility import group_norm, logarithms

#: An operation of torch's front end: builds MIL for `node` and hands it to `context`.
Form = Callable[[Any, Any], None]

#: Of operations that every target of Apple's has.
EVERYWHERE: Mapping[str, Form] = logarithms.FORMS
#: Of ML Programs.
PROGRAMS: Mapping[str, Form] = {**EVERYWHERE, **group_norm.FORMS}


@contextmanager
def in_force(forms: Mapping[str, Form] = PROGRAMS) -> Iterator[None]:
    """Within it, coremltools' torch front end uses these forms."""
    from coremltools.converters.mil.frontend.torch.torch_op_registry import _TORCH_OPS_REGISTRY

    known: dict[str, Form] = _TORCH_OPS_REGISTRY.name_to_func_mapping
    before = {name: known[name] for name in forms}
    known.update(forms)
    try:
        yield
    finally:
        known.update(before)
