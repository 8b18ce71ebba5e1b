"""Fixtures that make Core ML packages with plain coremltools, save them, and load them here."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from lading.coreml.mil.model import Model, load

logging.getLogger("coremltools").setLevel(logging.CRITICAL)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def converted(tmp_path: Path) -> Callable[..., Model]:
    """``converted(module, x, ...)``: traced, converted, saved, and loaded from disk."""

    def run(
        module: torch.nn.Module,
        *examples: torch.Tensor,
        half: bool = False,
        inputs: Sequence[Any] | None = None,
        target: str = "iOS16",
        outputs: Sequence[Any] | None = None,
        **options: Any,
    ) -> Model:
        import coremltools as ct

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with torch.no_grad():
                traced = torch.jit.trace(module.eval(), examples, check_trace=False)
            names = [f"x{i}" for i in range(len(examples))]
            model = ct.convert(
                traced,
                inputs=inputs
                or [
                    ct.TensorType(name, shape=tuple(x.shape))
                    for name, x in zip(names, examples, strict=True)
                ],
                outputs=outputs or [ct.TensorType("y")],
                compute_precision=ct.precision.FLOAT16 if half else ct.precision.FLOAT32,
                minimum_deployment_target=getattr(ct.target, target),
                skip_model_load=True,
                **options,
            )
        path = tmp_path / f"net{len(list(tmp_path.iterdir()))}.mlpackage"
        model.save(str(path))
        return load(path)

    return run


@pytest.fixture
def built(tmp_path: Path) -> Callable[..., Model]:
    """``built(function, {"x": (shape, dtype)}, opset="iOS17")``: a program written with `mb`."""

    def run(
        function: Callable[..., Any],
        inputs: dict[str, tuple[Sequence[Any], str]],
        opset: str = "iOS17",
        **options: Any,
    ) -> Model:
        path = save_built(function, inputs, opset, tmp_path, **options)
        return load(path)

    return run


def save_built(
    function: Callable[..., Any],
    inputs: dict[str, tuple[Sequence[Any], str]],
    opset: str,
    folder: Path,
    **options: Any,
) -> Path:
    """The package that `built` loads; nothing is optimised away."""
    import coremltools as ct
    from coremltools.converters.mil.mil import Builder, types

    target = getattr(ct.target, opset)
    specs = [
        Builder.TensorSpec(shape=tuple(shape), dtype=types.string_to_builtin(dtype))
        for shape, dtype in inputs.values()
    ]
    # Names of the builder's inputs are those of the function's parameters.
    program = Builder.program(input_specs=specs, opset_version=target)(function)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = ct.convert(
            program,
            convert_to="mlprogram",
            minimum_deployment_target=target,
            pass_pipeline=ct.PassPipeline.EMPTY,
            compute_precision=ct.precision.FLOAT32,
            skip_model_load=True,
            **options,
        )
    path = folder / f"built{len(list(folder.iterdir()))}.mlpackage"
    model.save(str(path))
    return path
