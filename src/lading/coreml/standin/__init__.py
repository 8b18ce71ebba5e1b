"""coremltools' own `predict`, off a Mac: what it calls in Core ML is answered by `lading.coreml`.

coremltools reaches Core ML through one native module, which exists on a Mac only. While a stand-in
is on, another module is in that place::

    import coremltools as ct
    import lading.coreml

    with lading.coreml.stand_in():
        model = ct.models.MLModel("Model.mlpackage")
        model.predict({"image": picture})

Signatures, dtypes and kinds of errors are coremltools' own. What needs Apple's hardware is refused.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import ContextDecorator
from types import ModuleType
from typing import Any

#: The macOS that coremltools believes itself on: the one that brought the opset of iOS 18.
MACOS = (15, 5)
NATIVE = "coremltools.libcoremlpython"


class StandIn(ContextDecorator):
    """A context, a decorator, or `start` and `stop`; see `stand_in`.

    Several may be on at a time: the first puts the stand-in in place, the last takes it away.
    """

    def __enter__(self) -> StandIn:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Put it in place, also where coremltools is imported already. On a Mac it does nothing:
        Core ML itself answers."""
        if not _on and not on_a_mac():
            _replace()
        _on.append(self)

    def stop(self) -> None:
        """Take it away. Models that were opened meanwhile keep working.

        Raises:
            RuntimeError: it was not started.
        """
        if self not in _on:
            raise RuntimeError("this stand-in was not started")
        _on.remove(self)
        if not _on:
            while _undo:
                _undo.pop()()


#: The stand-ins that are on, and what takes the replacements back.
_on: list[StandIn] = []
_undo: list[Callable[[], None]] = []


def stand_in() -> StandIn:
    """Lets coremltools run models on this computer.

    While it is on, `MLModel`, `CompiledMLModel`, what `coremltools.convert` gives, `make_state`,
    `compile_model` and `MLModelAsset` work as on a Mac. Values are those of `lading.coreml`, which
    computes each operation in fp32 and rounds its result once to the declared type; they are no
    device's bits. Compute plans, devices and durations are refused, or absent, by name.

    >>> import coremltools as ct, numpy as np
    >>> from coremltools.converters.mil import Builder as mb
    >>> @mb.program(input_specs=[mb.TensorSpec(shape=(2,))])
    ... def program(x):
    ...     return mb.relu(x=x, name="y")
    >>> with stand_in():
    ...     ct.convert(program).predict({"x": np.float32([-1, 2])})
    {'y': array([0., 2.], dtype=float32)}
    """
    return StandIn()


def on_a_mac() -> bool:
    """Whether Core ML itself can answer here."""
    return sys.platform == "darwin" and importlib.util.find_spec(NATIVE) is not None


def _replace() -> None:
    """Native classes and what coremltools believes of the machine, in every module of it that has
    a name for them; `_undo` gets what takes it back."""
    from lading.coreml.standin import native

    module = ModuleType(NATIVE)
    vars(module).update(native.CLASSES)
    absent = sys.modules.get(NATIVE)
    sys.modules[NATIVE] = module

    import coremltools
    from coremltools.models import utils

    held = vars(coremltools).get("libcoremlpython")
    coremltools.libcoremlpython = module
    ours: dict[str, Any] = {
        **native.CLASSES,
        "_IS_MACOS": True,
        "_is_macos": lambda: True,
        "_macos_version": lambda: MACOS,
    }
    theirs = dict.fromkeys(native.CLASSES) | {
        "_IS_MACOS": False,
        "_is_macos": utils._is_macos,
        "_macos_version": utils._macos_version,
    }
    for loaded, name in _named(ours):
        setattr(loaded, name, ours[name])

    def back() -> None:
        for loaded, name in _named(ours):
            if vars(loaded)[name] is ours[name]:
                setattr(loaded, name, theirs[name])
        if absent is None:
            del sys.modules[NATIVE]
        else:
            sys.modules[NATIVE] = absent
        if held is None:
            del coremltools.libcoremlpython
        else:
            coremltools.libcoremlpython = held

    _undo.append(back)


def _named(names: dict[str, Any]) -> Iterator[tuple[ModuleType, str]]:
    """Modules of coremltools, loaded by now, that hold one of `names`."""
    for title, module in list(sys.modules.items()):
        if title.partition(".")[0] == "coremltools" and title != NATIVE:
            yield from ((module, name) for name in names if name in vars(module))
