"""A memory in an ML Program: Core ML's states, which begin with zeros and hold float16 alone.

The converter is given the graph of one call, with what is remembered as inputs and outputs. Here
each such pair becomes a state: the input is read from it, the output is written to it.

A float16 program keeps its floats as they are. In a float32 program a float is kept as two halves:
what float16 has of it, and what is left, times 2048; together they have the 24 bits of a float32,
to one in the last place. A whole number is kept as three digits to the base 2048 (float16 has every
whole number up to that): a counter in one float16 would stop at 2048 for ever. Where the
checkpoint's values are not zeros, one more state says whether there was a call before this one, and
the first call takes them from the program.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from lading.conversion.capture import Captured
from lading.coreml.memory import BASE, BEGUN, KEY, PARTS
from lading.errors import RequestError
from lading.formats.coreml.operations import Writer, short, type_of, value_of
from lading.interface import Interface
from lading.interface.memory import Kept
from lading.interface.settings import KEEPS_STATES, MACOS_TWIN, Precision
from lading.record import Port, State, to_json


def require_system(deployment: str, states: Sequence[Kept]) -> None:
    """Passes only a system that keeps states.

    Raises:
        RequestError: it is older.
    """
    twin = MACOS_TWIN.get(deployment, deployment)
    if states and int(twin.removeprefix("iOS")) < KEEPS_STATES:
        asked = ("--macos " if deployment.startswith("macOS") else "--ios ") + "".join(
            c for c in deployment if c.isdigit()
        )
        raise RequestError(
            asked,
            found="a network that remembers " + ", ".join(k.state.buffer for k in states),
            expected=f"iOS {KEEPS_STATES} or macOS 15, the first that keep states",
            remedy=f"use --ios {KEEPS_STATES} or --macos 15, or leave it out; or --to onnx alone",
        )


def typed(captured: Captured, precision: Precision) -> Captured:
    """The graph with what is remembered in the type that its operations have."""
    step = captured.interface
    count = len(step.states)
    if not count:
        return captured

    def changed(ports: Sequence[Port]) -> tuple[Port, ...]:
        own, kept = ports[: len(ports) - count], ports[len(ports) - count :]
        half = precision == "fp16"
        return (*own, *(replace(p, dtype="float16") if half and p.dtype == "float32" else p
                        for p in kept))  # fmt: skip

    interface = replace(step, inputs=changed(step.inputs), outputs=changed(step.outputs))
    return replace(captured, interface=interface)


def states(kept: Sequence[Kept], precision: Precision) -> tuple[State, ...]:
    """What a file of this precision remembers, and how it holds it."""

    def held(state: State) -> Literal["plain", "halves", "digits"]:
        if state.port.dtype == "int32":
            return "digits"
        return "halves" if precision == "fp32" else "plain"

    return tuple(replace(one.state, held=held(one.state)) for one in kept)


def keep(spec: Any, step: Interface, precision: Precision) -> None:
    """Turns inputs and outputs of the specification of a step into states."""
    kept = step.states
    if not kept:
        return
    told = states(kept, precision)
    (function,) = spec.mlProgram.functions.values()
    block = function.block_specializations[function.opset]
    _apart(spec, function, block, [port.name for port in step.outputs])
    clash = {one.port.name for one in told} | {BEGUN}
    rename(block, {name: f"{name}_value" for name in clash})
    taken = {value.name for op in block.operations for value in op.outputs}
    reading, writing = Writer(block, taken), Writer(block, taken)
    begun = ""
    if any(one.begins == "values" for one in told):
        _declare(spec, function, BEGUN, (1,))
        before = reading.op("read_state", "float16", (1,), input=BEGUN)
        begun = reading.op("greater", "bool", (1,), x=before, y=np.float16(0))
        writing.write(BEGUN, writing.constant(np.ones(1, np.float16)))
    for one, state in zip(kept, told, strict=True):
        name, shape = state.port.name, state.port.shape
        dtype = "float16" if state.held == "plain" else state.port.dtype
        folded = (shape[0] * PARTS[state.held], *shape[1:])
        _declare(spec, function, name, folded, replaces=f"{name}_in")
        first = one.begins.numpy().astype(dtype) if state.begins == "values" else None
        _read(reading, state, dtype, folded, begun, first)
        _write(writing, state, folded)
        outputs = [value for value in block.outputs if value != f"{name}_out"]
        del block.outputs[:]
        block.outputs.extend(outputs)
        _drop(spec.description.input, f"{name}_in")
        _drop(spec.description.output, f"{name}_out")
    own = [type(op).FromString(op.SerializeToString()) for op in block.operations]
    del block.operations[:]
    block.operations.extend([*reading.made, *own, *writing.made])
    spec.description.metadata.userDefined[KEY] = json.dumps([to_json(one) for one in told])


def _apart(spec: Any, function: Any, block: Any, names: Sequence[str]) -> None:
    """Gives every output a value and a name of its own: the converter makes one of two outputs that
    are the same, as a hidden state that is given out too, and names it after the last."""
    for place, name in enumerate(names):
        value = block.outputs[place]
        if value == name:
            continue
        kinds = {v.name: v.type for v in (*function.inputs, *(o for p in block.operations
                                                              for o in p.outputs))}  # fmt: skip
        same = block.operations.add(type="identity")
        same.inputs["x"].arguments.add(name=value)
        same.attributes["name"].CopyFrom(value_of(f"{name}_op"))
        made = same.outputs.add(name=name)
        made.type.CopyFrom(kinds[value])
        block.outputs[place] = name
        spec.description.output[place].name = name


def details(spec: Any) -> dict[str, str]:
    """The states as the file has them, in words; nothing where there are none."""
    told = [f"{one.name} float16 {list(one.type.stateType.arrayType.shape)}"
            for one in spec.description.state]  # fmt: skip
    needs = f"needs iOS {KEEPS_STATES} or macOS 15, the first that keep states"
    return {"states": f"{', '.join(told)}; {needs}"} if told else {}


def rename(block: Any, names: Mapping[str, str]) -> None:
    """Gives values of a block other names, wherever they stand."""
    for place, output in enumerate(block.outputs):
        block.outputs[place] = names.get(output, output)
    for operation in block.operations:
        for value in operation.outputs:
            value.name = names.get(value.name, value.name)
        for bound in operation.inputs.values():
            for argument in bound.arguments:
                if argument.WhichOneof("binding") == "name":
                    argument.name = names.get(argument.name, argument.name)
        for inner in operation.blocks:
            rename(inner, names)


# ------------------------------------------------------------------------------ reading, writing
def _read(
    made: Writer, state: State, dtype: str, folded: Sequence[int], begun: str, first: Any
) -> None:
    """Operations from the state to the value that was the input."""
    name, shape = f"{state.port.name}_in", state.port.shape
    whole = "" if state.held != "plain" or first is not None else name
    value = made.op("read_state", "float16", folded, whole, input=state.port.name)
    if state.held != "plain":
        parts = [
            made.op("cast", dtype, shape, x=_part(made, value, shape, part), dtype=short(dtype))
            for part in range(PARTS[state.held])
        ]
        value = parts.pop()
        scale = np.float32(1 / BASE) if state.held == "halves" else np.int32(BASE)
        while parts:
            scaled = made.op("mul", dtype, shape, x=value, y=scale)
            whole = "" if len(parts) > 1 or first is not None else name
            value = made.op("add", dtype, shape, whole, x=scaled, y=parts.pop())
    if first is not None:
        made.op("select", dtype, shape, name, cond=begun, a=value, b=first)


def _part(made: Writer, value: str, shape: Sequence[int], part: int) -> str:
    begin = np.array([shape[0] * part, *[0] * (len(shape) - 1)], np.int32)
    return made.op("slice_by_size", "float16", shape, x=value, begin=begin,
                   size=np.array(shape, np.int32))  # fmt: skip


def _write(made: Writer, state: State, folded: Sequence[int]) -> None:
    """Operations from the value that was the output to the state."""
    name, value, shape = state.port.name, f"{state.port.name}_out", state.port.shape
    if state.held == "plain":
        made.write(name, value)
        return
    if state.held == "halves":
        high = made.op("cast", "float16", shape, x=value, dtype="fp16")
        wide = made.op("cast", "float32", shape, x=high, dtype="fp32")
        left = made.op("sub", "float32", shape, x=value, y=wide)
        size = made.op("abs", "float32", shape, x=wide)
        real = made.op("less", "bool", shape, x=size, y=np.float32(np.inf))
        # of an infinity nothing is left
        left = made.op("select", "float32", shape, cond=real, a=left, b=np.float32(0))
        low = made.op("mul", "float32", shape, x=left, y=np.float32(BASE))
        parts = [high, made.op("cast", "float16", shape, x=low, dtype="fp16")]
    else:
        parts, rest = [], value
        for _ in range(PARTS["digits"] - 1):
            above = made.op("floor_div", "int32", shape, x=rest, y=np.int32(BASE))
            whole = made.op("mul", "int32", shape, x=above, y=np.int32(BASE))
            digit = made.op("sub", "int32", shape, x=rest, y=whole)
            parts.append(made.op("cast", "float16", shape, x=digit, dtype="fp16"))
            rest = above
        parts.append(made.op("cast", "float16", shape, x=rest, dtype="fp16"))
    joined = made.op("concat", "float16", folded, values=parts, axis=np.int32(0),
                     interleave=np.bool_(0))  # fmt: skip
    made.write(name, joined)


def _declare(spec: Any, function: Any, name: str, shape: Sequence[int], replaces: str = "") -> None:
    """A state among what the function takes and in the model's description."""
    _drop(function.inputs, replaces)
    value = function.inputs.add()
    value.name = name
    value.type.stateType.wrappedType.CopyFrom(type_of("float16", shape))
    feature = spec.description.state.add()
    feature.name = name
    array = feature.type.stateType.arrayType
    array.shape.extend(shape)
    array.dataType = array.ArrayDataType.Value("FLOAT16")


def _drop(features: Any, name: str) -> None:
    left = [type(one).FromString(one.SerializeToString()) for one in features if one.name != name]
    del features[:]
    features.extend(left)
