"""Readings of a tensor's value by Python code: where they are, and whether they decide anything.

A graph holds operations on tensors. Python that asks a tensor for its value leaves the graph, and
what it does with the number, a branch as a rule, is lost in a capture: one side of it is frozen.
"""

from __future__ import annotations

import ast
import linecache
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakIdKeyDictionary

from lading.conversion.repairs import in_place_of

_READERS = ("item", "tolist", "__bool__", "__int__", "__float__", "__index__")
#: Functions and methods that compute from what they are given and keep nothing of it.
_PURE = {
    *("abs", "all", "amax", "amin", "any", "bool", "ceil", "dim", "eq", "float", "floor", "ge"),
    *("gt", "int", "isfinite", "isinf", "isinstance", "isnan", "item", "le", "len"),
    *("logical_and", "logical_not", "logical_or", "lt", "max", "mean", "min", "ndim", "ne", "norm"),
    *("numel", "round", "size", "sum", "tolist"),
}
#: Where a value is read: the file, the line, the reader.
Site = tuple[str, int, str]
#: Code in here decides between ways to compute the same.
_TORCH = str(Path(torch.__file__).parent)


@dataclass(frozen=True, order=True)
class Decision:
    """A line in which the value of something computed from the inputs is read, and that may do more
    than raise."""

    file: str
    line: int

    @property
    def place(self) -> str:
        """As ``net.py:12``."""
        return f"{Path(self.file).name}:{self.line}"

    @property
    def text(self) -> str:
        """The line itself."""
        return linecache.getline(self.file, self.line).strip()


def decisions(module: nn.Module, arguments: list[torch.Tensor]) -> dict[Decision, tuple[Any, ...]]:
    """The decisions of a module on some inputs, with the values that were read.

    Args:
        module: eval mode.
        arguments: its inputs, in order.
    """
    found: dict[Decision, list[Any]] = {}
    made = _Derived(arguments)

    def noted(site: Site, read: Callable[[], Any], of: torch.Tensor) -> Any:
        value = read()
        own = not site[0].startswith(_TORCH) and of in made.known
        if own and not only_guards(*site[:2]):
            found.setdefault(Decision(*site[:2]), []).append(value)
        return value

    with torch.no_grad(), watched(noted, tensor=True), made:
        module(*arguments)
    return {decision: tuple(map(repr, values)) for decision, values in found.items()}


@contextmanager
def sites() -> Iterator[set[Site]]:
    """Where the value of any tensor is read by code that is not torch's, while it is on."""
    found: set[Site] = set()

    def noted(site: Site, read: Callable[[], Any]) -> Any:
        if not site[0].startswith(_TORCH):
            found.add(site)
        return read()

    with watched(noted):
        yield found


class _Derived(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Knows what was computed from some tensors, while it is on."""

    def __init__(self, tensors: list[torch.Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.known: Any = WeakIdKeyDictionary()
        for one in tensors:
            self.known[one] = True

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        given, _ = torch.utils._pytree.tree_flatten((args, kwargs or {}))
        if any(isinstance(one, torch.Tensor) and one in self.known for one in given):
            made = result if isinstance(result, (tuple, list)) else (result,)
            changed = given[:1] if func._schema.is_mutable else []
            for one in (*made, *changed):
                if isinstance(one, torch.Tensor):
                    self.known[one] = True
        return result


@contextmanager
def watched(through: Callable[..., Any], *, tensor: bool = False) -> Iterator[None]:
    """Sends every reading of a tensor's value by Python code through `through`.

    Args:
        through: takes where it is, what reads it, and the tensor where `tensor` asks for it.
        tensor: see there.
    """

    def method(name: str) -> Any:
        real = getattr(torch.Tensor, name)

        def reader(self: torch.Tensor) -> Any:
            caller = sys._getframe(1)
            site = (caller.f_code.co_filename, caller.f_lineno, name)
            more = (self,) if tensor else ()
            return through(site, lambda: real(self), *more)

        return reader

    with in_place_of({name: method(name) for name in _READERS}):
        yield


@lru_cache(maxsize=256)
def only_guards(filename: str, line: int) -> bool:
    """Whether what is read in that line can do nothing but raise; not where there is no source."""
    try:
        tree = ast.parse("".join(linecache.getlines(filename)))
    except SyntaxError:
        return False
    functions, statements = _around(tree, line)
    # what only happens on the way to raising is no other use
    statements = [one for one in statements if not isinstance(one, ast.Raise)]
    if len(statements) != 1 or not functions or _caught(functions[-1], line):
        return False
    (statement,) = statements
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
        if isinstance(target, ast.Name) and _computes_only(statement.value):
            return _named_for_guards(functions[-1], target.id)
    return _guard(statement)


def _around(tree: ast.Module, line: int) -> tuple[list[ast.AST], list[ast.stmt]]:
    """The functions around `line`, outermost first, and the statements that compute in it."""
    functions: list[ast.AST] = []
    computing: list[ast.stmt] = []
    for node in ast.walk(tree):  # breadth first: what is inside comes later
        if not isinstance(node, ast.stmt) or not _spans(node, line):
            continue
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            functions.append(node)
        elif not any(isinstance(child, ast.stmt) for child in ast.iter_child_nodes(node)):
            computing.append(node)
        else:  # of a compound statement, what it computes itself
            children = ast.iter_child_nodes(node)
            if any(isinstance(one, ast.expr) and _spans(one, line) for one in children):
                computing.append(node)
    return functions, computing


def _spans(node: ast.expr | ast.stmt, line: int) -> bool:
    return node.lineno <= line <= (node.end_lineno or node.lineno)


def _caught(function: ast.AST, line: int) -> bool:
    """Whether what is raised at `line` may be handled in the same function."""
    return any(
        isinstance(node, ast.Try)
        and node.handlers
        and node.body[0].lineno <= line <= (node.body[-1].end_lineno or line)
        for node in ast.walk(function)
    )


def _guard(statement: ast.stmt) -> bool:
    """An assertion, or an ``if`` that only raises."""
    if isinstance(statement, ast.Assert):
        return _computes_only(statement.test)
    if not isinstance(statement, ast.If) or statement.orelse:
        return False
    return isinstance(statement.body[-1], ast.Raise) and _computes_only(statement.test)


def _computes_only(expression: ast.expr) -> bool:
    """No name is given inside it, and only functions are called that keep nothing."""
    for node in ast.walk(expression):
        if isinstance(node, (ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom, ast.Lambda)):
            return False
        if isinstance(node, ast.Call):
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if name not in _PURE:
                return False
    return True


def _named_for_guards(function: ast.AST, name: str) -> bool:
    """Whether `name` is local to `function` and is read nowhere but in guards."""
    inside: set[int] = set()
    for node in ast.walk(function):
        if isinstance(node, (ast.Global, ast.Nonlocal)) and name in node.names:
            return False
        if isinstance(node, ast.stmt) and _guard(node):
            inside.update(map(id, ast.walk(node)))
    return all(
        id(node) in inside
        for node in ast.walk(function)
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
    )
