"""A model that remembers, and one with several functions."""

import coremltools as ct
import numpy as np
import pytest
import torch
from coremltools.converters.mil import Builder as mb  # noqa: N813


class Counter(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("total", torch.zeros(1, dtype=torch.float16))

    def forward(self, x):
        self.total.add_(x)
        return self.total * 1.0


@pytest.mark.skipif(ct.utils._macos_version() < (15, 0), reason="states need macOS 15")
def test_a_state_is_kept_between_calls():
    traced = torch.jit.trace(Counter().eval(), torch.ones(1, dtype=torch.float16))
    model = ct.convert(
        traced,
        inputs=[ct.TensorType("x", shape=(1,), dtype=np.float16)],
        outputs=[ct.TensorType("y", dtype=np.float16)],
        states=[ct.StateType(ct.TensorType(shape=(1,), dtype=np.float16), name="total")],
        minimum_deployment_target=ct.target.iOS18,
    )
    one, other = model.make_state(), model.make_state()
    answers = [model.predict({"x": np.float32([2])}, state=one)["y"].item() for _ in range(3)]
    assert answers == [2, 4, 6]
    assert one.read_state("total") == 6
    assert other.read_state("total") == 0
    other.write_state("total", np.float32([10]))
    assert model.predict({"x": np.float32([1])}, state=other)["y"] == 11


def scaled(factor, path):
    @mb.program(input_specs=[mb.TensorSpec(shape=(3,))], opset_version=ct.target.iOS18)
    def program(x):
        return mb.mul(x=x, y=np.float32(factor), name="y")

    ct.convert(program, minimum_deployment_target=ct.target.iOS18).save(path)


def test_each_function_by_its_name(tmp_path):
    several = ct.utils.MultiFunctionDescriptor()
    for name, factor in (("double", 2), ("triple", 3)):
        path = str(tmp_path / f"{name}.mlpackage")
        scaled(factor, path)
        several.add_function(path, src_function_name="main", target_function_name=name)
    several.default_function_name = "double"
    both = str(tmp_path / "both.mlpackage")
    ct.utils.save_multifunction(several, both)
    x = {"x": np.float32([1, 2, 3])}
    assert ct.models.MLModel(both).predict(dict(x))["y"].tolist() == [2, 4, 6]
    triple = ct.models.MLModel(both, function_name="triple")
    assert triple.predict(dict(x))["y"].tolist() == [3, 6, 9]
