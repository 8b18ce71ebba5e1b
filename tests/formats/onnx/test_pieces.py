"""What is written weight by weight is the model that it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from lading.formats.onnx import pieces

COUNTS = st.lists(st.integers(0, 300), max_size=4)


@given(counts=COUNTS, text=st.text(max_size=200))
def test_it_is_read_as_it_was(counts: list[int], text: str, tmp_path_factory: object) -> None:
    path: Path = tmp_path_factory.mktemp("pieces") / "m.onnx"  # type: ignore[attr-defined]
    weights = [
        numpy_helper.from_array(np.arange(count, dtype=np.float32), f"w{number}")
        for number, count in enumerate(counts)
    ]
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [3]) for name in "xy"]
    node = helper.make_node("Relu", ["x"], ["y"], doc_string=text)
    graph = helper.make_graph([node], "net", value[:1], value[1:], weights, doc_string=text)
    model = helper.make_model(graph, producer_name=text)
    whole = onnx.ModelProto.FromString(model.SerializeToString())
    pieces.write(model, path)
    assert onnx.load(path) == whole
    assert path.stat().st_size == whole.ByteSize()
