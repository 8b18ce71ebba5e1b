"""A loaded model: `load` it, `predict` with it. The contract is coremltools' `MLModel`'s."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from lading.coreml.mil import features, package
from lading.coreml.mil import precision as policies
from lading.coreml.mil.evaluator import Plan
from lading.coreml.mil.features import Interface
from lading.coreml.mil.package import Package
from lading.coreml.mil.precision import Precision
from lading.coreml.mil.program import Constant, Function, Op, Program, ValueType
from lading.coreml.mil.taps import Taps
from lading.errors import InputError, ProgramError, RequestError, refused
from lading.record import Port


class State:
    """The memory of a stateful model between calls, by name. `Model.make_state` makes one.

    Two calls at a time must not share one.
    """

    def __init__(self, tensors: dict[str, StateTensor]) -> None:
        self._tensors = tensors

    def read_state(self, name: str) -> np.ndarray[Any, Any]:
        """A copy of the state `name`, in its declared dtype.

        Raises:
            InputError: there is none of that name.
        """
        held = self._get(name)
        return policies.array(held.tensor, held.dtype)

    def held(self, name: str) -> np.ndarray[Any, Any]:
        """A copy of the state `name` as it is computed with, which under the policy ``float32`` is
        not rounded to its declared dtype.

        Raises:
            InputError: there is none of that name.
        """
        return policies.array(self._get(name).tensor, "float32")

    def write_state(self, name: str, value: Any) -> None:
        """Put `value` in the place of the state `name`; its shape must be the same.

        Raises:
            InputError: there is none of that name, or the shape differs.
        """
        held = self._get(name)
        new = np.asarray(value)
        if new.shape != tuple(held.tensor.shape):
            raise InputError(
                f"state {name!r}",
                found=f"shape {new.shape}",
                expected=f"shape {tuple(held.tensor.shape)}",
                remedy="reshape it",
            )
        kind = ValueType("tensor", held.dtype, new.shape)
        held.tensor = policies.tensor(Constant(kind, new.astype(held.dtype)))

    def _get(self, name: str) -> StateTensor:
        if name not in self._tensors:
            raise InputError(
                f"state {name!r}",
                found="no state of that name",
                expected=f"one of {', '.join(self._tensors) or 'none: the model keeps no state'}",
                remedy="look at the model's description",
            )
        return self._tensors[name]


class StateTensor:
    """One named piece of a `State`: the value as it is now, never changed in place."""

    def __init__(self, tensor: torch.Tensor, dtype: str) -> None:
        self.tensor = tensor
        self.dtype = dtype


class Model:
    """A Core ML model that runs here. It may be called from several threads at once.

    Attributes:
        metadata: the user-defined metadata, see `package.Package`.
    """

    def __init__(self, source: Package, function_name: str | None = None) -> None:
        self._package = source
        self.metadata: Mapping[str, str] = source.metadata
        self._parts = [Model(part) for _, part in source.parts]
        self._lock = threading.Lock()
        self._plans: dict[str, Plan] = {}
        self._constants: dict[int, Any] = {}
        wanted = function_name or source.default_function
        if function_name and (not source.program or function_name not in source.program.functions):
            names = sorted(source.program.functions) if source.program else []
            raise RequestError(
                f"{source.path}: function {function_name!r}",
                found="no function of that name",
                expected=f"one of {', '.join(names) or 'none: it is a pipeline'}",
                remedy="leave function_name out for the default",
            )
        self._function: Function | None = None
        if source.program:
            functions = source.program.functions
            if wanted not in functions:
                raise ProgramError(
                    str(source.path),
                    found=f"functions {', '.join(sorted(functions)) or 'none'}",
                    expected=f"the default function {wanted}",
                    remedy="name one with function_name",
                )
            self._function = functions[wanted]
        self._interface: Interface = source.interfaces.get(wanted) or next(
            iter(source.interfaces.values())
        )

    @property
    def program(self) -> Program:
        """The program as data.

        Raises:
            ProgramError: the model is a pipeline; its parts hold the programs.
        """
        if self._package.program is None:
            raise ProgramError(
                str(self._package.path),
                found="a pipeline",
                expected="one program",
                remedy="look at Model.parts",
            )
        return self._package.program

    @property
    def parts(self) -> tuple[Model, ...]:
        """The stages of a pipeline; empty for a single program."""
        return tuple(self._parts)

    @property
    def leaves(self) -> tuple[Model, ...]:
        """The models that hold one program each: itself, or the stages of a pipeline, however
        nested."""
        return tuple(leaf for part in self._parts for leaf in part.leaves) or (self,)

    def rewritten(self, change: Callable[[Op], Op | Sequence[Op]]) -> Model:
        """The model with its program changed; see `Program.rewritten`.

        Raises:
            ProgramError: it is a pipeline.
        """
        return Model(replace(self._package, program=self.program.rewritten(change)))

    @property
    def specification(self) -> int:
        """Core ML's specification version that the file declares."""
        return self._package.specification

    @property
    def inputs(self) -> tuple[Port, ...]:
        """What `predict` takes."""
        return tuple(feature.port() for feature in self._interface.inputs)

    @property
    def outputs(self) -> tuple[Port, ...]:
        """What `predict` gives."""
        return tuple(feature.port() for feature in self._interface.outputs)

    @property
    def states(self) -> tuple[Port, ...]:
        """What the model remembers between calls."""
        return tuple(feature.port() for feature in self._interface.states)

    def make_state(self) -> State:
        """A fresh state: every element zero."""
        return State(
            {
                name: StateTensor(
                    torch.zeros(kind.fixed or (), dtype=policies.STORAGE[kind.dtype]), kind.dtype
                )
                for name, kind in self._state_types().items()
            }
        )

    def predict(
        self,
        data: Mapping[str, Any],
        *,
        precision: Precision = "declared",
        taps: Taps | None = None,
        state: State | None = None,
    ) -> dict[str, Any]:
        """Run the model.

        Args:
            data: inputs by name: arrays (or what `numpy.asarray` takes) of the shapes that the
                model allows, cast to the declared dtype; `PIL.Image` for image inputs.
            precision: how float16 is computed, see `lading.coreml.mil.precision`.
            taps: what to look at inside, see `lading.coreml.mil.Taps`.
            state: for a stateful model, what `make_state` gave; it is updated.

        Returns:
            outputs by name: arrays of the declared dtype, `PIL.Image` for image outputs, and for a
            classifier the label and a dictionary of probabilities.

        Raises:
            InputError: an input that the model does not take, or of a wrong shape, dtype or range.
            ProgramError: the program cannot be run as it says; names the operation.
            RequestError: an unknown precision policy.
        """
        if self._parts:
            return self._predict_pipeline(data, precision, taps, state)
        interface = self._interface
        features.check_names(data, interface.inputs)
        plan = self._plan(precision)
        inputs = {}
        known = {feature.name: feature for feature in interface.inputs}
        for value in plan.function.inputs:
            if value.type.kind == "state":
                continue
            feature = known.get(value.name)
            if feature is None:
                raise ProgramError(
                    f"{self._package.path}: input {value.name}",
                    found="no description of it",
                    expected="every input of the function described",
                    remedy="convert the model again",
                )
            if value.name in data:
                taken = features.take(feature, data[value.name], value.type.dtype)
            else:
                taken = features.missing(feature, value.type.dtype)
            inputs[value.name] = _enter(taken, value.type, value.name)
        inputs.update(self._state_inputs(state))
        results = plan.run(inputs, taps)
        described = {feature.name: feature for feature in interface.outputs}
        return {
            name: features.give(
                described.get(name), self._leave(result, plan.type_of(name), precision)
            )
            for name, result in results.items()
        }

    def constant(self, name: str) -> np.ndarray[Any, Any]:
        """The value `name` where it is known without any input: a constant, or a packed weight
        unpacked.

        Raises:
            ProgramError: there is none of that name, or it depends on the inputs.
        """
        return self._plan("declared").known(name)

    # --------------------------------------------------------------------------------- machinery
    def _plan(self, policy: Precision) -> Plan:
        policies.check(policy)
        with self._lock:
            if policy not in self._plans:
                assert self._function is not None
                self._plans[policy] = Plan(self._function, policy, self._constants)
            return self._plans[policy]

    def _state_types(self) -> dict[str, ValueType]:
        values = self._function.inputs if self._function else ()
        return {v.name: v.type.items[0] for v in values if v.type.kind == "state"}

    def _state_inputs(self, state: State | None) -> dict[str, Any]:
        names = self._state_types()
        if not names:
            return {}
        if state is None:
            raise InputError(
                "state",
                found="nothing",
                expected=f"a state that holds {', '.join(names)}",
                remedy="state = model.make_state(); model.predict(inputs, state=state)",
            )
        return {name: state._get(name) for name in names}

    def _predict_pipeline(
        self, data: Mapping[str, Any], policy: Precision, taps: Taps | None, state: State | None
    ) -> dict[str, Any]:
        features.check_names(data, self._interface.inputs)
        known = dict(data)
        for part in self._parts:
            names = {feature.name for feature in part._interface.inputs}
            given = {name: value for name, value in known.items() if name in names}
            known.update(part.predict(given, precision=policy, taps=taps, state=state))
        return {feature.name: known[feature.name] for feature in self._interface.outputs}

    def _leave(self, value: Any, kind: ValueType, policy: str) -> Any:
        """A result as the caller gets it."""
        if isinstance(value, torch.Tensor):
            lifted = policy == "float32" and kind.dtype == "float16"
            return policies.array(value, "float32" if lifted else kind.dtype)
        if isinstance(value, list):
            return [self._leave(item, kind.items[0], policy) for item in value]
        return value


def _enter(taken: np.ndarray[Any, Any], kind: ValueType, name: str) -> torch.Tensor:
    """An input as the program gets it."""
    shape = kind.shape
    if shape == () and taken.shape == (1,):
        taken = taken.reshape(())
    if shape is not None and (
        len(shape) != taken.ndim
        or any(n is not None and n != m for n, m in zip(shape, taken.shape, strict=True))
    ):
        raise InputError(
            f"input {name!r}",
            found=f"shape {taken.shape}",
            expected=f"{kind}",
            remedy="reshape, resize or pad it",
        )
    constant = Constant(ValueType("tensor", kind.dtype, taken.shape), taken)
    return cast(torch.Tensor, policies.tensor(constant))


def load(path: str | Path, function_name: str | None = None, *, spec: Any = None) -> Model:
    """The Core ML model at `path`: a `.mlpackage`, or a `.mlmodel` that holds an ML Program.

    Args:
        path: the package or file; pipelines of ML Programs too.
        function_name: of a package with several functions; its default function if None.
        spec: the file's protobuf message, where it was parsed already.

    Raises:
        ProgramError: missing, damaged, or not an ML Program.
        RequestError: no function of that name.
    """
    with refused(ProgramError, str(path), "a Core ML model that can be run"):
        return Model(package.read(path, spec), function_name)
