"""Watches what a test asks of Core ML's stand-in, `lading.coreml.plugin`.

Everything that the runtime was asked, and everything it refused, goes into the `Case` of the test
that is running, so that no test can swallow it.
"""

from __future__ import annotations

import copy
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any


@dataclass
class Case:
    """What one test did with the runtime.

    Attributes:
        predictions: calls that the runtime answered or refused.
        compared: outputs that the suite's own comparison saw.
        looked_at: outputs that the test took out and judged by itself.
        errors: what the runtime refused, whether or not the test let it through.
        mismatches: outputs outside our tolerance, see `plugin.difference`.
        widened: comparisons that hold for float32 arithmetic alone, see `_predict`.
        xfail: why the suite expects the test to fail, if it does.
        rounded: comparisons held to float16's tolerance, see `known.LOOSER`.
        route: by which the stack carried the network, or ``"none"``; empty where it was not asked.
    """

    predictions: int = 0
    compared: int = 0
    looked_at: int = 0
    widened: int = 0
    rounded: int = 0
    xfail: str = ""
    route: str = ""
    errors: list[str] = field(default_factory=list)
    mismatches: list[str] = field(default_factory=list)


#: The test that is running, and the precision that the suite's own comparison wants; empty while
#: it is not comparing; and what the runtime last answered. There is one of each at a time.
current = SimpleNamespace(case=Case(), comparing="", answer=None)


class Outputs(dict[str, Any]):
    """What `predict` gives: a dictionary that knows when a test takes a value out.

    Attributes:
        widened: the same prediction in float32 arithmetic, where the other is not and the case
            asks for float32; see `_predict`.
    """

    widened: Mapping[str, Any] | None = None

    def _seen(self, count: int = 1) -> None:
        if not current.comparing:
            current.case.looked_at += count

    def __getitem__(self, name: str) -> Any:
        self._seen()
        return super().__getitem__(name)

    def values(self) -> Any:
        self._seen(len(self))
        return super().values()

    def items(self) -> Any:
        self._seen(len(self))
        return super().items()


def install() -> None:
    """Begin to watch. The stand-in is on, and no test module is imported yet.

    Raises:
        RuntimeError: it is not on: nothing would reach the runtime.
    """
    import coremltools
    import coremltools.converters._converters_entry as entry

    from lading.coreml.standin import native

    if coremltools.models.model._MLModelProxy is not native.ModelProxy:
        raise RuntimeError("the stand-in is not on: nothing would reach lading.coreml")
    native.ModelProxy.predict = _predict(native.ModelProxy.predict)
    coremltools.models.MLModel.predict = _unopened(coremltools.models.MLModel.predict)
    # Every conversion ends in a full collection, which takes longer than the conversion itself.
    entry.gc = SimpleNamespace(collect=lambda *_: 0)
    _machine(platform.machine)
    _validate_once()


def _predict(answers: Any) -> Any:
    """`ModelProxy.predict`, watched.

    Some cases ask 1e-4 of programs that are float16 inside, where one ulp may be more. Core ML's
    declared types are a minimum: what is declared float16 may be computed in float32, and such a
    test's reference was, or was not. For these the answer in float32 goes beside the one at the
    declared types.
    """

    def predict(proxy: Any, data: Mapping[str, Any], state: Any = None) -> Outputs:
        case = current.case
        case.predictions += 1
        try:
            widened = None
            if current.comparing == "fp32" and _halves(proxy.model):
                more = {"state": copy.deepcopy(state.state)} if state is not None else {}
                widened = proxy.model.predict(data, precision="float32", **more)
            current.answer = Outputs(answers(proxy, data, state))
            current.answer.widened = widened
            return current.answer
        except Exception as error:
            cause = error.__cause__ or error
            case.errors.append(f"{type(cause).__name__}: {cause}")
            raise

    return predict


def _unopened(predicts: Any) -> Any:
    """`MLModel.predict`, watched where the model was refused when it was opened."""

    def predict(model: Any, data: Any, state: Any = None) -> Any:
        if model._framework_error is not None:
            current.case.predictions += 1
            current.case.errors.append(f"{model._framework_error}")
        return predicts(model, data, state)

    return predict


def _halves(model: Any) -> bool:
    """Whether any value of the program is declared float16."""
    functions = [one for leaf in model.leaves for one in leaf.program.functions.values()]
    types = [value.type for function in functions for value in function.inputs]
    for function in functions:
        types += [value.type for op in function.block.walk() for value in op.outputs]
    return any("float16" in str(one) for one in types)


def _machine(real: Any) -> None:
    """Only coremltools' own frames are told of Apple silicon: torch and numpy ask too."""

    def machine() -> str:
        asks = sys._getframe(1).f_globals.get("__name__", "")
        return "arm64" if asks.partition(".")[0] == "coremltools" else str(real())

    platform.machine = machine


def _validate_once() -> None:
    """A conversion checks the program after each of some 110 passes: a quarter of its time.

    Here it is checked before the first and after the last. What the passes do stays the same.
    """
    from coremltools.converters.mil.mil.passes.pass_pipeline import PassPipelineManager

    original = PassPipelineManager.apply_pipeline

    def apply_pipeline(prog: Any, pass_pipeline: Any) -> None:
        prog.validate()
        prog.validate = lambda **_: None
        try:
            original(prog, pass_pipeline)
        finally:
            del prog.validate
        prog.validate(check_essential_scope=True)

    PassPipelineManager.apply_pipeline = staticmethod(apply_pipeline)
