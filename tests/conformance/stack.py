"""The torch suite over the stack: its networks taken and said as `lading` does, not as coremltools.

`install` puts lading's own way in the place of the suite's `run_compare_torch`: repairs around the
capture, other spellings, the compatibility shelf around ``ct.convert``, and where one route fails
the next one. What is compared, with what, and how closely stays the suite's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn

from tests.conformance import watch

#: How a network is taken, by the suite's front end: its own way first.
ROUTES = {
    "TORCHSCRIPT": ("trace", "export", "decomposed"),
    "TORCHEXPORT": ("export", "decomposed", "trace"),
}


def install() -> None:
    """Puts the stack in place; the suite's tests are not imported yet."""
    from coremltools.converters.mil.frontend.torch.test import testing_utils as suite

    suite.TorchBaseTest.run_compare_torch = staticmethod(_run)


def _run(
    input_data: Any,
    model: nn.Module,
    expected_results: Any = None,
    atol: float = 1e-04,
    rtol: float = 1e-05,
    input_as_shape: bool = True,
    input_dtype: Any = None,
    rand_range: tuple[float, float] = (-1.0, 1.0),
    use_scripting: bool = False,
    minimum_deployment_target: Any = None,
    torch_device: Any = None,
    frontend: Any = None,
    torch_export_dynamic_shapes: Any = None,
    **how: Any,
) -> Any:
    """In the place of `TorchBaseTest.run_compare_torch`, with its arguments and its answer."""
    import numpy as np
    from coremltools.converters.mil.frontend.torch.test import testing_utils as suite
    from coremltools.converters.mil.frontend.torch.utils import TorchFrontend

    frontend = frontend or TorchFrontend.TORCHSCRIPT
    if minimum_deployment_target is not None:
        suite.validate_minimum_deployment_target(
            minimum_deployment_target, how.get("backend", ("neuralnetwork", "fp32"))
        )
    if input_as_shape:
        device = torch_device or torch.device("cpu")
        dtype = np.float32 if input_dtype is None else input_dtype
        input_data = suite.generate_input_data(input_data, rand_range, dtype, device)
    model.eval()
    inputs = suite._copy_input_data(input_data)
    inputs = tuple(inputs) if isinstance(inputs, (list, tuple)) else (inputs,)
    if expected_results is None:  # of the untouched network
        expected_results = model(*suite._copy_input_data(inputs))
    case, first = watch.current.case, None
    before = len(case.errors)
    routes: Sequence[str] = ROUTES[frontend.name]
    for route in ("script", *routes) if use_scripting else routes:
        try:
            with _taken(model, inputs, route, torch_export_dynamic_shapes) as graph:
                found = suite.convert_and_compare(
                    input_data, graph, expected_results=expected_results, atol=atol, rtol=rtol,
                    minimum_deployment_target=minimum_deployment_target,
                    **{**how, "converter": _converted},
                )  # fmt: skip
        except Exception as error:  # every kind: this route cannot, or is wrong
            first = first or error
            continue
        del case.errors[before:]  # what the runtime refused of a route that was left
        case.route = route
        return (*found, suite.TorchBaseTest.testclassname, suite.TorchBaseTest.testmodelname)
    assert first is not None
    case.route = "none"
    raise first


@contextmanager
def _taken(model: nn.Module, inputs: tuple[Any, ...], route: str, dynamic: Any) -> Iterator[Any]:
    """The graph, taken of the repaired network, in the spelling that coremltools knows."""
    from lading.conversion.apple import sayable
    from lading.conversion.spelling import spelled

    with ExitStack() as stack:
        stack.enter_context(torch.no_grad())
        if route == "script":
            yield torch.jit.script(model)
            return
        module = _repaired(model, inputs, route, dynamic is None, stack)
        if route == "trace":
            yield torch.jit.trace(module, inputs, check_trace=False)
            return
        exported = torch.export.export(module, inputs, dynamic_shapes=dynamic)
        values = tuple(dynamic.values()) if isinstance(dynamic, dict) else dynamic
        shapes = None if values is None else tuple(values)
        taken_apart = None if route == "decomposed" else {}
        yield sayable(spelled(exported, shapes).run_decompositions(taken_apart))


def _repaired(
    model: nn.Module, inputs: tuple[Any, ...], route: Any, fixed: bool, stack: ExitStack
) -> nn.Module:
    """The network with every repair that applies; itself where it takes more than tensors."""
    from lading.conversion.repairs import Case, repairs

    if not all(isinstance(one, torch.Tensor) for one in inputs):
        return model
    for repair in repairs().values():
        if repair.scope(Case(model, inputs, route, fixed)).where:
            model = stack.enter_context(repair.applied(model))
    return model


def _converted(program: Any, **how: Any) -> Any:
    """``ct.convert`` as lading calls it."""
    import coremltools as ct

    from lading.conversion.compatibility import forms, int16, share_constants
    from lading.conversion.compatibility.quick import quick

    half = how.get("compute_precision") in (None, ct.precision.FLOAT16)
    how.setdefault("pass_pipeline", share_constants.pipeline(half=half))
    with forms.in_force(), int16.in_force(), quick():
        return ct.convert(program, **how)
