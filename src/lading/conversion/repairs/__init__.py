"""The contract of a repair, and its proof.

Some modules cannot be captured as they stand, although nothing is wrong with their values: the code
takes another path while it is recorded. A repair changes that path for the time of the capture and
leaves every weight alone. It states its algebra, says where in the module it applies, may decline
with a reason, and is not believed: `repaired` runs the module with it against the untouched one and
compares the bytes; or, where it claims to answer a call with the very tensor that PyTorch returns,
asks PyTorch at every call. The untouched module stays the reference of every later comparison.

Each repair lives in one file of `repairs/` and is found by being there, as ``REPAIR``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import torch
from torch import nn
from torch.nn.modules import module as hooks

from lading.base import shelf
from lading.checkpoint.tensors import same_bytes
from lading.errors import CaptureError, LadingError
from lading.interface import Interface
from lading.record import RepairRecord, Route

#: Inputs on which a repair is proved.
PROOFS = 3
#: How far a fused kernel may lie from the plain operations, in roundings (the dtype's epsilon) of
#: the largest output. It sums in another order, at every layer; encoders of 1 to 6 layers were
#: measured at 1 to 8. A skipped mask or another head count is off by 10,000 and more.
FUSED_ROUNDINGS = 128.0


@dataclass(frozen=True)
class Case:
    """What is about to be captured.

    Attributes:
        module: eval mode.
        inputs: that it takes.
        route: how it will be captured.
        fixed: no size of its inputs may vary in the graph.
    """

    module: nn.Module
    inputs: tuple[torch.Tensor, ...]
    route: Route
    fixed: bool


@dataclass(frozen=True)
class Scope:
    """Where a repair applies: module paths; or nowhere, and why."""

    where: tuple[str, ...] = ()
    declined: str = ""


class Repair(Protocol):
    """What a repair knows. Its class states the algebra: why no output changes."""

    #: e.g. ``"attention fast path"``
    name: str
    #: for the record: what would go wrong without it
    reason: str
    #: whether the untouched module computes the same sums in one fused kernel, whose last bits
    #: differ: proved bit for bit against the plain operations, and in roundings against the kernel
    fused: bool

    def scope(self, case: Case) -> Scope:
        """Where it applies in `case.module`, or why it does not."""
        ...

    def applied(self, module: nn.Module) -> AbstractContextManager[nn.Module]:
        """The module to capture, repaired, until the context ends: itself, or a copy.

        When it ends, the module and torch's switches are as they were.
        """
        ...


@contextmanager
def whereabouts(module: nn.Module) -> Iterator[Callable[[], str]]:
    """Within it, a function that says in which module of `module` the code runs right now.

    Paths are those of `named_modules`; the outermost one is its class's name.
    """
    paths = {id(one): path for path, one in module.named_modules()}
    inside: list[str] = []

    def entered(one: nn.Module, _: Any) -> None:
        inside.append(paths.get(id(one)) or type(one).__name__)

    def left(one: nn.Module, _: Any, __: Any) -> None:
        inside.pop()

    with ExitStack() as stack:
        stack.callback(hooks.register_module_forward_pre_hook(entered).remove)
        stack.callback(hooks.register_module_forward_hook(left).remove)
        yield lambda: inside[-1] if inside else type(module).__name__


@contextmanager
def in_place_of(methods: Mapping[str, Any]) -> Iterator[None]:
    """Within it `torch.Tensor` has these attributes in place of its own or inherited ones."""
    own = {name: torch.Tensor.__dict__.get(name) for name in methods}
    for name, method in methods.items():
        setattr(torch.Tensor, name, method)
    try:
        yield
    finally:
        for name, before in own.items():
            if before is None:
                delattr(torch.Tensor, name)
            else:
                setattr(torch.Tensor, name, before)


class Watching(ABC):
    """A repair that answers certain calls in another way, wherever they are made.

    Its scope is where one is made while the module runs.
    """

    name: str
    reason: str
    fused = False
    #: why it does not apply where no such call is made
    idle: str

    @abstractmethod
    def watched(self, noted: Callable[..., Any]) -> AbstractContextManager[None]:
        """Within it those calls are answered, and `noted` is called for each."""

    def note(self, found: dict[str, None], here: Callable[[], str], *_: Any) -> None:
        """A call is answered: where, into `found`."""
        found.setdefault(here())

    def scope(self, case: Case) -> Scope:
        """See `Repair`."""
        found: dict[str, None] = {}
        with ExitStack() as stack:
            here = stack.enter_context(whereabouts(case.module))
            stack.enter_context(self.watched(partial(self.note, found, here)))
            stack.enter_context(torch.no_grad())
            case.module(*case.inputs)
        return Scope(tuple(found)) if found else Scope(declined=self.idle)

    @contextmanager
    def applied(self, module: nn.Module) -> Iterator[nn.Module]:
        """See `Repair`."""
        with self.watched(lambda *_: None):
            yield module


class Identical(Watching):
    """A repair that answers with the very tensor that PyTorch returns, and leaves no operation.

    Its `watched` tells `noted` its answer, and a function that asks PyTorch for its own. That the
    two are one object at every call is the proof: no output can be another then.
    """

    def note(self, found: dict[str, None], here: Callable[[], str], *told: Any) -> None:
        """See `Watching`; and that PyTorch answers so.

        Raises:
            CaptureError: it returns another tensor.
        """
        super().note(found, here)
        answer, ask = told
        if ask() is not answer:
            raise _refused(self, (here(),), "another tensor than PyTorch returns")

    def proved(self, module: nn.Module, probes: Sequence[tuple[torch.Tensor, ...]]) -> str:
        """The sentence of the record; at the first of the probes its scope was found.

        Raises:
            CaptureError: PyTorch returns another tensor somewhere.
        """
        with (
            whereabouts(module) as here,
            self.watched(partial(self.note, {}, here)),
            torch.inference_mode(),
        ):
            for inputs in probes[1:]:
                module(*inputs)
        return f"what is left out returns its own tensor at every call, on {len(probes)} inputs"


def repairs() -> dict[str, Repair]:
    """Every repair on the shelf, by the name of its file, sorted."""
    return shelf.read("lading.conversion.repairs", "REPAIR")


@contextmanager
def repaired(
    interface: Interface, route: Route, *, fixed: bool = True
) -> Iterator[tuple[Interface, tuple[RepairRecord, ...]]]:
    """The interface around the repaired module, for the time of the capture, and what was repaired.

    Args:
        interface: the untouched wrapped network.
        route: how it will be captured.
        fixed: no size of its inputs may vary in the graph.

    Raises:
        CaptureError: a repair changes an output.
    """
    records: list[RepairRecord] = []
    with ExitStack() as stack:
        module = interface.module
        try:
            module = _apply(interface, route, fixed, stack, records)
        except LadingError:
            raise
        except Exception as error:  # the module's own code ran, which may raise anything
            raise CaptureError(
                f"{type(interface.module).__name__} under repair",
                found=f"{type(error).__name__}: {str(error).strip() or 'no message'}"[:300],
                expected="a module that runs on inputs of its ports' shapes",
                remedy="check the example input that the module is converted with",
            ) from error
        yield replace(interface, module=module), tuple(records)


def _apply(
    interface: Interface,
    route: Route,
    fixed: bool,
    stack: ExitStack,
    records: list[RepairRecord],
) -> nn.Module:
    """Enters one repair after the other, each seeing the module as those before it left it."""
    probes = [tuple(interface.example(seed=seed).values()) for seed in range(PROOFS)]
    module, proofs = interface.module, None
    heard = _heard(Case(module, probes[0], route, fixed))
    for repair in repairs().values():
        if proofs is None and repair.name in heard:  # nothing calls otherwise than it did then
            scope = heard[repair.name]
        else:
            scope = repair.scope(Case(module, probes[0], route, fixed))
        if not scope.where:
            continue
        if isinstance(repair, Identical):
            proof = repair.proved(module, probes)
            module = stack.enter_context(repair.applied(module))
        else:
            # Made before anything is repaired by which an output could be another.
            proofs = proofs or _Proofs(interface.module, probes)
            module = stack.enter_context(repair.applied(module))
            proof = proofs.prove(repair, scope.where, module)
        records.append(RepairRecord(repair.name, scope.where, repair.reason, proof))
    return module


def _heard(case: Case) -> dict[str, Scope]:
    """The scope of every repair that watches for calls, by its name: all of them watch one run.
    Of one that has a scope of its own only where it hears nothing."""
    watching = [one for one in repairs().values() if isinstance(one, Watching)]
    found: dict[str, dict[str, None]] = {one.name: {} for one in watching}
    with ExitStack() as stack:
        here = stack.enter_context(whereabouts(case.module))
        for one in watching:
            stack.enter_context(one.watched(partial(one.note, found[one.name], here)))
        stack.enter_context(torch.no_grad())
        case.module(*case.inputs)
    return {
        one.name: Scope(tuple(paths), "" if paths else one.idle)
        for one in watching
        if not (paths := found[one.name]) or type(one).scope is Watching.scope
    }


class _Proofs:
    """Compares, repair by repair, with the untouched module's outputs on the probes."""

    def __init__(self, module: nn.Module, probes: Sequence[tuple[torch.Tensor, ...]]) -> None:
        self.untouched, self.probes = module, probes
        self.inference = [_outputs(module, inputs) for inputs in probes]
        #: the outputs after the repairs so far
        self.last = self.inference

    def prove(self, repair: Repair, where: tuple[str, ...], module: nn.Module) -> str:
        """The sentence of the record.

        Raises:
            CaptureError: the repaired module's outputs are not the untouched one's.
        """
        before, self.last = self.last, [_outputs(module, inputs) for inputs in self.probes]
        several = f"on {len(self.probes)} inputs"
        if _same(self.last, self.inference):
            return f"every output byte equals the untouched network's, {several}"
        if _same(self.last, before):
            return f"every output byte is what it was before this repair, {several}"
        far = max(map(_roundings, self.last, self.inference))
        if not repair.fused:
            raise _refused(repair, where, f"outputs {far:.3g} roundings from the untouched network")
        plain = [_outputs_with_gradients(self.untouched, inputs) for inputs in self.probes]
        if not _same(self.last, plain):
            off = max(map(_roundings, self.last, plain))
            raise _refused(repair, where, f"outputs {off:.3g} roundings from the plain operations")
        if not far <= FUSED_ROUNDINGS:
            raise _refused(repair, where, f"outputs {far:.3g} roundings from the fused kernel")
        return (
            f"every output byte equals the untouched network's with gradients on, {several}; its "
            f"fused kernel without them differs by at most {far:.2g} roundings of the largest "
            f"output (gate {FUSED_ROUNDINGS:g})"
        )


def _refused(repair: Repair, where: tuple[str, ...], found: str) -> CaptureError:
    return CaptureError(
        f"repair {repair.name!r} in {where[0]}",
        found=found,
        expected="the outputs of the untouched network",
        remedy="change that module so that it captures without the repair; of an encoder with a "
        "padding mask: enable_nested_tensor=False leaves padded positions as they are computed",
    )


def _outputs(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> list[torch.Tensor]:
    with torch.inference_mode():
        return _flat(module(*inputs))


def _outputs_with_gradients(
    module: nn.Module, inputs: tuple[torch.Tensor, ...]
) -> list[torch.Tensor]:
    """The module's outputs on the path it takes in training, apart from what eval mode turns off:
    with its values in parameters that want a gradient. The module itself is not touched.
    """
    values = {
        name: value.detach().clone().requires_grad_()
        for name, value in module.named_parameters()
        if value.is_floating_point()
    }
    with torch.enable_grad():
        return [one.detach() for one in _flat(torch.func.functional_call(module, values, inputs))]


def _flat(outputs: Any) -> list[torch.Tensor]:
    """The tensors in a module's answer, in order."""
    found = torch.utils._pytree.tree_leaves(outputs)
    return [one for one in found if isinstance(one, torch.Tensor)]


def _same(one: Sequence[list[torch.Tensor]], other: Sequence[list[torch.Tensor]]) -> bool:
    """Whether there is something, and it is the same to the byte."""
    return all(
        a and len(a) == len(b) and all(map(same_bytes, a, b))
        for a, b in zip(one, other, strict=True)
    )


def _roundings(one: list[torch.Tensor], other: list[torch.Tensor]) -> float:
    """The largest difference in units of the dtype's epsilon times the largest output."""
    if len(one) != len(other) or any(a.shape != b.shape for a, b in zip(one, other, strict=True)):
        return float("inf")
    worst = 0.0
    for a, b in zip(one, other, strict=True):
        if not b.is_floating_point():
            worst = max(worst, 0.0 if torch.equal(a, b) else float("inf"))
            continue
        if not bool((torch.isfinite(a) == torch.isfinite(b)).all()):
            return float("inf")
        wide = torch.where(torch.isfinite(b), b, 0.0).double()
        gap = (torch.where(torch.isfinite(a), a, 0.0).double() - wide).abs()
        size = float(wide.abs().max()) if wide.numel() else 0.0
        if gap.numel() and float(gap.max()) > 0.0:
            worst = max(worst, float(gap.max()) / (torch.finfo(b.dtype).eps * size or 1e-300))
    return worst
