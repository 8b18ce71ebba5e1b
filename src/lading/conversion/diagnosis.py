"""What stands in a network's way: all that can be found at once, without converting.

The network runs once in torch while everything is watched that a graph cannot hold: values read on
the host, chance, complex numbers, shapes that values decide, writes into views and buffers. Then it
is exported, and every operation of the graph is asked of the converters' own lists.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from lading.conversion.apple import program
from lading.conversion.capture import Captured, capture, innermost
from lading.conversion.repairs import in_place_of, repaired
from lading.errors import CaptureError
from lading.interface import Interface
from lading.network.lines import line, raised, told
from lading.record import Route
from lading.record.diagnosis import Obstacle

_READERS = ("item", "tolist", "__bool__", "__int__", "__float__", "__index__")


def diagnose(interface: Interface) -> tuple[Obstacle, ...]:
    """What stands in the way, what stops first; empty where nothing does."""
    found: dict[tuple[str, str], Obstacle] = {}

    def note(kind: str, at: tuple[str, str], *said: str, stops: bool = True) -> None:
        what, why, remedy = said
        found.setdefault((kind, at[0]), Obstacle(kind, *at, what, why, remedy, stops))

    _watch(interface, note)
    captured = _captured(interface, note)
    if captured is not None:
        _ask_coreml(captured, note)
        _ask_onnx(captured, note)
    return tuple(sorted(found.values(), key=lambda one: not one.stops))


Note = Callable[..., None]


def _stack() -> Iterator[tuple[str, int]]:
    frame: Any = sys._getframe(2)
    while frame is not None:
        yield frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back


# ------------------------------------------------------------------------------------- as it runs
def _watch(interface: Interface, note: Note) -> None:
    """The network once, in torch, under watch."""
    module, values = interface.module, interface.example().values()
    with ExitStack() as stack:
        stack.enter_context(torch.no_grad())
        stack.enter_context(_readings(note))
        stack.enter_context(_functions(note))
        stack.enter_context(_Dispatched(note))
        try:
            module(*values)
        except Exception as error:  # the code of anybody's network
            note("it raises", line(raised(error)), told(error),
                 "values of the inputs' ranges were drawn, standard normal where they have none",
                 "say the range: --input x:float32[1,3]@0..1")  # fmt: skip
    for kept in interface.states:
        note("state", (kept.state.buffer, ""), f"forward changes the buffer {kept.state.buffer}",
             "a file keeps nothing from one call to the next of itself",
             "nothing: it becomes a state in Core ML (iOS 18 or newer), an input and an output in "
             "ONNX, and is compared over several calls", stops=False)  # fmt: skip
    for path, one in module.named_modules():
        if one.training:
            note("training mode", (path, type(one).__name__), "it runs as in training",
                 "dropout and norms answer otherwise than when the network is used",
                 "call eval() on it, and let nothing call train()", stops=False)  # fmt: skip


@contextmanager
def _readings(note: Note) -> Iterator[None]:
    """Values that Python reads: where one decides what is computed, a graph holds one way."""

    def watched(name: str) -> Any:
        own = getattr(torch.Tensor, name)

        def read(self: torch.Tensor, *arguments: Any) -> Any:
            at = line(_stack())
            if at[0]:
                branch = name == "__bool__" or at[1].startswith(
                    ("if ", "elif ", "while ", "assert ")
                )
                what = "a branch on values" if branch else "a value read by Python"
                note(what, at, f"Python asks for the number in a tensor ({name})",
                     "a graph has the answer of one input, whatever comes later",
                     "compute both and choose with torch.where, or take the size or the setting "
                     "from the code", stops=False)  # fmt: skip
            return own(self, *arguments)

        return read

    with in_place_of({name: watched(name) for name in _READERS}):
        yield


@contextmanager
def _functions(note: Note) -> Iterator[None]:
    """Custom autograd functions."""
    own = torch.autograd.Function.__dict__["apply"]

    def apply(cls: Any, *arguments: Any, **keywords: Any) -> Any:
        note("a custom autograd function", line(_stack()), f"it calls {cls.__name__}.apply",
             "an exporter sees one call of which it knows nothing",
             "nothing: its forward is called in its place, and proved", stops=False)  # fmt: skip
        return own.__get__(None, cls)(*arguments, **keywords)

    kind: Any = torch.autograd.Function
    kind.apply = classmethod(apply)
    try:
        yield
    finally:
        kind.apply = own


class _Dispatched(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Every operation as it is computed."""

    def __init__(self, note: Note) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.note = note

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = torch.utils._pytree.tree_leaves((args, kwargs or {}))
        views = [one for one in given[:1] if isinstance(one, torch.Tensor) and one._is_view()]
        found = func(*args, **(kwargs or {}))
        name, tags = str(func).removeprefix("aten."), func.tags
        if torch.Tag.nondeterministic_seeded in tags and "dropout" not in name:
            self.note("chance", line(_stack()), f"it draws random numbers ({name})",
                      "each call gives something else, and there is nothing to compare",
                      "take the noise as an input")  # fmt: skip
        if torch.Tag.dynamic_output_shape in tags:
            self.note("a size that values decide", line(_stack()), f"it calls {name}",
                      "a graph has sizes that are known before it runs",
                      "keep all of it and mark with a mask, or torch.where")  # fmt: skip
        if "_pack_padded_sequence" in name:
            self.note("packed sequences", line(_stack()), "it packs a batch of sequences",
                      "the packing is decided by values",
                      "run the layer on the padded batch")  # fmt: skip
        if func._schema.is_mutable and views and not name.startswith("_"):
            self.note("a write into a view", line(_stack()), f"it calls {name} on a view",
                      "a trace may lose the write; torch.export keeps it",
                      "nothing, or write to a copy", stops=False)  # fmt: skip
        if any(isinstance(one, torch.Tensor) and one.is_complex()
               for one in torch.utils._pytree.tree_leaves(found)):  # fmt: skip
            self.note("complex numbers", line(_stack()), f"{name} gives complex numbers",
                      "no format has them: they are computed as pairs of real ones",
                      "nothing, or the real and the imaginary part apart", stops=False)  # fmt: skip
        return found


# --------------------------------------------------------------------------------- what is captured
def _captured(interface: Interface, note: Note) -> Captured | None:
    """The exported program; None where neither way of capturing gives a graph."""
    exported = None
    failed: list[CaptureError] = []
    routes: tuple[Route, ...] = ("export", "trace")
    for route in routes:
        try:
            with repaired(interface.step, route) as (mended, _):
                graph = capture(mended, route)
            exported = exported or (graph if route == "export" else None)
        except CaptureError as lost:
            failed.append(lost)
    for one in failed:
        kind = "not exported" if " by export" in one.subject else "not traced"
        note(kind, line(raised(one)), one.found, "the route cannot follow the code",
             "change that line" if len(failed) == 2 else "nothing: the other route can",
             stops=len(failed) == 2)  # fmt: skip
    return exported


def _ask_coreml(captured: Captured, note: Note) -> None:
    """Operations that coremltools does not know, of a graph as it would be given them."""
    from coremltools.converters.mil.frontend.torch.torch_op_registry import _TORCH_OPS_REGISTRY

    try:
        graph = program(captured, decomposed=True).graph
    except Exception as error:  # what cannot be spelled is one more obstacle
        note("Core ML", line(raised(error)), innermost(error), "it has no other spelling",
             "convert to ONNX only (--to onnx)", stops=False)  # fmt: skip
        return
    for node in graph.nodes:
        if node.op != "call_function" or not isinstance(node.target, torch._ops.OpOverload):
            continue
        name = node.target._schema.name.removeprefix("aten::")
        if _TORCH_OPS_REGISTRY.get_func(name) is None and name not in _ASSERTIONS:
            note(f"Core ML: {name}", _line_of(node), f"it computes {name}",
                 "coremltools has no operation for it",
                 "spell it in others, or convert to ONNX only (--to onnx)",
                 stops=False)  # fmt: skip


def _ask_onnx(captured: Captured, note: Note) -> None:
    """Operations that torch's exporter of ONNX does not know."""
    from torch.onnx._internal.exporter import _registration

    assert captured.exported is not None
    known = _registration.ONNXRegistry.from_torchlib()
    graph = captured.exported.run_decompositions().graph
    for node in graph.nodes:
        if node.op != "call_function" or not isinstance(node.target, torch._ops.OpOverload):
            continue
        name = node.target._schema.name.removeprefix("aten::")
        if not known.is_registered(node.target) and name not in _ASSERTIONS:
            note(f"ONNX: {name}", _line_of(node), f"it computes {name}",
                 "torch's exporter has no operation for it",
                 "nothing where another spelling is known: the third route tries it",
                 stops=False)  # fmt: skip


_ASSERTIONS = ("_assert_scalar", "_assert_tensor_metadata", "sym_constrain_range_for_size",
               "_assert_async", "alias", "lift_fresh_copy")  # fmt: skip


def _line_of(node: Any) -> tuple[str, str]:
    """Where a node of a graph comes from, by the stack that torch noted."""
    frames = []
    for text in str(node.meta.get("stack_trace") or "").splitlines():
        if text.strip().startswith('File "'):
            path, number = text.strip().split('"')[1], text.split("line ")[1].split(",")[0]
            frames.append((path, int(number)))
    return line(iter(reversed(frames)))
