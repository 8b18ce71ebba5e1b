"""A network as a program of `lading.coreml.mil`: every layer becomes one or a few operations.

The arithmetic inside a layer is float32. A layer's result stays so in the one reading and is
rounded to float16 in the other, where it is not an element of the layer's inputs or a whole number.
Values keep the names that they have in the file, as far as each is given once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from lading.coreml.mil.features import Feature
from lading.coreml.mil.program import (
    Binding,
    Block,
    Constant,
    Function,
    Op,
    Program,
    Value,
    ValueType,
)
from lading.coreml.mil.registry import OLDER
from lading.coreml.neuralnetwork.builder import FLOAT, Builder, Ref, fresh, renamed
from lading.coreml.neuralnetwork.network import Layer, Network
from lading.errors import ProgramError

_CASTS = {"float16": "fp16", "float32": "fp32", "float64": "fp64"}
_HALF = "float16"


class _Lowering:
    """One network in one reading. `names` says what a name of the file stands for at the moment."""

    def __init__(self, network: Network, half: bool) -> None:
        self.network, self.half = network, half
        self.ops: list[Op] = []
        self.names: dict[str, Ref] = {}
        self.dtypes: dict[str, str] = {}
        self.types: dict[str, str] = {}
        #: Of the outputs that are not given in the dtype that a layer computes.
        self.used = {
            feature.name
            for feature in network.interface.outputs
            if half or _declared(feature) != FLOAT
        }

    def builder(self, origin: str, prefix: str) -> Builder:
        return Builder(origin, prefix, self.used, self.dtypes)

    def enter(self, feature: Feature) -> Value:
        """An input as the first layer gets it: floats, pictures scaled."""
        dtype = feature.dtype or FLOAT
        value = Value(fresh(feature.name, self.used), ValueType("tensor", dtype, None))
        x, b = Ref(value.name), self.builder(f"input {feature.name}", feature.name)
        if dtype != FLOAT:
            x = b.cast(x, "fp32")
        scaling = self.network.scalings.get(feature.name)
        if scaling is not None:
            offset = torch.tensor(scaling.offset).reshape(-1, 1, 1)
            x = b.add(b.mul(x, scaling.scale), offset)
            if scaling.mean:
                x = b.sub(x, torch.tensor(scaling.mean).reshape(-1, *feature.shape[-2:]))
        if feature.color and "pictures" in self.network.five:
            x = b.expand_dims(x, [0])
        # Whole numbers are indices: no compute unit rounds them before they are looked up.
        rounded = self.half and np.dtype(dtype).kind == "f"
        if rounded:
            x = b.cast(x, "fp16")
        self.dtypes[x] = FLOAT
        if b.ops:
            self._give(b, [x], [feature.name], _HALF if rounded else FLOAT)
        self.names.setdefault(feature.name, x)
        return value

    def layer(self, layer: Layer) -> None:
        missing = [name for name in layer.inputs if name not in self.names]
        if missing:
            raise ProgramError(
                layer.place,
                found=f"no value {missing[0]!r}",
                expected="every input computed by a layer before",
                remedy="copy or convert the file again",
            )
        b = self.builder(layer.place, layer.outputs[0] if layer.outputs else layer.name)
        inputs = [self.names[name] for name in layer.inputs]
        try:
            made = layer.kind.function(b, *inputs, **layer.parameters)
        except ProgramError:
            raise
        except Exception as reason:  # of many kinds: inputs too many, weights that are not there
            raise ProgramError(
                layer.place,
                found=f"{str(reason).splitlines()[0] if str(reason) else type(reason).__name__}",
                expected=f"inputs and parameters that fit each other; {len(inputs)} inputs",
                remedy="convert again",
            ) from reason
        results: list[Ref] = [made] if isinstance(made, Ref) else list(made)
        rounded = self.half and not layer.kind.exact
        names = layer.outputs[: len(results)]
        self._give(b, results[: len(names)], names, _HALF if rounded else FLOAT)

    def _give(self, b: Builder, results: list[Ref], names: Sequence[str], dtype: str) -> None:
        given = [fresh(name, self.used) for name in names]
        b.give(results, given, dtype)
        self.ops += b.ops
        self.names.update((name, Ref(one)) for name, one in zip(names, given, strict=True))
        self.types.update((one, dtype) for one in given)

    def leave(self) -> tuple[str, ...]:
        """The names of the outputs, each in its declared dtype."""
        network = self.network
        described = network.interface
        b = self.builder("outputs", "outputs")
        classes = {described.label, described.probabilities} if network.labels else set()
        if network.labels:
            self._classify(b, self._found(network.probabilities))
        for feature in described.outputs:
            dtype = _declared(feature)
            if feature.name in classes:
                continue
            x = self._found(feature.name)
            if x == feature.name:
                continue
            if np.dtype(dtype).kind in "iu":
                x = b.round(x)
            cast = b.cast(x, _CASTS.get(dtype, dtype))
            kept = Value(feature.name, ValueType("tensor", dtype, None))
            b.ops[-1] = renamed(b.ops[-1], {cast: kept})
        self.ops += b.ops
        return tuple(feature.name for feature in described.outputs)

    def _classify(self, b: Builder, scores: Ref) -> None:
        described, labels = self.network.interface, list(self.network.labels)
        kind = "string" if isinstance(labels[0], str) else "int64"
        types = (ValueType("tensor", kind), ValueType("dictionary"))
        names = (described.label or "label", described.probabilities or "probabilities")
        made = tuple(Value(name, one) for name, one in zip(names, types, strict=True))
        classes = Constant(ValueType("list", items=types[:1], length=len(labels)), labels)
        inputs: dict[str, tuple[Binding, ...]] = {"probabilities": (str(scores),)}
        inputs["classes"] = (classes,)
        b.ops.append(
            Op("classify", "classes", inputs, made, origin=f"{self.network.path}: the class")
        )

    def _found(self, name: str) -> Ref:
        if name not in self.names:
            raise ProgramError(
                str(self.network.path),
                found=f"no layer that gives {name!r}",
                expected="every output computed",
                remedy="copy or convert the file again",
            )
        return self.names[name]


def _declared(feature: Feature) -> str:
    return feature.dtype if feature.dtype and not feature.color else FLOAT


def program(network: Network, *, half: bool = False) -> Program:
    """The network as a program with one function, ``main``.

    Args:
        network: as read.
        half: whether the weights, float inputs and the results of layers are rounded to float16.

    Raises:
        ProgramError: a layer reads what no layer before it gives, has weights of another number
            than it needs, or something set that is not run here; names the layer.
    """
    work = _Lowering(network, half)
    inputs = tuple(map(work.enter, network.interface.inputs))
    for layer in network.layers:
        work.layer(layer.half() if half else layer)
    outputs = work.leave()
    block = Block((), outputs, tuple(work.ops))
    return Program({"main": Function("main", inputs, OLDER, block)})
