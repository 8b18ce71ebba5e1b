"""Operations that coremltools 9.0 cannot say or says wrongly, spelled in others that it can.

Each file of this shelf is one kind of operation: its symptom and its version stand at its head, its
``SPELLING`` maps torch's operators to functions of torch that compute the same. `spelled` runs an
exported program through them while it is exported again, so that what comes out is a program of
torch like any other: it is proved against torch as every file is, and nothing is patched in the
converter. Names of parameters and the modules that values come from stay what they were.

A spelling is called with the node that it stands for and the operator's own arguments, and gives
what the operator gives, or NotImplemented where the operator is right as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import fx, nn
from torch._subclasses import FakeTensor
from torch.utils._pytree import tree_leaves

from lading.base import shelf
from lading.conversion.spelling.pairs import VIEWS, Pair, paired

Spell = Callable[..., Any]


def spellings() -> dict[Any, Spell]:
    """Every operator that is spelled in another way, with how."""
    kinds = shelf.read("lading.conversion.spelling", "SPELLING").values()
    return {operator: spell for kind in kinds for operator, spell in kind.items()}


def spelled(
    program: torch.export.ExportedProgram, shapes: Any = None
) -> torch.export.ExportedProgram:
    """The program with every operation of the shelf in its other spelling; itself where it has
    none of them.

    Args:
        program: as it was exported.
        shapes: the dynamic shapes that it was exported with, one an input; None of closed ones.

    Raises:
        Exception: of torch, where the program cannot be exported again.
    """
    known = spellings()
    complex_ones = any(map(_is_complex, program.graph.nodes))
    if complex_ones:  # of transforms the few that all others are made of
        program = program.run_decompositions()
    if not complex_ones and not any(node.target in known for node in program.graph.nodes):
        return program
    arguments, keywords = program.example_inputs or ((), {})
    run = _Run(program.module(check_guards=False), known)
    if not complex_ones and shapes is None and run.idle():
        return program
    module: Any = _Spelled(run)
    given = None if shapes is None else (shapes,)  # all inputs are one parameter of `_Spelled`
    with torch.no_grad(), fx.traceback.preserve_node_meta():
        return torch.export.export(module, arguments, keywords, dynamic_shapes=given)


def _lies_as_before(n: fx.Node, value: Any) -> bool:
    """Whether a value lies in memory as it did where the program was recorded."""
    before = n.all_input_nodes[0].meta.get("val")
    return isinstance(before, torch.Tensor) and before.stride() == value.stride()


def _is_complex(node: fx.Node) -> bool:
    value = node.meta.get("val")
    return isinstance(value, torch.Tensor) and value.is_complex()


class _Spelled(nn.Module):
    """A graph module's values under their own names, computed in the other spelling."""

    def __init__(self, run: _Run) -> None:
        super().__init__()
        graph: Any = run.module
        # shared, not copied: exporting puts its own tensors into these for a while
        self._parameters, self._buffers = graph._parameters, graph._buffers
        self._modules = graph._modules
        self._hidden = (run,)

    def forward(self, *arguments: Any, **keywords: Any) -> Any:
        run = self._hidden[0]
        flat = run.graph_of.process_inputs(*arguments, **keywords)
        return run.run(*flat, enable_io_processing=False)


class _Run(fx.Interpreter):
    def __init__(self, graph: Any, known: Mapping[Any, Spell]) -> None:
        super().__init__(graph, garbage_collect_values=False)
        self.known, self.graph_of = known, graph.graph

    def idle(self) -> bool:
        """Whether every operator of the shelf is right as it is: seen on the values' shapes alone,
        and so of closed ones."""
        for node in self.graph_of.nodes:
            spell = self.known.get(node.target) if node.op == "call_function" else None
            if spell is None:
                continue
            given = fx.map_arg((node.args, node.kwargs), lambda one: one.meta.get("val"))
            modes = {one.fake_mode for one in tree_leaves(given) if isinstance(one, FakeTensor)}
            if len(modes) != 1 or any(one.meta.get("val") is None for one in node.all_input_nodes):
                return False
            try:
                with modes.pop():
                    if spell(node, *given[0], **given[1]) is not NotImplemented:
                        return False
            except Exception:  # what stands in its way is told where it is exported
                return False
        return True

    def run_node(self, n: fx.Node) -> Any:
        if n.op == "call_function":
            arguments, keywords = self.fetch_args_kwargs_from_env(n)
            with fx.traceback.set_current_meta(n):
                found = self._spelled(n, arguments, keywords)
            if found is not NotImplemented:
                return found
            if n.target in VIEWS and not _lies_as_before(n, arguments[0]):
                with fx.traceback.set_current_meta(n):
                    return VIEWS[n.target](*arguments)
        if n.op == "get_attr":
            found = self.fetch_attr(str(n.target))
            if isinstance(found, torch.Tensor) and found.is_complex():
                return Pair(found.real.clone(), found.imag.clone())
            return found
        if n.op == "output":
            answer = super().run_node(n)
            if any(isinstance(one, Pair) for one in tree_leaves(answer)):
                raise ValueError("no file holds complex numbers: return torch.view_as_real of them")
            return self.graph_of.process_outputs(answer)
        return super().run_node(n)

    def _spelled(self, n: fx.Node, arguments: Any, keywords: Any) -> Any:
        spell = self.known.get(n.target)
        complex_result = _is_complex(n)
        leaves = tree_leaves((arguments, keywords))
        if complex_result or any(isinstance(one, Pair) for one in leaves):
            return paired(n, arguments, keywords)
        return NotImplemented if spell is None else spell(n, *arguments, **keywords)
