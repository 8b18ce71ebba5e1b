"""Checks of an input's value that run on the host and raise, kept out of the graph."""

from __future__ import annotations

import ast
import linecache
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lading.conversion.repairs import Case, Scope, in_place_of, whereabouts

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


class HostGuards:
    """A guard such as ``if t[0].item() > steps: raise ...`` is asked once, then not recorded.

    Algebra. A guard that does not raise computes nothing: whatever number it is shown, as long as
    it lets it pass, the outputs are the same function of the inputs. So the number of the first run
    is shown to it ever after. A graph cannot hold such a guard: `torch.export` stops at it
    (``GuardOnDataDependentSymNode``), `torch.jit.trace` warns that the number becomes a constant.

    That the number goes nowhere else is read from the code: the line must be an ``assert``, or an
    ``if`` without ``else`` whose body ends in ``raise``, or give the number a local name that is
    read in such lines only. Where it goes on into the computation or decides between two ways to
    compute, the repair declines. The proof runs on several inputs, all but the first with the
    number of another: an output that depended on it would show.

    The guard itself is lost on the way: the artifact takes any value.
    """

    name = "host-side guards"
    reason = (
        "a check of an input's value that raises in Python is no part of a graph; it is passed "
        "with the first input's value and proved to touch no output. The artifact does not check"
    )
    fused = False

    def scope(self, case: Case) -> Scope:
        guards: dict[str, None] = {}
        others: dict[str, None] = {}

        with whereabouts(case.module) as here:

            def noted(site: Site, read: Callable[[], Any]) -> Any:
                if _only_guards(*site[:2]):
                    guards.setdefault(here())
                else:
                    others.setdefault(f"{Path(site[0]).name}:{site[1]}")
                return read()

            with _watched(noted), torch.no_grad():
                case.module(*case.inputs)
        if guards:
            return Scope(tuple(guards))
        if others:
            where = ", ".join(others)
            return Scope(
                declined=f"a value is read where it may decide more than an error: {where}"
            )
        return Scope(declined="no value is read on the host")

    @contextmanager
    def applied(self, module: nn.Module) -> Iterator[nn.Module]:
        passed: dict[Site, Any] = {}

        def shown(site: Site, read: Callable[[], Any]) -> Any:
            if not _only_guards(*site[:2]):
                return read()
            if site not in passed:
                passed[site] = read()
            return passed[site]

        with _watched(shown):
            yield module


@contextmanager
def _watched(through: Callable[[Site, Callable[[], Any]], Any]) -> Iterator[None]:
    """Sends every reading of a tensor's value by Python code through `through`."""

    def method(name: str) -> Any:
        real = getattr(torch.Tensor, name)

        def reader(self: torch.Tensor) -> Any:
            caller = sys._getframe(1)
            site = (caller.f_code.co_filename, caller.f_lineno, name)
            return through(site, lambda: real(self))

        return reader

    with in_place_of({name: method(name) for name in _READERS}):
        yield


@lru_cache(maxsize=256)
def _only_guards(filename: str, line: int) -> bool:
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


REPAIR = HostGuards()
