"""The classes of coremltools' native module, as far as this computer can keep their word.

What each call takes, gives and raises is coremltools' (`coremlpython/CoreMLPython.mm` and
`CoreMLPythonUtils.mm` in https://github.com/apple/coremltools): errors are `RuntimeError`,
half-precision arrays come out as float32 and colour pictures as RGBA, and an array of any other
type than float32, float64 and int32 is not convertible.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any, NoReturn, ParamSpec, TypeVar

import numpy as np
from PIL import Image

from lading.coreml.standin import compiled
from lading.errors import LadingError, ProgramError, RuntimeUnavailableError
from lading.record import Port

P = ParamSpec("P")
T = TypeVar("T")

#: What Core ML's Python binding takes arrays of. float16 never arrives: coremltools widens it.
_TAKEN = ("float32", "float64", "int32")


class StandInWarning(UserWarning):
    """Something was asked that changes the hardware, and there is none of it here."""


def refusing(function: Callable[P, T]) -> Callable[P, T]:
    """`function`, its refusals raised as coremltools raises Core ML's: `RuntimeError`."""

    @wraps(function)
    def refuses(*args: P.args, **options: P.kwargs) -> T:
        try:
            return function(*args, **options)
        except LadingError as error:
            raise RuntimeError(str(error)) from error

    return refuses


def _not_here(what: str) -> NoReturn:
    raise RuntimeUnavailableError(
        what,
        found="not on this machine: the stand-in runs models without Apple's hardware",
        expected="a Mac with Core ML",
        remedy="run this one on a Mac; predict and make_state work here",
    )


class ModelProxy:
    """A model that is open: coremltools' `_MLModelProxy`.

    Args:
        path: a `.mlpackage`, `.mlmodel`, or what `compileModel` gave.
        compute_units: the name of a `coremltools.ComputeUnit`.
        function_name: of a model with several; its default one if empty.
        hints: of optimisation; they change no value that is declared.
        asset: what to open instead of a path.

    Raises:
        RuntimeError: it cannot be read, or has something in it that cannot be run here.
    """

    @refusing
    def __init__(
        self,
        path: str,
        compute_units: str,
        function_name: str = "",
        hints: Mapping[str, str] | None = None,
        asset: ModelAssetProxy | None = None,
    ) -> None:
        from lading.coreml import load

        if compute_units in ("CPU_AND_GPU", "CPU_AND_NE"):
            warnings.warn(
                f"compute_units={compute_units}: not on this machine; computed as declared",
                StandInWarning,
                stacklevel=4,
            )
        self._asset = asset  # whose folder goes when nobody needs it
        self._source = asset.source if asset else compiled.source(Path(path))
        self.model = load(self._source, function_name or None)
        self._compiled: TemporaryDirectory[str] | None = None
        if self._source.is_file():  # coremltools takes its own temporary files away at once
            self._source = self._compile()

    @refusing
    def predict(self, data: Mapping[str, Any], state: StateProxy | None = None) -> dict[str, Any]:
        """Outputs by name, see the module.

        Raises:
            RuntimeError: an input that the model does not take; or the model cannot be run.
        """
        ports = {port.name: port for port in self.model.inputs}
        given = {name: _taken(ports[name], data[name]) for name in data if name in ports}
        given |= {name: value for name, value in data.items() if name not in ports}
        for port in ports.values():
            _fits(port, given.get(port.name))
        stateful = hasattr(self.model, "make_state")  # a neural network keeps no state
        more = {"state": state.state} if state is not None and stateful else {}
        try:
            outputs = self.model.predict(given, **more)
        except ProgramError as error:
            kind = "ML Program" if stateful else "a neural network model"
            raise RuntimeError(f"Unable to compute the prediction using {kind}. {error}") from error
        kinds = {port.name: port for port in self.model.outputs}
        return {name: _given(kinds.get(name), value) for name, value in outputs.items()}

    def batchPredict(self, batch: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:  # noqa: N802
        return [self.predict(data) for data in batch]

    def newState(self) -> StateProxy:  # noqa: N802
        from lading.coreml.mil import State

        stateful = hasattr(self.model, "make_state")
        return StateProxy(self.model.make_state() if stateful else State({}))

    @refusing
    def get_compiled_model_path(self) -> str:
        """A folder that lives as long as this object."""
        if self._source.parent.suffix != compiled.SUFFIX:
            self._source = self._compile()
        return str(self._source.parent)

    def _compile(self) -> Path:
        if self._source.parent.suffix == compiled.SUFFIX:
            return self._source
        self._compiled = TemporaryDirectory(prefix="stand-in-")
        return compiled.source(compiled.write(self._source, Path(self._compiled.name)))

    def get_load_duration_in_nano_seconds(self) -> None:
        """None, which coremltools documents as "not available": no device has loaded it."""

    def get_last_predict_duration_in_nano_seconds(self) -> None:
        """None, as above."""

    @staticmethod
    @refusing
    def compileModel(path: str) -> str:  # noqa: N802
        """A new folder that a later `_MLModelProxy` opens; it is the caller's."""
        from lading.coreml import load

        load(Path(path))  # what cannot be read cannot be compiled
        return str(compiled.write(Path(path), Path(mkdtemp(prefix="stand-in-"))))

    @staticmethod
    def maximum_supported_specification_version() -> int:
        return 9  # iOS 18, macOS 15

    @staticmethod
    @refusing
    def create_model_asset_from_path(path: str) -> Any:
        from coremltools.models.model import MLModelAsset

        return MLModelAsset(ModelAssetProxy(compiled.source(Path(path))))

    @staticmethod
    @refusing
    def create_model_asset_from_memory(spec: bytes, blobs: Mapping[str, bytes]) -> Any:
        from coremltools.models.model import MLModelAsset

        folder = TemporaryDirectory(prefix="stand-in-")
        source = compiled.from_memory(spec, blobs, Path(folder.name))
        return MLModelAsset(ModelAssetProxy(source, folder))

    @staticmethod
    @refusing
    def auto_set_specification_version(spec: Any) -> Any:
        _not_here("the lowest specification version that has everything in this model")

    @staticmethod
    @refusing
    def get_model_structure(path: str) -> Any:
        _not_here("MLModelStructure")

    @staticmethod
    @refusing
    def get_compute_plan(path: str, compute_units: str) -> Any:
        _not_here("MLComputePlan")

    @staticmethod
    @refusing
    def get_available_compute_devices() -> Any:
        _not_here("the compute devices of Core ML")

    @staticmethod
    @refusing
    def get_all_compute_devices() -> Any:
        _not_here("the compute devices of Core ML")


class StateProxy:
    """What a stateful model remembers, behind coremltools' `MLState`."""

    def __init__(self, state: Any) -> None:
        self.state = state

    @refusing
    def read_state(self, name: str) -> np.ndarray[Any, Any]:
        value: np.ndarray[Any, Any] = _widened(self.state.read_state(name))
        return value

    @refusing
    def write_state(self, name: str, value: Any) -> None:
        self.state.write_state(name, value)


class ModelAssetProxy:
    """A model that may be opened several times: where it lies, and the folder that holds it."""

    def __init__(self, source: Path, folder: TemporaryDirectory[str] | None = None) -> None:
        self.source, self._folder = source, folder


class _Absent:
    """A device, or a plan for one: coremltools compares types with it, and nobody makes one."""


#: The names in coremltools' native module.
CLASSES: dict[str, type] = {
    "_MLModelProxy": ModelProxy,
    "_MLModelAssetProxy": ModelAssetProxy,
    **{
        name: type(name, (_Absent,), {})
        for name in (
            "_MLComputePlanProxy",
            "_MLCPUComputeDeviceProxy",
            "_MLGPUComputeDeviceProxy",
            "_MLNeuralEngineComputeDeviceProxy",
        )
    },
}


# ---------------------------------------------------------------------------------------- values
def _taken(port: Port, value: Any) -> Any:
    """An input, refused where coremltools' binding has no way for its type."""
    if isinstance(value, Image.Image) or port.kind != "tensor":
        return value
    if isinstance(value, np.generic):
        value = np.asarray(value)
    found = str(value.dtype) if isinstance(value, np.ndarray) else f"a {type(value).__name__}"
    if found not in _TAKEN:
        raise RuntimeError(
            f"value type not convertible: input {port.name!r} is {found}; coremltools takes "
            f"arrays of {', '.join(_TAKEN)}, and float16, which it widens"
        )
    return value


def _fits(port: Port, value: Any) -> None:
    """What Core ML says of an input that is missing, or an array of a wrong shape.

    The words are Core ML's, as coremltools' own tests expect them or users report them
    (apple/coremltools #672, #1991). The rest is left to `lading.coreml.mil.features`.
    """
    if not isinstance(value, np.ndarray) or port.kind != "tensor":
        return
    shape = value.shape or (1,)
    said = ""
    if port.enumerated and shape not in port.enumerated:
        said = f"MultiArray Shape ({_by(shape)}) was not in enumerated set of allowed shapes"
    elif port.ranges and len(shape) == len(port.ranges):
        said = next(
            (
                f"Size ({size}) of dimension ({axis}) is not in allowed range ({low}..{high})"
                for axis, (size, (low, high)) in enumerate(zip(shape, port.ranges, strict=True))
                if not low <= size or 0 <= high < size
            ),
            "",
        )
    elif not port.enumerated and port.shape and shape != port.shape:
        wanted = _by(port.shape)
        said = f"MultiArray shape ({_by(shape)}) does not match the shape ({wanted}) specified"
        said += " in the model description"
    if said:
        raise RuntimeError(f"input {port.name!r}: {said}")


def _by(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


def _given(port: Port | None, value: Any) -> Any:
    """An output in the type that coremltools' binding gives."""
    if isinstance(value, np.ndarray):
        # Core ML has no arrays without axes.
        return _widened(value if value.ndim else value.reshape(1))
    if isinstance(value, Image.Image):
        return value.convert("RGBA") if value.mode == "RGB" else value
    if isinstance(value, dict):
        return {key: float(one) for key, one in value.items()}
    return value


def _widened(value: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return value.astype(np.float32) if value.dtype == np.float16 else value
