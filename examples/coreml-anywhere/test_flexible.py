"""A network that takes several sizes, saved, opened again, and compiled."""

import coremltools as ct
import numpy as np
import pytest
import torch


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.GELU()).eval()


@pytest.fixture(scope="module")
def package(network, tmp_path_factory):
    traced = torch.jit.trace(network, torch.rand(1, 1, 16, 16))
    side = ct.RangeDim(lower_bound=16, upper_bound=64, default=16)
    model = ct.convert(
        traced,
        inputs=[ct.TensorType("x", shape=ct.Shape((1, 1, side, side)))],
        outputs=[ct.TensorType("y")],
        compute_precision=ct.precision.FLOAT32,
    )
    path = str(tmp_path_factory.mktemp("flexible") / "Edges.mlpackage")
    model.save(path)
    return path


@pytest.mark.parametrize("size", [(16, 16), (17, 40), (64, 64)])
def test_sizes_in_the_range(network, package, size):
    x = np.random.default_rng(2).standard_normal((1, 1, *size)).astype(np.float32)
    model = ct.models.MLModel(package, compute_units=ct.ComputeUnit.CPU_ONLY)
    y = model.predict({"x": x})["y"]
    np.testing.assert_allclose(y, network(torch.from_numpy(x)).detach(), atol=1e-5)


def test_a_size_out_of_the_range(package):
    model = ct.models.MLModel(package)
    with pytest.raises(RuntimeError, match=r"Size \(80\) of dimension \(3\)"):
        model.predict({"x": np.zeros((1, 1, 16, 80), np.float32)})


def test_compiled(package, tmp_path):
    path = ct.models.utils.compile_model(package, str(tmp_path / "Edges.mlmodelc"))
    x = np.ones((1, 1, 16, 16), np.float32)
    compiled = ct.models.CompiledMLModel(path).predict({"x": x})["y"]
    np.testing.assert_array_equal(compiled, ct.models.MLModel(package).predict({"x": x})["y"])
