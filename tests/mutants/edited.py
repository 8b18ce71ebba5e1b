"""Wrong artifacts by an edit of a right file: the graph of ONNX, the program of Core ML.

Each edit takes the opened file and says whether it found something to change.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from lading.coreml.mil.description import proto

Edit = Callable[[Any], bool]
ONNX: dict[str, Edit] = {}
COREML: dict[str, Edit] = {}


def on(shelf: dict[str, Edit], name: str) -> Callable[[Edit], Edit]:
    def keep(function: Edit) -> Edit:
        shelf[name] = function
        return function

    return keep


# ------------------------------------------------------------------------------- values, any format
def one_per_cent(w: Any) -> Any:
    w.reshape(-1)[5] *= 1.01
    return w


def swapped(w: Any) -> Any:
    w[[0, 1]] = w[[1, 0]]
    return w


def turned(w: Any) -> Any:
    return w.swapaxes(-1, -2) if w.ndim == 4 and w.shape[-1] == w.shape[-2] else w[..., ::-1]


def thinned(w: Any) -> Any:
    return w * (np.abs(w) > np.median(np.abs(w)) / 8)


def coarse(w: Any) -> Any:
    for levels in (127, 113):
        step = np.abs(w).max() / levels
        w = np.rint(w / step) * step
    return w


WEIGHTS: dict[str, Callable[[Any], Any]] = {
    "one weight changed by 1 %": one_per_cent,
    "one channel swapped": swapped,
    "a kernel transposed": turned,
    "a pruned tensor": thinned,
    "quantised twice": coarse,
}


# ------------------------------------------------------------------------------------------- ONNX
def edit_onnx(path: Path, out: Path, edit: Edit) -> bool:
    """Writes `path`, edited, to `out`; False where the edit found nothing."""
    model = onnx.load(str(path))
    if not edit(model.graph):
        return False
    onnx.save(model, str(out))
    return True


def nodes(graph: Any, *types: str) -> list[Any]:
    found = [node for node in graph.node if node.op_type in types]
    return found[len(found) // 2 :] + found[: len(found) // 2]


def initial(graph: Any, name: str) -> Any:
    return next((one for one in graph.initializer if one.name == name), None)


def on_a_weight(change: Callable[[Any], Any]) -> Edit:
    def edit(graph: Any) -> bool:
        for node in nodes(graph, "Conv", "Gemm", "MatMul"):
            one = initial(graph, node.input[1]) if len(node.input) > 1 else None
            if one is None or (change is turned and node.op_type != "Conv"):
                continue
            old = numpy_helper.to_array(one)
            new = np.ascontiguousarray(change(old.copy())).astype(old.dtype)
            if np.array_equal(old, new) or old.shape[0] < 2:
                continue
            one.CopyFrom(numpy_helper.from_array(new, one.name))
            return True
        return False

    return edit


def attribute(name: str, types: tuple[str, ...], change: Callable[[Any], Any]) -> Edit:
    def edit(graph: Any) -> bool:
        for node in nodes(graph, *types):
            for one in node.attribute:
                if one.name == name:
                    value = change(helper.get_attribute_value(one))
                    one.CopyFrom(helper.make_attribute(name, value))
                    return True
        return False

    return edit


ONNX.update({name: on_a_weight(change) for name, change in WEIGHTS.items()})
NORMS = ("InstanceNormalization", "BatchNormalization", "LayerNormalization")
ONNX["a norm's epsilon times 100"] = attribute("epsilon", NORMS, lambda v: v * 100)
ONNX["a leaky slope changed"] = attribute("alpha", ("LeakyRelu",), lambda v: v * 1.5)
ONNX["softmax axis changed"] = attribute("axis", ("Softmax",), lambda v: -2)
ONNX["up-sampling's align flag flipped"] = attribute(
    "coordinate_transformation_mode", ("Resize",), lambda v: "align_corners"
)
ONNX["padding mode changed"] = attribute("mode", ("Pad",), lambda v: "edge")


@on(ONNX, "a bias dropped")
def _bias(graph: Any) -> bool:
    for node in nodes(graph, "Conv", "Gemm"):
        one = initial(graph, node.input[2]) if len(node.input) > 2 else None
        if one is not None and numpy_helper.to_array(one).any():
            del node.input[2]
            return True
    return False


@on(ONNX, "a norm's affine left out")
def _affine(graph: Any) -> bool:
    for node in nodes(graph, *NORMS):
        one = initial(graph, node.input[1])
        if one is not None:
            ones = np.ones_like(numpy_helper.to_array(one))
            one.CopyFrom(numpy_helper.from_array(ones, one.name))
            return True
    return False


@on(ONNX, "a skip connection crossed")
def _crossed(graph: Any) -> bool:
    for node in nodes(graph, "Concat"):
        if next(a.i for a in node.attribute if a.name == "axis") == 1 and len(node.input) == 2:
            node.input[:] = list(reversed(node.input))
            return True
    return False


@on(ONNX, "a skip connection cut")
def _cut(graph: Any) -> bool:
    for node in nodes(graph, "Concat"):
        if next(a.i for a in node.attribute if a.name == "axis") == 1 and len(node.input) == 2:
            place = list(graph.node).index(node)
            zero = numpy_helper.from_array(np.zeros((), np.float32), "no_skip")
            graph.initializer.append(zero)
            graph.node.insert(place, helper.make_node("Mul", [node.input[1], "no_skip"], ["cut"]))
            graph.node[place + 1].input[1] = "cut"
            return True
    return False


def before_the_input(op: str, number: float) -> Edit:
    def edit(graph: Any) -> bool:
        name = graph.input[0].name
        if graph.input[0].type.tensor_type.elem_type != onnx.TensorProto.FLOAT:
            return False
        graph.initializer.append(numpy_helper.from_array(np.float32(number).reshape(()), "factor"))
        for node in graph.node:
            node.input[:] = ["scaled" if one == name else one for one in node.input]
        graph.node.insert(0, helper.make_node(op, [name, "factor"], ["scaled"]))
        return True

    return edit


ONNX["input scale applied twice"] = before_the_input("Mul", 2.0)


@on(ONNX, "label order permuted")
def _labels(graph: Any) -> bool:
    value = graph.output[0]
    sizes = [one.dim_value for one in value.type.tensor_type.shape.dim]
    if len(graph.output) != 1 or value.name == "prediction" or sizes[1] < 2:
        return False
    order = np.roll(np.arange(sizes[1]), 1).astype(np.int64)
    for node in graph.node:
        node.output[:] = ["unordered" if one == value.name else one for one in node.output]
    graph.initializer.append(numpy_helper.from_array(order, "order"))
    graph.node.append(helper.make_node("Gather", ["unordered", "order"], [value.name], axis=1))
    return True


@on(ONNX, "two outputs swapped")
def _outputs(graph: Any) -> bool:
    if len(graph.output) != 2:
        return False
    one, other = (value.name for value in graph.output)
    both = {one: other, other: one}
    for node in graph.node:
        node.output[:] = [both.get(name, name) for name in node.output]
    return True


@on(ONNX, "dropout left on")
def _dropout(graph: Any) -> bool:
    for node in nodes(graph, "Relu", "LeakyRelu", "Tanh", "Erf", "Sigmoid"):
        name = node.output[0]
        node.output[0] = "kept"
        place = list(graph.node).index(node) + 1
        graph.initializer.extend([
            numpy_helper.from_array(np.float32(0.1).reshape(()), "ratio"),
            numpy_helper.from_array(np.asarray(True), "training"),
        ])  # fmt: skip
        made = helper.make_node("Dropout", ["kept", "ratio", "training"], [name], seed=1)
        graph.node.insert(place, made)
        return True
    return False


# ---------------------------------------------------------------------------------------- Core ML
class Package:
    """A copy of an `.mlpackage`, opened for edits."""

    def __init__(self, path: Path, out: Path) -> None:
        shutil.copytree(path, out)
        self.model = out / "Data" / "com.apple.CoreML" / "model.mlmodel"
        self.spec = proto().Model()
        self.spec.ParseFromString(self.model.read_bytes())
        function = self.spec.mlProgram.functions["main"]
        self.block = function.block_specializations[function.opset]
        self.consts = {op.outputs[0].name: op for op in self.block.operations if op.type == "const"}
        self.blob = out / "Data" / "com.apple.CoreML" / "weights" / "weight.bin"

    def save(self) -> None:
        self.model.write_bytes(self.spec.SerializeToString())

    def ops(self, *types: str) -> list[Any]:
        found = [op for op in self.block.operations if op.type in types]
        return found[len(found) // 2 :] + found[: len(found) // 2]

    def value(self, op: Any, name: str) -> Any:
        """The constant's protobuf value that feeds an op's input; None where it is none."""
        if name not in op.inputs:
            return None
        argument = op.inputs[name].arguments[0]
        if argument.WhichOneof("binding") == "value":
            return argument.value
        const = self.consts.get(argument.name)
        return None if const is None else const.attributes["val"]

    def array(self, value: Any) -> Any:
        kind = value.type.tensorType
        shape = [one.constant.size for one in kind.dimensions]
        dtype = {10: np.float16, 11: np.float32, 23: np.int32}[kind.dataType]
        if value.WhichOneof("value") == "blobFileValue":
            data = self.blob.read_bytes()
            start = int.from_bytes(data[value.blobFileValue.offset + 16 :][:8], "little")
            count = int(np.prod(shape))
            return np.frombuffer(data, dtype, count, start).reshape(shape).copy()
        tensor = value.immediateValue.tensor
        which = tensor.WhichOneof("value")
        if which == "bytes":
            return np.frombuffer(tensor.bytes.values, dtype).reshape(shape).copy()
        return np.array(getattr(tensor, which).values, dtype).reshape(shape)

    def put(self, value: Any, array: Any) -> None:
        old = self.array(value)
        new = np.ascontiguousarray(array).astype(old.dtype)
        if value.WhichOneof("value") == "blobFileValue":
            data = bytearray(self.blob.read_bytes())
            start = int.from_bytes(data[value.blobFileValue.offset + 16 :][:8], "little")
            data[start : start + new.nbytes] = new.tobytes()
            self.blob.write_bytes(bytes(data))
            return
        tensor = value.immediateValue.tensor
        which = tensor.WhichOneof("value")
        if which == "bytes":
            tensor.bytes.values = new.tobytes()
        else:
            del getattr(tensor, which).values[:]
            getattr(tensor, which).values.extend(new.reshape(-1).tolist())


def edit_coreml(path: Path, out: Path, edit: Edit) -> bool:
    """Writes `path`, edited, to `out`; False where the edit found nothing."""
    package = Package(path, out)
    if not edit(package):
        shutil.rmtree(out)
        return False
    package.save()
    return True


def on_an_input(types: tuple[str, ...], name: str, change: Callable[[Any], Any]) -> Edit:
    def edit(package: Package) -> bool:
        for op in package.ops(*types):
            value = package.value(op, name)
            if value is None:
                continue
            old = package.array(value)
            if old.size < 2 and change in WEIGHTS.values():
                continue
            new = np.asarray(change(old.copy()))
            if not np.array_equal(old, new.astype(old.dtype)):
                package.put(value, new)
                return True
        return False

    return edit


COREML.update({n: on_an_input(("conv", "linear"), "weight", c) for n, c in WEIGHTS.items()})
COREML["a kernel transposed"] = on_an_input(("conv",), "weight", turned)
COREML["a bias dropped"] = on_an_input(("conv", "linear"), "bias", np.zeros_like)
NORMED = ("instance_norm", "batch_norm", "layer_norm")
COREML["a norm's epsilon times 100"] = on_an_input(NORMED, "epsilon", lambda v: v * 100)
COREML["a norm's affine left out"] = on_an_input(NORMED, "gamma", np.ones_like)
COREML["a leaky slope changed"] = on_an_input(("leaky_relu",), "alpha", lambda v: v * 1.5)
COREML["softmax axis changed"] = on_an_input(("softmax",), "axis", lambda v: v * 0 - 2)


def text(types: tuple[str, ...], name: str, new: str) -> Edit:
    def edit(package: Package) -> bool:
        for op in package.ops(*types):
            value = package.value(op, name)
            if value is not None:
                value.immediateValue.tensor.strings.values[:] = [new]
                return True
        return False

    return edit


COREML["GELU tanh for erf"] = text(("gelu",), "mode", "TANH_APPROXIMATION")
COREML["padding mode changed"] = text(("pad",), "mode", "replicate")


@on(COREML, "up-sampling's align flag flipped")
def _corners(package: Any) -> bool:
    for op in package.ops("upsample_bilinear"):
        value = package.value(op, "align_corners")
        if value is not None:
            flags = value.immediateValue.tensor.bools.values
            flags[0] = not flags[0]
            return True
    return False


@on(COREML, "a skip connection crossed")
def _joined(package: Any) -> bool:
    for op in package.ops("concat"):
        arguments = op.inputs["values"].arguments
        if len(arguments) == 2 and not {one.name for one in arguments} & package.consts.keys():
            one, other = arguments[0].name, arguments[1].name
            arguments[0].name, arguments[1].name = other, one
            return True
    return False


@on(COREML, "two outputs swapped")
def _both(package: Any) -> bool:
    names = list(package.block.outputs)
    if len(names) != 2:
        return False
    both = {names[0]: names[1], names[1]: names[0]}
    for op in package.block.operations:
        for value in op.outputs:
            value.name = both.get(value.name, value.name)
    return True
