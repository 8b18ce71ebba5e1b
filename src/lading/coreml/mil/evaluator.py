"""Running a function of a program: planned once, run many times, from any number of threads.

Planning resolves every name to a numbered slot, decodes constants, binds each operation's literal
parameters, evaluates constant expressions, and notes after which step each value is dead. What is
left for a run is one call per operation. A run keeps its values in a list of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import numpy as np
import torch

from lading.coreml.mil import half, registry
from lading.coreml.mil.binding import Slots, Source, bind, gathered, plain
from lading.coreml.mil.precision import Finish, array, finisher, on_half_grid, rounding, tensor
from lading.coreml.mil.program import Block, Constant, Function, Op, Value, ValueType
from lading.coreml.mil.registry import Parameter
from lading.coreml.mil.taps import Taps
from lading.errors import LadingError, ProgramError


class _Stop(Exception):  # noqa: N818 - not an error
    """The value that a run was to go up to is known."""


@dataclass(frozen=True)
class Step:
    """One call. It reads `reads`; `free` are the slots whose values nobody reads after it; which
    results are `rounded` in place."""

    op: Op
    place: str
    call: Callable[[Slots, Taps | None], Any]
    outputs: tuple[int, ...]
    finish: tuple[Finish | None, ...]
    rounded: tuple[bool, ...]
    reads: tuple[int, ...]
    free: tuple[int, ...] = ()


@dataclass(frozen=True)
class Steps:
    """A planned block: where its inputs go, its steps, where its outputs lie."""

    inputs: tuple[int, ...]
    steps: tuple[Step, ...]
    outputs: tuple[int, ...]

    def run(self, slots: Slots, taps: Taps | None) -> None:
        """Run every step on `slots`."""
        if taps is not None:
            return self._run_tapped(slots, taps)
        step = None
        try:
            for step in self.steps:
                result = step.call(slots, None)
                if len(step.outputs) == 1:
                    finish = step.finish[0]
                    slots[step.outputs[0]] = result if finish is None else finish(result)
                else:
                    _store(step, result, slots)
                for slot in step.free:
                    slots[slot] = None
        except Exception as reason:
            _explain(step, reason)

    def _run_tapped(self, slots: Slots, taps: Taps) -> None:
        step = None
        try:
            for step in self.steps:
                start = time.perf_counter()
                result = step.call(slots, taps)
                results = [result] if len(step.outputs) == 1 else result
                if taps.statistics:  # keep what was computed
                    seen = [
                        _copy(one) if rounded else one
                        for one, rounded in zip(results or (), step.rounded, strict=False)
                    ]
                _store(step, results, slots)
                took = time.perf_counter() - start
                name = step.op.outputs[0].name if step.op.outputs else step.op.name
                taps.calls[name] = taps.calls.get(name, 0) + 1
                if taps.times:
                    taps.seconds[name] = taps.seconds.get(name, 0.0) + took
                for place, (value, slot) in enumerate(
                    zip(step.op.outputs, step.outputs, strict=True)
                ):
                    if taps.statistics:
                        taps.measure(step.op, value, seen[place], slots[slot])
                    taps.keep(value, slots[slot])
                    if value.name == taps.until:
                        raise _Stop
                for slot in step.free:
                    slots[slot] = None
                if taps.memory:
                    taps.weigh(name, slots)
        except _Stop:
            raise
        except Exception as reason:
            _explain(step, reason)


def _copy(value: Any) -> Any:
    return value.clone() if isinstance(value, torch.Tensor) else value


def _store(step: Step, results: Sequence[Any] | None, slots: Slots) -> None:
    if not step.outputs:
        return
    if results is None or len(results) != len(step.outputs):
        raise ProgramError(
            "results",
            found=f"{0 if results is None else len(results)} results",
            expected=f"{len(step.outputs)}",
            remedy="convert the model again; if it stays, report it with the package",
        )
    for slot, finish, result in zip(step.outputs, step.finish, results, strict=True):
        slots[slot] = result if finish is None else finish(result)


def _explain(step: Step | None, reason: Exception) -> NoReturn:
    """Raise `reason` as an error that names the operation it came from."""
    if step is None or (isinstance(reason, LadingError) and " -> " in reason.subject):
        raise reason
    if isinstance(reason, ProgramError):
        raise ProgramError(
            f"{step.place}: {reason.subject}",
            found=reason.found,
            expected=reason.expected,
            remedy=reason.remedy,
        ) from None
    if isinstance(reason, (LadingError, MemoryError)):
        raise reason
    first = (str(reason).splitlines() or [""])[0]
    kinds = ", ".join(f"{value.name}: {value.type}" for value in step.op.outputs)
    raise ProgramError(
        step.place,
        found=f"{type(reason).__name__}: {first}",
        expected=f"inputs that {step.op.type} can compute {kinds or 'nothing'} from",
        remedy="check the shapes and values given; if they are right, report it with the package",
    ) from reason


class Plan:
    """A function made ready to run under one precision policy.

    Args:
        function: what to run.
        precision: the policy, see `precision`.
        constants: decoded constants by identity, shared between the plans of a model.

    Raises:
        ProgramError: an unknown operation or parameter, a name that nothing defines.
    """

    def __init__(self, function: Function, precision: str, constants: dict[int, Any]) -> None:
        self.function = function
        self.precision = precision
        self._constants = constants
        self._template: Slots = []
        self._types: dict[int, ValueType] = {}
        names = {value.name: self._new(value) for value in function.inputs}
        self.main = self._block(function.block, names, function.name, outermost=True)
        self._names = names

    # ----------------------------------------------------------------------------------- running
    def run(self, inputs: Mapping[str, Any], taps: Taps | None) -> dict[str, Any]:
        """Outputs by name: tensors in their storage dtype, or what else the program gives.

        Args:
            inputs: by name, tensors in the storage dtype of the declared one, or states.
            taps: what to look at.
        """
        slots = self._template.copy()
        for name, value in inputs.items():
            slots[self._names[name]] = value
        if taps is not None:
            self._tap_what_stands(inputs, slots, taps)
            taps.begin(slots)
        with torch.no_grad(), suppress(_Stop):
            self.main.run(slots, taps)
        return {
            name: slots[slot]
            for name, slot in zip(self.function.block.outputs, self.main.outputs, strict=True)
            if slots[slot] is not None
        }

    def type_of(self, output: str) -> ValueType:
        """The declared type of the function's output `output`."""
        index = self.function.block.outputs.index(output)
        return self._types[self.main.outputs[index]]

    def known(self, name: str) -> np.ndarray[Any, Any]:
        """The value `name` as planning found it, in its declared dtype.

        Raises:
            ProgramError: there is none of that name, or it depends on the inputs.
        """
        slot = self._names.get(name)
        held = None if slot is None else self._template[slot]
        if slot is None or not isinstance(held, torch.Tensor):
            raise ProgramError(
                f"value {name!r}",
                found="no such value" if slot is None else "a value that depends on the inputs",
                expected="a constant tensor of the main block",
                remedy="list the names: [v.name for op in block.walk() for v in op.outputs]",
            )
        return array(held, self._types[slot].dtype)

    def _tap_what_stands(self, inputs: Mapping[str, Any], slots: Slots, taps: Taps) -> None:
        """Inputs and constants: known before the first step."""
        for name in {*taps.take, *([taps.until] if taps.until else [])}:
            slot = self._names.get(name)
            if slot is None and not any(
                value.name == name for op in self.function.block.walk() for value in op.outputs
            ):
                raise ProgramError(
                    f"value {name!r}",
                    found="no value of that name in the program",
                    expected="a name from Model.program",
                    remedy="list the names: [v.name for op in block.walk() for v in op.outputs]",
                )
            if slot is not None and slots[slot] is not None:
                taps.keep(Value(name, self._types[slot]), slots[slot])

    # ---------------------------------------------------------------------------------- planning
    def _new(self, value: Value) -> int:
        self._template.append(None)
        self._types[len(self._template) - 1] = value.type
        return len(self._template) - 1

    def _block(
        self, block: Block, names: dict[str, int], place: str, *, outermost: bool = False
    ) -> Steps:
        """Plan `block`. `names` are the slots in sight; the outermost block adds its own to it."""
        if not outermost:
            names = dict(names)
        inputs = []
        for value in () if outermost else block.inputs:
            names[value.name] = self._new(value)
            inputs.append(names[value.name])
        steps: list[Step] = []
        once, unshared = block.read_once(), set[int]()
        first = len(self._template) - len(inputs)
        for number, op in enumerate(block.operations):
            out = op.outputs[0].name if op.outputs else op.name
            where = f"{op.type} -> {out} ({op.origin or f'{place}, operation {number}'})"
            if op.type == "const":
                literal = op.attributes.get("val")
                if literal is None:
                    raise _bad(where, "no value", "a constant's value")
                slot = self._new(op.outputs[0])
                self._template[slot] = self._decode(literal)
                names[out] = slot
                continue
            step = self._step(op, names, where, unshared)
            if step is not None:
                steps.append(step)
                if registry.find(op.type, self.function.opset, where).fresh:
                    unshared.update(names[v.name] for v in op.outputs if v.name in once)
        missing = [name for name in block.outputs if name not in names]
        if missing:
            raise _bad(place, f"no value named {missing[0]}", "an output that an operation defines")
        outputs = tuple(names[name] for name in block.outputs)
        own = range(0 if outermost else first, len(self._template))
        return Steps(tuple(inputs), _with_frees(steps, own, outputs, self._template), outputs)

    def _decode(self, constant: Constant) -> Any:
        key = id(constant)
        if key not in self._constants:
            self._constants[key] = tensor(constant)
        return self._constants[key]

    def _step(
        self, op: Op, names: dict[str, int], place: str, unshared: Collection[int]
    ) -> Step | None:
        """`unshared`: slots of values with memory of their own that one operation alone reads."""
        operation = registry.find(op.type, self.function.opset, place)
        given: dict[str, tuple[Any, ...]] = {k: (v,) for k, v in op.attributes.items()}
        given.update(op.inputs)
        sources: dict[str, Source] = {}
        for name, bindings in given.items():
            parameter = operation.parameters.get(name)
            if parameter is None:
                known = ", ".join(operation.parameters)
                raise _bad(place, f"an input {name}", f"{op.type} takes {known}")
            sources[name] = self._source(parameter, bindings, names, place)
        blocks = [p.name for p in operation.parameters.values() if p.arrival == "block"]
        if len(blocks) != len(op.blocks):
            raise _bad(place, f"{len(op.blocks)} blocks", f"{len(blocks)}")
        for name, block in zip(blocks, op.blocks, strict=True):
            sources[name] = _nested(self._block(block, names, f"{place} {name}"))
        for name, parameter in operation.parameters.items():
            if name not in sources and parameter.required:
                raise _bad(place, f"no input {name}", f"{op.type} needs it")
        halves = all(
            on_half_grid(one.type if isinstance(one, Constant) else self._types[names[one]])
            for bindings in given.values()
            for one in bindings
        )
        packed = op.type.startswith("constexpr_")
        # Every policy runs on the same weights, those that the file declares.
        policy = "declared" if packed else self.precision
        exact = operation.exact and halves
        finish = tuple(
            finisher(value.type, policy, exact=exact, converting=operation.converting)
            for value in op.outputs
        )
        rounded = tuple(bool(rounding(v.type, policy, exact=exact)) for v in op.outputs)
        in_half = self.precision != "float32" and any(
            value.type.dtype == "float16" for value in op.outputs
        )
        over = "x" in sources and sources["x"].direct and sources["x"].slots[0] in unshared
        function = operation.variant(over=over, in_half=in_half)
        if in_half and self.precision == "half-accumulate":
            function = half.find(op.type) or function
        call = bind(function, list(operation.parameters), sources)
        outputs = tuple(self._new(value) for value in op.outputs)
        reads = tuple(slot for source in sources.values() for slot in source.slots)
        step = Step(op, place, call, outputs, finish, rounded, reads)
        if packed:
            # A weight in packed form: unpacked once, here.
            with torch.no_grad():
                Steps((), (step,), ()).run(self._template, None)
            self._hide(op, outputs, names)
            return None
        self._hide(op, outputs, names)
        return step

    @staticmethod
    def _hide(op: Op, outputs: tuple[int, ...], names: dict[str, int]) -> None:
        names.update((value.name, slot) for value, slot in zip(op.outputs, outputs, strict=True))

    def _source(
        self, parameter: Parameter, bindings: Iterable[Any], names: dict[str, int], place: str
    ) -> Source:
        parts = [self._part(parameter, binding, names, place) for binding in bindings]
        if parameter.arrival == "all":
            return gathered(parts)
        if len(parts) != 1:
            raise _bad(place, f"{len(parts)} values for {parameter.name}", "one value")
        return parts[0]

    def _part(
        self, parameter: Parameter, binding: Any, names: dict[str, int], place: str
    ) -> Source:
        simple = parameter.arrival == "plain"
        if isinstance(binding, Constant):
            return Source((), binding.plain() if simple else self._decode(binding))
        if binding not in names:
            raise _bad(place, f"{parameter.name} = {binding}", "the name of a value in sight")
        slot = names[binding]
        known = self._template[slot]
        if known is not None:
            return Source((slot,), plain(known) if simple else known)
        if simple:
            return Source((slot,), read=lambda slots, taps: plain(slots[slot]))
        return Source((slot,), direct=True)


def _nested(steps: Steps) -> Source:
    """A nested block as a function from its inputs to the list of its outputs."""

    def read(slots: Slots, taps: Taps | None) -> Callable[..., list[Any]]:
        def block(*inputs: Any) -> list[Any]:
            for slot, value in zip(steps.inputs, inputs, strict=True):
                slots[slot] = value
            steps.run(slots, taps)
            return [slots[slot] for slot in steps.outputs]

        return block

    inner = (*steps.outputs, *(slot for step in steps.steps for slot in step.reads))
    return Source(inner, read=read)


def _with_frees(
    steps: list[Step], own: range, outputs: tuple[int, ...], template: Slots
) -> tuple[Step, ...]:
    """The steps, each with the slots that die after it."""
    last: dict[int, int] = {}
    for number, step in enumerate(steps):
        last.update(dict.fromkeys((*step.outputs, *step.reads), number))
    dying: dict[int, list[int]] = {}
    for slot, number in last.items():
        if slot in own and slot not in outputs and template[slot] is None:
            dying.setdefault(number, []).append(slot)
    return tuple(replace(step, free=tuple(dying.get(n, ()))) for n, step in enumerate(steps))


def _bad(place: str, found: str, expected: str) -> ProgramError:
    return ProgramError(
        place, found=found, expected=expected, remedy="convert the model again, from the original"
    )
