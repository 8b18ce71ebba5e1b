"""Convolutions along one axis, written along two: those of a picture one row high.

ONNX Runtime has fast kernels for pictures alone, and exporters write ``[N, C, L]`` as it is. As
``[N, C, 1, L]`` the same network computes the same sums, mostly in less time, and of a channel by
itself in a fraction of it (`docs/decisions/017-onnx-as-its-runtime-is-fast.md`). Those kernels give
their threads rows, so of a long line they make one thread's work: that one stays as it is. A weight
keeps its numbers in their order; its shape has a one more. What lies between two such convolutions
and takes each element, or each channel, by itself stays ``[N, C, 1, L]``, so that ONNX Runtime
still finds a convolution and its activation side by side.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import prod
from typing import Any

from lading.formats.onnx.constants import stored
from lading.formats.onnx.graph import graphs, inner, light

#: They do with each element, or each channel, of ``[N, C, 1, L]`` what they do with ``[N, C, L]``.
_EACH = {
    "Abs", "Add", "BatchNormalization", "Ceil", "Celu", "Clip", "Concat", "Cos", "Div", "Elu",
    "Erf", "Exp", "Floor", "Gelu", "GlobalAveragePool", "GlobalMaxPool", "HardSigmoid",
    "HardSwish", "Identity", "LeakyRelu", "Log", "Max", "Min", "Mish", "Mul", "Neg", "Pow",
    "Reciprocal", "Relu", "Selu", "Sigmoid", "Sign", "Sin", "Softplus", "Softsign", "Sqrt", "Sub",
    "Tanh", "ThresholdedRelu",
}  # fmt: skip
_POOLS = {"AveragePool", "MaxPool"}
#: Of a window, one number an axis.
_SIZES = ("kernel_shape", "strides", "dilations")
#: The new axis.
_ROW = 2
#: What ONNX Runtime's threads share are samples, groups, rows, and blocks of channels
#: (onnxruntime/core/mlas/lib/snchwc.cpp): 16 at once of channels by themselves, and four times as
#: many filters, where the processor has AVX-512; half of that elsewhere.
_BLOCK = 16
_TOGETHER = 4 * _BLOCK
#: Multiply-accumulates, of one sample, that may be one thread's: a fraction of a millisecond.
_ALONE = 1 << 22


def lift(model: Any) -> int:
    """Writes convolutions along one axis along two.

    Args:
        model: `onnx.ModelProto` of opset 13 or newer; changed in place. Inner graphs are left as
            they are, and weights that anything else reads, and long lines, and those of which
            nothing says how long they are.

    Returns:
        how many convolutions it wrote so.

    >>> from onnx import parser
    >>> model = parser.parse_model('''<ir_version: 9, opset_import: ["": 18]>
    ...     g (float[1,2,8] x) => (float[1,3,6] y) <float[3,2,3] w> {
    ...       a = Conv(x, w)
    ...       y = Relu(a) }''')
    >>> model.graph.initializer.add(name="w", dims=(3, 2, 3), data_type=1).dims
    [3, 2, 3]
    >>> lift(model), [node.op_type for node in model.graph.node]
    (1, ['Unsqueeze', 'Conv', 'Relu', 'Squeeze'])
    """
    weights = _weights(model)
    return _Lifted(model.graph, weights).count if weights else 0


class _Lifted:
    """A graph on its way: under which names its values are ``[N, C, 1, L]`` and ``[N, C, L]``.

    A value keeps its name in the form in which it is made. One that leaves the graph, or that an
    inner graph reads, keeps it as ``[N, C, L]``.

    Args:
        graph: see `lift`.
        weights: of the convolutions, by name.
    """

    def __init__(self, graph: Any, weights: dict[str, Any]) -> None:
        nodes, every = list(graph.node), list(graphs(graph))
        self._typed = {v.name: v for v in (*graph.input, *graph.value_info, *graph.output)}
        self._single = {  # numbers, which fit whatever they meet
            name for name, one in stored(graph).items() if prod(one.dims) == 1 and len(one.dims) < 4
        }
        self._taken = {n for one in every for node in one.node for n in (node.name, *node.output)}
        self._taken |= {*self._typed} | {one.name for one in graph.initializer}
        self._fixed = {value.name for one in every for value in one.output}
        self._fixed |= {name for one in every[1:] for node in one.node for name in node.input}
        self._high: dict[str, str] = {}
        self._flat: dict[str, str] = {}
        self._maker: dict[str, Any] = {}
        self._made: list[Any] = []
        self.count = 0
        self._axis = self._named("row_axis")
        for node in nodes:
            self._take(node, weights)
        for value in graph.output:
            self._lowered(value.name)
        for weight in weights.values():
            weight.dims.insert(_ROW, 1)
        axis = graph.initializer.add(name=self._axis, dims=(1,), data_type=7)
        axis.int64_data.append(_ROW)
        del graph.node[:]
        graph.node.extend(self._made)
        self._describe(graph, weights)

    def _named(self, wish: str) -> str:
        while wish in self._taken:
            wish += "_"
        self._taken.add(wish)
        return wish

    def _take(self, node: Any, weights: dict[str, Any]) -> None:
        if _along_one(node) and node.input[1] in weights:
            self.count += 1
            self._spread(node, self._raised(node.input[0], node))
        elif node.op_type in _POOLS and _simple(node) and node.input[0] in self._high:
            self._spread(node, self._high[node.input[0]])
        elif node.op_type in _EACH and self._fits(node):
            for place, name in enumerate(node.input):
                node.input[place] = self._high.get(name, name)
            self._gives(node)
        else:
            for place, name in enumerate(node.input):
                node.input[place] = self._lowered(name)
            if any(inner(node)):
                for name in sorted(self._fixed & self._high.keys()):
                    self._lowered(name)
            self._made.append(node)

    def _fits(self, node: Any) -> bool:
        """Whether every operand is of rank 4 too, or a number, or of the channels."""
        if not _simple(node) or not any(name in self._high for name in node.input):
            return False
        if node.op_type == "BatchNormalization":
            return node.input[0] in self._high
        if node.op_type == "Concat":
            axis = next(one.i for one in node.attribute if one.name == "axis")
            return axis in (0, 1) and all(name in self._high for name in node.input)
        return all(not n or n in self._high or n in self._single for n in node.input)

    def _spread(self, node: Any, given: str) -> None:
        """A window gets a size, a step and a border along the row's height."""
        for attribute in node.attribute:
            if attribute.name in _SIZES:
                attribute.ints.insert(0, 1)
            elif attribute.name == "pads":
                before, after = attribute.ints
                attribute.ints[:] = (0, before, 0, after)
        node.input[0] = given
        self._gives(node)

    def _gives(self, node: Any) -> None:
        """What the node made ``[N, C, L]`` it makes ``[N, C, 1, L]``."""
        name = node.output[0]
        if name in self._fixed:
            node.output[0] = self._named(f"{name}_2d")
        self._high[name], self._maker[name] = node.output[0], node
        self._made.append(node)

    def _raised(self, name: str, reader: Any) -> str:
        """The value's name as ``[N, C, 1, L]``; made where it is not there yet."""
        if name not in self._high:
            self._high[name], self._flat[name] = self._named(f"{name}_2d"), name
            self._add("Unsqueeze", name, self._high[name], reader)
        return self._high[name]

    def _lowered(self, name: str) -> str:
        """Its name as ``[N, C, L]``; made where it is not there yet."""
        if name in self._high and name not in self._flat:
            self._flat[name] = name if name in self._fixed else self._named(f"{name}_1d")
            self._add("Squeeze", self._high[name], self._flat[name], self._maker[name])
        return self._flat.get(name, name)

    def _add(self, kind: str, given: str, gives: str, beside: Any) -> None:
        from onnx import helper

        name = self._named(f"{kind.lower()}_{gives}")
        node = helper.make_node(kind, [given, self._axis], [gives], name=name)
        node.metadata_props.extend(beside.metadata_props)
        self._made.append(node)

    def _describe(self, graph: Any, weights: Collection[str]) -> None:
        """The types of what is there now; initializers say their own."""
        told = {value.name: value for value in graph.value_info}
        for name in (name for name in self._high if name in self._typed):
            flat, high = (type(self._typed[name])() for _ in range(2))
            for one in (flat, high):
                one.CopyFrom(self._typed[name])
            sizes = high.type.tensor_type.shape.dim
            if len(sizes) == 3:
                sizes.add().CopyFrom(sizes[_ROW])
                sizes[_ROW].Clear()
                sizes[_ROW].dim_value = 1
            flat.name, high.name = self._flat.get(name, ""), self._high[name]
            told.pop(name, None)
            told.update({one.name: one for one in (flat, high) if one.name})
        for name in (*weights, *(value.name for value in (*graph.input, *graph.output))):
            told.pop(name, None)
        made = [type(value).FromString(value.SerializeToString()) for value in told.values()]
        del graph.value_info[:]
        graph.value_info.extend(made)


def _weights(model: Any) -> dict[str, Any]:
    """The initializers that convolutions along short lines read, and nothing else."""
    graph = model.graph
    outside = {value.name for value in (*graph.input, *graph.output)}
    found = {
        one.name: one for one in graph.initializer if len(one.dims) == 3 and one.name not in outside
    }
    if not found:
        return {}
    lengths, read = _lengths(model), set()
    for one in graphs(graph):
        for node in one.node:
            for place, name in enumerate(node.input):
                read.add(name)
                if name in found and not (
                    one is graph
                    and place == 1
                    and _along_one(node)
                    and _gains(node, found[name].dims, lengths)
                ):
                    del found[name]
        for value in one.output:
            found.pop(value.name, None)
    return {name: one for name, one in found.items() if name in read}


def _lengths(model: Any) -> dict[str, int]:
    """How long lines are, as far as the model says or onnx infers it."""
    from onnx import shape_inference

    graph = model.graph
    told = {value.name for value in (*graph.value_info, *graph.output)}
    if not all(name in told for node in graph.node if _along_one(node) for name in node.output):
        graph = shape_inference.infer_shapes(light(model)).graph
    return {
        value.name: value.type.tensor_type.shape.dim[2].dim_value
        for value in (*graph.value_info, *graph.output)
        if len(value.type.tensor_type.shape.dim) == 3
    }


def _gains(node: Any, weight: Sequence[int], lengths: Mapping[str, int]) -> bool:
    """Whether a convolution is of each of a block of channels by itself, or so short that one
    thread may do it; what has a window of one is a product of matrices in either form."""
    filters, channels, width = weight
    groups = next((one.i for one in node.attribute if one.name == "group"), 1)
    if width == 1:
        return False
    if channels == 1 and groups == filters >= _BLOCK:
        return True
    length = lengths.get(node.output[0], 0)
    alone: int = length * channels * width * min(filters // groups, _TOGETHER)
    return 0 < alone <= _ALONE


def _along_one(node: Any) -> bool:
    return node.op_type == "Conv" and _simple(node)


def _simple(node: Any) -> bool:
    """An operation of ONNX's own with one result, its border in numbers."""
    padded = [one.s for one in node.attribute if one.name == "auto_pad"]
    return not node.domain and len(node.output) == 1 and padded in ([], [b""], [b"NOTSET"])
