"""What a user's commands do with an artifact: `inspect`, and the runtimes' load."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from lading.errors import LadingError
from lading.formats import open_artifact
from tests.fuzz.coreml import raw


def looked_at(path: Path) -> str:
    """All that is read of an artifact; what refuses one question may answer the next."""
    opened = open_artifact(path)
    record = opened.record
    obstacle = opened.obstacle()
    for question in (opened.hazards, opened.randomness, opened.noted, opened.constants):
        try:
            question()
        except LadingError:
            continue
    return f"{record.title}: {obstacle or 'it runs here'}"


def graphs() -> list[bytes]:
    """ONNX files: a network, its half-precision and packed forms, a branch, functions, old opsets,
    weights outside the file."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    make = helper.make_node

    def port(name: str, shape: Any, kind: int = 1) -> Any:
        return helper.make_tensor_value_info(name, kind, shape)

    def model(
        nodes: Any, inputs: Any, outputs: Any, held: Any = (), opset: int = 18, **more: Any
    ) -> Any:
        made = helper.make_graph(nodes, "g", inputs, outputs, list(held))
        imports = [helper.make_opsetid("", opset), helper.make_opsetid("own", 1)]
        whole = helper.make_model(made, opset_imports=imports, **more)
        helper.set_model_props(whole, {"lading.labels": '["a"]', "author": "somebody"})
        return whole

    x, y = port("x", [1, 3, 8, "n"]), port("y", [1, 4, 8, "n"])
    w = numpy_helper.from_array(rng.standard_normal((4, 3, 3, 3)).astype(np.float32), "w")
    conv = [make("Conv", ["x", "w"], ["c"], pads=[1] * 4), make("Relu", ["c"], ["y"])]
    plain = model(conv, [x], [y], [w])
    half = model(
        [make("Cast", ["x"], ["h"], to=10), make("Exp", ["h"], ["e"]),
         make("Cast", ["e"], ["y"], to=1)], [x], [port("y", None)],
    )  # fmt: skip
    q = numpy_helper.from_array(rng.integers(-9, 9, (4, 3, 3, 3)).astype(np.int8), "q")
    s = numpy_helper.from_array(np.float32(0.5), "s")
    packed = model([make("DequantizeLinear", ["q", "s"], ["w"]), *conv], [x], [y], [q, s])
    inner = [helper.make_graph([make(op, ["x"], ["z"])], op, [], [port("z", None)])
             for op in ("Neg", "Abs")]  # fmt: skip
    branch = model(
        [make("If", ["f"], ["y"], then_branch=inner[0], else_branch=inner[1])],
        [x, port("f", [], TensorProto.BOOL)], [port("y", None)],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    function = helper.make_function(
        "own", "twice", ["a"], ["b"], [make("Add", ["a", "a"], ["b"])], opsets
    )
    calls = model([make("twice", ["x"], ["y"], domain="own")], [x], [y], functions=[function])
    sequence = helper.make_tensor_sequence_value_info("l", 1, None)
    lists = model([make("SequenceAt", ["l", "i"], ["y"])], [sequence, port("i", [], 7)], [y])
    old = model([make("Add", ["x", "x"], ["y"])], [x], [y], opset=6)
    outside = onnx.ModelProto()
    outside.CopyFrom(plain)
    held = outside.graph.initializer[0]
    held.ClearField("raw_data")
    held.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "w.bin"), ("offset", "0"), ("length", "432")):
        held.external_data.add(key=key, value=value)
    every = (plain, half, packed, branch, calls, lists, old, outside)
    return [raw(one) for one in every]
