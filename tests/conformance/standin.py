"""Stands in for `coremltools.libcoremlpython`, the native module that only a Mac has.

coremltools' own tests build a model, and off a Mac compare nothing. With this module in its place
they believe themselves on macOS 15.5 on Apple silicon, and `MLModel.predict` is answered by
`lading.coreml.mil`. Everything that the runtime was asked, and everything it refused, goes into the
`Case` of the test that is running, so that no test can swallow it.
"""

from __future__ import annotations

import copy
import platform
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast

MACOS = (15, 5)


@dataclass
class Case:
    """What one test did with the runtime.

    Attributes:
        predictions: calls that `lading.coreml.mil` answered or refused.
        compared: outputs that the suite's own comparison saw.
        looked_at: outputs that the test took out and judged by itself.
        neural_networks: calls that were for a neural network, which is no ML Program.
        errors: what the runtime refused, whether or not the test let it through.
        mismatches: outputs outside our tolerance, see `plugin.difference`.
        widened: comparisons that hold for float32 arithmetic alone, see `ModelProxy.predict`.
        xfail: why the suite expects the test to fail, if it does.
        rounded: comparisons held to float16's tolerance, see `known.LOOSER`.
    """

    predictions: int = 0
    compared: int = 0
    looked_at: int = 0
    neural_networks: int = 0
    widened: int = 0
    rounded: int = 0
    xfail: str = ""
    errors: list[str] = field(default_factory=list)
    mismatches: list[str] = field(default_factory=list)


#: The test that is running, and the precision that the suite's own comparison wants; empty while
#: it is not comparing; and what the runtime last answered. There is one of each at a time.
current = SimpleNamespace(case=Case(), comparing="", answer=None)


class Outputs(dict[str, Any]):
    """What `predict` gives: a dictionary that knows when a test takes a value out.

    Attributes:
        widened: the same prediction in float32 arithmetic, where the other is not and the case
            asks for float32; see `ModelProxy.predict`.
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


class NeuralNetworkError(RuntimeError):
    """The model is a neural network, not an ML Program: outside what `lading.coreml.mil` runs."""


class ModelProxy:
    """The native model object, with the calls that coremltools makes."""

    def __init__(
        self,
        path: str,
        compute_units: str,
        function_name: str = "",
        hints: Mapping[str, str] | None = None,
        asset: Any = None,
    ) -> None:
        self._path = path
        self._function_name = function_name or None
        self._model: Any = None
        # A package outlives this call, a single file does not.
        self._program = Path(path).is_dir()

    @property
    def model(self) -> Any:
        if not self._program:
            current.case.neural_networks += 1
            raise NeuralNetworkError("a neural network, not an ML Program")
        if self._model is None:
            from lading.coreml import mil

            self._model = mil.load(self._path, self._function_name)
        return self._model

    def predict(self, data: Mapping[str, Any], state: Any = None) -> Outputs:
        """What `lading.coreml.mil` answers.

        Some cases ask 1e-4 of programs that are float16 inside, where one ulp may be more. Core
        ML's declared types are a minimum: what is declared float16 may be computed in float32,
        and such a test's reference was, or was not. For these the answer in float32 goes beside
        the one at the declared types.

        Raises:
            NeuralNetworkError: the model is no ML Program.
            RuntimeError: what the runtime refused, in the type and words of Core ML.
        """
        case = current.case
        try:
            model = self.model
            case.predictions += 1
            widened = None
            if current.comparing == "fp32" and _halves(model):
                widened = model.predict(data, state=copy.deepcopy(state), precision="float32")
            current.answer = Outputs(model.predict(data, state=state))
            current.answer.widened = widened
            return cast(Outputs, current.answer)
        except NeuralNetworkError:
            raise
        except Exception as error:
            case.predictions += self._model is None  # refused while it was read
            case.errors.append(f"{type(error).__name__}: {error}")
            raise RuntimeError(
                f"Unable to compute the prediction using ML Program. {error}"
            ) from error

    def batchPredict(self, batch: list[Mapping[str, Any]]) -> list[Outputs]:  # noqa: N802
        return [self.predict(data) for data in batch]

    def newState(self) -> Any:  # noqa: N802
        return self.model.make_state()

    def get_compiled_model_path(self) -> str:
        return self._path

    @staticmethod
    def compileModel(path: str) -> str:  # noqa: N802
        return path

    @staticmethod
    def maximum_supported_specification_version() -> int:
        return 9  # iOS 18

    @staticmethod
    def auto_set_specification_version(spec: Any) -> Any:
        return spec


def _halves(model: Any) -> bool:
    """Whether any value of the program is declared float16."""
    functions = model.program.functions.values()
    types = [value.type for function in functions for value in function.inputs]
    for function in functions:
        types += [value.type for op in function.block.walk() for value in op.outputs]
    return any("float16" in str(one) for one in types)


def _native_module() -> ModuleType:
    module = ModuleType("coremltools.libcoremlpython")
    vars(module).update(
        _MLModelProxy=ModelProxy,
        **{
            name: type(name, (), {})
            for name in (
                "_MLModelAssetProxy",
                "_MLComputePlanProxy",
                "_MLCPUComputeDeviceProxy",
                "_MLGPUComputeDeviceProxy",
                "_MLNeuralEngineComputeDeviceProxy",
            )
        },
    )
    return module


def install() -> None:
    """Put the stand-in in place. Call it before anything imports coremltools.

    Raises:
        RuntimeError: coremltools was there first, and would keep what it found.
    """
    if "coremltools" in sys.modules:
        raise RuntimeError(
            "the stand-in came after coremltools: nothing would reach lading.coreml.mil"
        )
    sys.modules["coremltools.libcoremlpython"] = _native_module()

    import coremltools.converters._converters_entry as entry

    believed = {
        "_IS_MACOS": True,
        "_is_macos": lambda: True,
        "_macos_version": lambda: MACOS,
    }
    for module in _coremltools_modules():
        for name, value in believed.items():
            if name in vars(module):
                setattr(module, name, value)
    # Every conversion ends in a full collection, which takes longer than the conversion itself.
    entry.gc = SimpleNamespace(collect=lambda *_: 0)
    _machine(platform.machine)
    _validate_once()


def _coremltools_modules() -> Iterator[ModuleType]:
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "coremltools":
            yield module


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
