"""A Core ML program as plain data: functions of blocks of operations on named, typed values.

The records mirror the published schema of the format (`MIL.proto`): what a file says, and nothing
that a file does not say. They hold no protobuf and know nothing of how operations are computed.

>>> scalar = ValueType("tensor", "float32", ())
>>> str(scalar), str(ValueType("tensor", "float16", (1, None, 4)))
('float32[]', 'float16[1,?,4]')
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import numpy as np

Kind = Literal["tensor", "list", "tuple", "dictionary", "state"]


@dataclass(frozen=True)
class ValueType:
    """The type of a value.

    Attributes:
        kind: ``"tensor"`` (a scalar is a tensor of rank 0), ``"list"``, ``"tuple"``,
            ``"dictionary"`` or ``"state"``.
        dtype: of a tensor's elements, in numpy's spelling where numpy has one: ``"float16"``,
            ``"int4"``, ``"string"``, ...; empty for the other kinds.
        shape: of a tensor, None where a size is known only at run time; None as a whole where
            even the rank is unknown.
        items: what the other kinds are made of: one type for a list or a state, the members of a
            tuple, key and value of a dictionary.
        length: of a list, None if it is known only at run time.
    """

    kind: Kind
    dtype: str = ""
    shape: tuple[int | None, ...] | None = ()
    items: tuple[ValueType, ...] = ()
    length: int | None = None

    def __str__(self) -> str:
        if self.kind == "tensor":
            if self.shape is None:
                return f"{self.dtype}[*]"
            return f"{self.dtype}[{','.join('?' if n is None else str(n) for n in self.shape)}]"
        return f"{self.kind}<{', '.join(map(str, self.items))}>"

    @property
    def fixed(self) -> tuple[int, ...] | None:
        """The shape of a tensor where every size is known, else None."""
        if self.kind != "tensor" or self.shape is None or None in self.shape:
            return None
        return tuple(n for n in self.shape if n is not None)


@dataclass(frozen=True)
class Constant:
    """A literal or a weight. `data` is an array of the type's shape, or a str, list or dict.

    Arrays of 4-, 3-, 2- and 1-bit integers come unpacked, one element to a byte. Arrays that lie
    in a weight file are mapped, not read: their pages are loaded when they are first used.
    """

    type: ValueType
    data: np.ndarray[Any, Any] | str | list[Any] | dict[Any, Any]

    def plain(self) -> Any:
        """The data as Python numbers, strings and lists of them."""
        return self.data.tolist() if isinstance(self.data, np.ndarray) else self.data


@dataclass(frozen=True)
class Value:
    """A name and its type: an output of an operation, an input of a block or of a function."""

    name: str
    type: ValueType


#: What feeds an operation's input: the name of a value, or a literal.
Binding: TypeAlias = "str | Constant"


@dataclass(frozen=True)
class Op:
    """One operation. An input may have several bindings (``concat``'s ``values``).

    `origin` is where in its file it comes from, in words, if there it was something else.
    """

    type: str
    name: str
    inputs: Mapping[str, tuple[Binding, ...]]
    outputs: tuple[Value, ...]
    blocks: tuple[Block, ...] = ()
    attributes: Mapping[str, Constant] = field(default_factory=dict)
    origin: str = ""

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of the values that it reads, in the order of its inputs."""
        return tuple(
            name for many in self.inputs.values() for name in many if isinstance(name, str)
        )

    @property
    def half(self) -> bool:
        """Whether it is arithmetic that gives float16."""
        real = self.type != "const" and not self.type.startswith("constexpr_")
        return real and any(value.type.dtype == "float16" for value in self.outputs)


@dataclass(frozen=True)
class Block:
    """Operations in order; `outputs` names the values that leave it."""

    inputs: tuple[Value, ...]
    outputs: tuple[str, ...]
    operations: tuple[Op, ...]

    def walk(self) -> Iterator[Op]:
        """Every operation, those of nested blocks right after the one that holds them."""
        for op in self.operations:
            yield op
            for block in op.blocks:
                yield from block.walk()

    def read_once(self) -> set[str]:
        """Names that one operation alone reads, here and in nested blocks, and that leave none."""
        operations = [*self.walk()]
        read = Counter(name for op in operations for name in op.reads)
        blocks = (self, *(block for op in operations for block in op.blocks))
        leave = {name for block in blocks for name in block.outputs}
        return {name for name, count in read.items() if count == 1} - leave

    def rewritten(self, change: Callable[[Op], Op | Sequence[Op]]) -> Block:
        """The block with each operation as `change` gives it; see `Program.rewritten`."""
        made: list[Op] = []
        for op in self.operations:
            inner = replace(op, blocks=tuple(b.rewritten(change) for b in op.blocks))
            result = change(inner if op.blocks else op)
            made += [result] if isinstance(result, Op) else result
        return replace(self, operations=tuple(made))


@dataclass(frozen=True)
class Function:
    """A function: typed inputs, the opset that it is written in (``"CoreML7"``), and its block."""

    name: str
    inputs: tuple[Value, ...]
    opset: str
    block: Block


@dataclass(frozen=True)
class Program:
    """The functions of one file, by name."""

    functions: Mapping[str, Function]

    def rewritten(self, change: Callable[[Op], Op | Sequence[Op]]) -> Program:
        """The program with each operation as `change` gives it: one, several, or none in its place.

        Operations are taken in order, those of nested blocks before the one that holds them; what
        `change` knows of one it may use for those that follow.

        >>> empty = Program({"main": Function("main", (), "CoreML7", Block((), (), ()))})
        >>> empty.rewritten(lambda op: op) == empty
        True
        """
        return Program(
            {
                name: replace(function, block=function.block.rewritten(change))
                for name, function in self.functions.items()
            }
        )
