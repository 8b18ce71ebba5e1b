"""Small networks through coremltools' own converter, and files made layer by layer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lading.coreml import neuralnetwork


@pytest.fixture
def converted(tmp_path: Path) -> Callable[..., neuralnetwork.Model]:
    """`converted(module, *inputs)`: the module as coremltools writes it, inputs x0, x1, ..."""
    import coremltools as ct

    def make(module: nn.Module, *inputs: torch.Tensor) -> neuralnetwork.Model:
        with torch.no_grad():
            traced = torch.jit.trace(module, inputs, check_trace=False)
        kinds = [np.float32 if one.is_floating_point() else np.int32 for one in inputs]
        pairs = enumerate(zip(inputs, kinds, strict=True))
        model = ct.convert(
            traced,
            convert_to="neuralnetwork",
            inputs=[ct.TensorType(f"x{i}", tuple(x.shape), dtype=kind) for i, (x, kind) in pairs],
            outputs=[ct.TensorType("y")],
            skip_model_load=True,
        )
        path = tmp_path / "net.mlmodel"
        path.write_bytes(model.get_spec().SerializeToString())
        return neuralnetwork.load(path)

    return make


@pytest.fixture
def built(tmp_path: Path) -> Callable[..., Path]:
    """`built(add, shape)`: a file with input x and output y, whose layers `add(builder)` makes."""
    from coremltools.models import datatypes
    from coremltools.models.neural_network import NeuralNetworkBuilder

    def make(
        add: Callable[[Any], None], shape: tuple[int, ...], change: Any = lambda spec: None
    ) -> Path:
        builder = NeuralNetworkBuilder(
            [("x", datatypes.Array(*shape))],
            [("y", None)],
            disable_rank5_shape_mapping=True,
            use_float_arraytype=True,
        )
        add(builder)
        change(builder.spec)
        path = tmp_path / "built.mlmodel"
        path.write_bytes(builder.spec.SerializeToString())
        return path

    return make
