"""The kinds of layers, found by their files: a public function in `layers/*.py` is the kind that
it names, and the short ones are in their file's tables, ``ROUNDED`` and ``EXACT``.

- The name is the kind's name in the specification (``softmaxND``) in Python's spelling
  (``softmax_nd``, see `spelling`).
- A function gets a `Builder`, and what it calls there is what the layer becomes. What comes before
  the star are the layer's inputs, in order; what comes after it are the layer's parameters by their
  own names. A parameter that a file does not set takes the default, or zero, false or the first
  choice, as the specification has it.
- What a file sets and the function does not take is refused when the file is loaded: a layer runs
  as the file says or not at all.

>>> find("softmaxND").name
'softmaxND'
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from lading.coreml.mil.registry import exact

__all__ = ["Kind", "exact", "find", "functions", "spelling"]


@dataclass(frozen=True)
class Kind:
    """A kind of layer.

    Attributes:
        name: as the specification spells it.
        function: takes a `Builder`, the inputs as its references, and the parameters by name; gives
            the reference of its result, or several.
        parameters: the names that it takes; None for any.
        exact: whether its results are elements of its inputs or whole numbers, never rounded.
    """

    name: str
    function: Callable[..., Any]
    parameters: frozenset[str] | None
    exact: bool


def spelling(name: str) -> str:
    """A name of the specification as Python spells it.

    >>> [spelling(name) for name in ("softmaxND", "targetShape", "leakyReLU", "reduceL1", "mvn")]
    ['softmax_nd', 'target_shape', 'leaky_relu', 'reduce_l1', 'mvn']
    """
    name = name.replace("ReLU", "Relu")
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


@lru_cache(maxsize=1)
def functions() -> Mapping[str, Callable[..., Any]]:
    """Every layer function by the Python spelling of its kind."""
    from lading.coreml.neuralnetwork import layers

    found: dict[str, Callable[..., Any]] = {}
    for entry in pkgutil.iter_modules(layers.__path__):
        module = importlib.import_module(f"{layers.__name__}.{entry.name}")
        for name, function in vars(module).items():
            own = inspect.isfunction(function) and function.__module__ == module.__name__
            if own and not name.startswith("_"):
                found[name] = function
        found.update(getattr(module, "ROUNDED", {}))
        found.update({k: exact(one) for k, one in getattr(module, "EXACT", {}).items()})
    return dict(sorted(found.items()))


def find(name: str) -> Kind | None:
    """The kind called `name` in the specification, or None if it cannot be run here."""
    function = functions().get(spelling(name))
    if function is None:
        return None
    parameters = inspect.signature(function).parameters.values()
    anything = any(p.kind is p.VAR_KEYWORD for p in parameters)
    named = frozenset(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)
    return Kind(name, function, None if anything else named, getattr(function, "exact", False))
