"""The ledger: one line per tensor name of the checkpoint, and no line left open.

`close` loads the tensors into a rebuilt network and accounts for every name in both directions. It
refuses when a tensor has no owner, when an owner has no tensor, when a shape differs, or when a
weight is not a number: a network with a part missing computes something, and what it computes
looks like an answer.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from lading.checkpoint import Checkpoint
from lading.checkpoint.tensors import digest, dtype_name, finite, same_bytes
from lading.errors import LedgerError
from lading.record import Fate, LedgerLine, LedgerSummary

#: How many names an error spells out before it only counts.
NAMED = 5
#: A counter that batch norm keeps while training and never reads in eval mode.
COUNTER = "num_batches_tracked"
#: What may become what on loading: every float16 and bfloat16 is a float32.
LIFTS = {
    (torch.float16, torch.float32),
    (torch.bfloat16, torch.float32),
    (torch.float64, torch.float32),
}


FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


@dataclass(frozen=True)
class Ledger:
    """A closed ledger: every name of the checkpoint, in its order, and the counts."""

    lines: tuple[LedgerLine, ...]
    summary: LedgerSummary


def close(
    module: nn.Module,
    checkpoint: Checkpoint,
    unused: Mapping[str, str],
    spellings: Mapping[str, str] | None = None,
) -> Ledger:
    """Loads the checkpoint's tensors into `module` and accounts for every name.

    The tensors are assigned, not copied, except where half precision is lifted to float32 or where
    a tensor is not contiguous.

    Args:
        module: the rebuilt network, on the meta device or with any values. Loaded in place.
        checkpoint: what was read.
        unused: names that the module has no place for on purpose, each with the reason.
        spellings: further names by which the checkpoint may know a tensor of the module (or an
            unused one), each to the name of `module`'s own state dict.

    Raises:
        LedgerError: a tensor without an owner, a parameter or buffer without its tensor, another
            shape or dtype, two names of one tensor that differ, or a weight that is NaN or
            infinite. All are counted and the first are named. `module` is then left as it was,
            or half loaded: do not use it.

    >>> from lading.record import CheckpointRecord
    >>> net = nn.Linear(2, 1)
    >>> tensors = {"weight": torch.ones(1, 2), "bias": torch.ones(1), "old": torch.ones(3)}
    >>> file = Checkpoint(CheckpointRecord("w.pth", "", 0, "torch zip"), tensors)
    >>> close(net, file, {"old": "belonged to the loss"}).summary.unused
    1
    """
    book = _Book(module, checkpoint, dict(unused), dict(spellings or {}))
    with _digests(checkpoint) as digests:
        book.refuse_open_lines()
        book.load()
        return book.closed(digests)


def recorded(
    module: nn.Module,
    checkpoint: Checkpoint,
    unused: Mapping[str, str],
    spellings: Mapping[str, str] | None = None,
) -> Ledger:
    """`close` of a module whose own values the checkpoint is: nothing is loaded.

    Raises:
        LedgerError: as `close`.
    """
    book = _Book(module, checkpoint, dict(unused), dict(spellings or {}))
    with _digests(checkpoint) as digests:
        book.refuse_open_lines()
        return book.closed(digests)


@contextmanager
def _digests(checkpoint: Checkpoint) -> Iterator[dict[str, Future[str]]]:
    """Of every tensor, by the first of its names: made in a thread of its own, beside the rest."""
    beside = ThreadPoolExecutor(1)
    groups: dict[str, torch.Tensor] = {}
    for name, tensor in checkpoint.tensors.items():
        groups.setdefault(checkpoint.aliases.get(name, name), tensor)
    try:
        yield {name: beside.submit(digest, tensor) for name, tensor in groups.items()}
    finally:
        beside.shutdown(cancel_futures=True)


def loaded(ledger: Ledger) -> tuple[str, ...]:
    """Names of the tensors that the network computes with: loaded ones."""
    return tuple(line.name for line in ledger.lines if line.fate == "loaded")


class _Book:
    """The open ledger."""

    def __init__(
        self,
        module: nn.Module,
        checkpoint: Checkpoint,
        unused: dict[str, str],
        spellings: dict[str, str],
    ) -> None:
        self.module, self.checkpoint, self.unused = module, checkpoint, unused
        self.tensors, self.spellings = checkpoint.tensors, spellings
        self.state = module.state_dict(keep_vars=True)
        # module's name -> the name in the checkpoint that it is loaded from
        self.origin: dict[str, str] = {}
        for name in self.tensors:
            if name in self.state:
                self.origin[name] = name
        for name in self.tensors:
            meant = spellings.get(name, "")
            if meant in self.state:
                self.origin.setdefault(meant, name)
            elif meant in unused and meant not in self.tensors:
                unused[name] = unused[meant]
        self._share_ties()
        # checkpoint's name -> the checkpoint's name of which it is a second one
        self.second = self._second_names()
        self._explain_counters()

    def _share_ties(self) -> None:
        """A place that is one tensor with another is loaded from that one's name, where the writer
        kept one of the two."""
        known = {id(self.state[name]): origin for name, origin in self.origin.items()}
        for name, place in self.state.items():
            if id(place) in known:
                self.origin.setdefault(name, known[id(place)])

    def _second_names(self) -> dict[str, str]:
        """Names that repeat a loaded or an unused tensor: the file says so, or the bytes do."""
        loaded = set(self.origin.values())
        kept = loaded | (self.unused.keys() & self.tensors.keys())
        owner_of_group: dict[str, str] = {}
        for name in self.tensors:
            if name in kept:
                owner_of_group.setdefault(self.checkpoint.aliases.get(name, name), name)
        found = {}
        for name in self.tensors:
            if name in kept:
                continue
            group = self.checkpoint.aliases.get(name, name)
            meant = self.spellings.get(name, "")
            owner = self.origin.get(meant, meant if meant in kept else "")
            if owner and self._same(name, owner):
                found[name] = owner
            elif group in owner_of_group and not owner:
                found[name] = owner_of_group[group]
        return found

    def _same(self, a: str, b: str) -> bool:
        first = self.checkpoint.aliases.get
        return first(a, a) == first(b, b) or same_bytes(self.tensors[a], self.tensors[b])

    def _explain_counters(self) -> None:
        """A norm's counter that the module does not keep needs no owner if the norm has one."""
        for name in self.tensors:
            stem, _, last = name.rpartition(".")
            if (
                last == COUNTER
                and name not in self.origin
                and f"{stem}.running_mean" in self.origin
            ):
                self.unused.setdefault(name, "counts training batches; not read at inference")

    # ------------------------------------------------------------------------------- open lines
    def refuse_open_lines(self) -> None:
        """Raises LedgerError when any line would stay open."""
        taken = set(self.origin.values())
        orphans = [
            n
            for n in self.tensors
            if n not in taken and n not in self.second and n not in self.unused
        ]
        empty = [n for n in self.state if n not in self.origin and not n.endswith(f".{COUNTER}")]
        bare = [n for n, t in _all_tensors(self.module) if t.is_meta and n not in self.state]
        misfits = [
            f"{n} is {_shape(self.tensors[o])}, its place {_shape(self.state[n])}"
            for n, o in self.origin.items()
            if self.tensors[o].shape != self.state[n].shape
        ]
        strangers = [
            f"{n} is {dtype_name(self.tensors[o])}, its place {dtype_name(self.state[n])}"
            for n, o in self.origin.items()
            if not self._fits(self.tensors[o], self.state[n])
        ]
        differing = [
            f"{n} differs from {self.spellings[n]}"
            for n in orphans
            if self.origin.get(self.spellings.get(n, "")) is not None
            or self.spellings.get(n, "") in self.unused
        ]
        differing += [n for n in self.unused if n in self.origin]
        sick = self._sick(taken)
        distinct = len(self.tensors) - len(self.checkpoint.aliases)
        lone = [n for n in orphans if n not in self.checkpoint.aliases]
        names = f" ({len(orphans)} names)" if len(orphans) != len(lone) else ""
        problems = [
            (f"{len(lone)} of {distinct} tensors{names} without an owner", lone or orphans),
            (f"{len(empty)} of {len(self.state)} places in the network without a tensor", empty),
            (f"{len(bare)} values that no checkpoint holds were left unset", bare),
            (f"{len(misfits)} of another shape", misfits),
            (f"{len(strangers)} of a dtype that cannot be loaded exactly", strangers),
            (f"{len(differing)} second names that are not the same tensor", differing),
            (f"{len(sick)} with values that are not finite", sick),
        ]
        open_ones = [(text, which) for text, which in problems if which]
        if open_ones:
            raise LedgerError(
                f"{self.checkpoint.record.path}: the ledger does not close",
                found="; ".join(f"{text}: {_named(which)}" for text, which in open_ones),
                expected="every tensor with one owner of its shape, and every owner with a tensor",
                remedy=self._remedy(lone or orphans, empty, sick, strangers),
            )

    def _fits(self, tensor: torch.Tensor, place: torch.Tensor) -> bool:
        if tensor.dtype == place.dtype:
            return True
        if (tensor.dtype, place.dtype) not in LIFTS:
            return False
        if tensor.dtype != torch.float64:
            return True
        back = tensor.to(place.dtype).to(tensor.dtype)
        return bool(((back == tensor) | ~torch.isfinite(tensor)).all())

    def _sick(self, taken: set[str]) -> list[str]:
        found = []
        for name, tensor in self.tensors.items():
            if name not in taken or tensor.dtype not in FLOATS:
                continue
            if finite(tensor):
                continue
            bad = ~torch.isfinite(tensor)
            first = tuple(bad.nonzero()[0].tolist())
            found.append(
                f"{name}: {int(bad.sum())} of {tensor.numel()}, "
                f"first {tensor[first].item()} at {list(first)}"
            )
        return found

    def _remedy(
        self, orphans: list[str], empty: list[str], sick: list[str], strangers: list[str]
    ) -> str:
        if sick:
            return "training diverged or the file is damaged: use an earlier checkpoint"
        if strangers and not orphans and not empty:
            return "make the network in float32, without half() or a switch for a half torso"
        near = difflib.get_close_matches(empty[0], orphans, n=1, cutoff=0.4) if empty else []
        if near:
            return f"nearest to the empty place {empty[0]} is {near[0]}: compare their names"
        return "the rebuild is not this network: check the recognition (lading inspect)"

    # ------------------------------------------------------------------------------------- load
    def load(self) -> None:
        """Assigns every tensor, then looks again whether each arrived.

        Raises:
            LedgerError: a value in the module is not the checkpoint's.
        """
        # a state dict of its own, for the version marks on it: torch mends what looks old
        lifted = self.module.state_dict()
        for name, place in self.state.items():
            if name in self.origin:
                # contiguous, as torch's own loading by copy would leave it: the layout may choose
                # another algorithm, whose sums differ in the last bit
                tensor = self.tensors[self.origin[name]].detach()
                lifted[name] = tensor.to(place.dtype).contiguous()
            else:
                lifted[name] = torch.zeros(place.shape, dtype=place.dtype)
        self.module.load_state_dict(lifted, strict=True, assign=True)
        arrived = self.module.state_dict()
        wrong = [
            name
            for name, origin in self.origin.items()
            if not same_bytes(arrived[name].to(self.tensors[origin].dtype), self.tensors[origin])
        ]
        if wrong:
            raise LedgerError(
                f"{self.checkpoint.record.path}: loading changed values",
                found=f"{len(wrong)} of {len(self.origin)} differ after loading: {_named(wrong)}",
                expected="in every place the bytes of the checkpoint",
                remedy="report this: the network alters its own state dict while it loads",
            )

    # ------------------------------------------------------------------------------------ close
    def closed(self, digests: Mapping[str, Future[str]]) -> Ledger:
        """The lines and their counts."""
        first = self.checkpoint.aliases.get
        # of two places of one tensor, the one of its own name, which comes first
        owner = {origin: name for name, origin in reversed(self.origin.items())}
        lines = []
        for name, tensor in self.tensors.items():
            fate: Fate = "unused"
            if name in owner:
                fate, reason = "loaded", self._how(name, owner[name])
            elif name in self.second:
                fate, reason = "alias", f"second name of {self.second[name]}"
            else:
                reason = self.unused[name]
            shape, dtype = tuple(tensor.shape), dtype_name(tensor)
            sha256 = digests[first(name, name)].result()
            lines.append(LedgerLine(name, shape, dtype, fate, reason, sha256))
        return Ledger(tuple(lines), self._summary(lines, owner))

    def _how(self, name: str, place: str) -> str:
        told = [] if name == place else [f"as {place}"]
        was, now = self.tensors[name].dtype, self.state[place].dtype
        if was != now:
            told.append(f"lifted from {dtype_name(self.tensors[name])} to float32, exactly")
        return "; ".join(told)

    def _summary(self, lines: list[LedgerLine], owner: dict[str, str]) -> LedgerSummary:
        """Counts. Parameters are all that training could move: buffers and counters are not."""
        parameters = {name for name, _ in self.module.named_parameters(remove_duplicate=False)}
        fates = [line.fate for line in lines]
        moved = 0
        for line in lines:
            mine = line.fate == "loaded" and owner[line.name] in parameters
            spare = line.fate == "unused" and self.tensors[line.name].is_floating_point()
            moved += self.tensors[line.name].numel() if mine or spare else 0
        return LedgerSummary(
            names=len(lines),
            tensors=len(lines) - fates.count("alias"),
            loaded=fates.count("loaded"),
            aliases=fates.count("alias"),
            unused=fates.count("unused"),
            unexplained=0,
            parameters=moved,
        )


def _all_tensors(module: nn.Module) -> list[tuple[str, torch.Tensor]]:
    return [*module.named_parameters(), *module.named_buffers()]


def _shape(tensor: torch.Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a scalar"


def _named(names: list[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
