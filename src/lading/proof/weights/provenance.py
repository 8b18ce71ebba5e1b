"""Whether an artifact was made from a checkpoint: every constant traced.

An app may ship last month's model, or one whose last layer is another's, and answer well enough to
pass a look. The bytes tell. Each constant is a tensor after the declared cast, a permutation or a
part of one, a value that the network computes of its tensors or by its code alone, what a fresh
conversion of the untouched checkpoint has in its place, or unknown; and each tensor that an output
depends on is carried by a constant, or missing. "Other weights" is said on evidence: a constant
that stands in a tensor's place and differs, or a tensor that is gone. What nobody can trace is
said to be untraced.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from lading.checkpoint import Checkpoint
from lading.formats import Artifact, Held
from lading.interface import Interface
from lading.interface.side import Array
from lading.proof.weights.again import Again, Fresh
from lading.proof.weights.changed import joined, off_grid
from lading.proof.weights.followed import Derived, Followed, equal, orders
from lading.proof.weights.origins import Origins
from lading.record import Constant, Provenance

Finding = Literal[
    "made from this checkpoint",
    "not traced",
    "same architecture, other weights",
    "not this network",
]
MADE: Finding = "made from this checkpoint"
UNTRACED: Finding = "not traced"
OTHER: Finding = "same architecture, other weights"
STRANGER: Finding = "not this network"

#: Unpacked values that lie this near to a tensor (relative L2) are that tensor, compressed: 2 bits
#: leave about 0.3, another tensor is 1.4 away.
NEAR = 0.5
#: Share of elements, both ways, whose tensors and constants pair off by size.
ALIKE = 0.8
#: Elements by which the nearest tensor is chosen before all are compared.
SAMPLED = 4096
#: Of a constant that says nothing.
BLANK = "one value everywhere"
#: Names spelled out before the rest is counted.
NAMED = 3


@dataclass(frozen=True)
class _Look:
    """A constant, its origin, and whether an unknown one is a tensor of the checkpoint, changed."""

    constant: Constant
    size: int
    altered: bool = False


def trace(
    artifact: Artifact,
    checkpoint: Checkpoint,
    required: Collection[str] | None = None,
    baked: Mapping[str, Array] | None = None,
    followed: Followed | None = None,
    again: Again | None = None,
) -> Provenance:
    """Traces every constant of `artifact` to the tensors of `checkpoint`, and back.

    Args:
        artifact: opened.
        checkpoint: what was read.
        required: names of the tensors that the network needs, from its ledger: one of them that no
            constant carries counts against the artifact. None where nobody knows.
        baked: what was asked to be put into the artifact beside the network, float arrays by the
            option that asks for it; see `baked`.
        followed: the network, where it is known: what it computes of its tensors, which it reads.
        again: fresh conversions of it.

    Raises:
        ProgramError: the artifact cannot be read.
    """
    tracer = _Tracer(artifact, checkpoint, required, baked or {}, followed, again)
    return tracer.provenance(artifact.constants())


def baked(interface: Interface) -> dict[str, Array]:
    """The values of the preprocessing that an interface puts before the network, by option.

    A single number is no matter: nothing is traced by one.
    """
    found = {}
    for step in getattr(interface.module, "prepare", ()):
        for name, value in step.state_dict().items():
            found[f"--{name}"] = np.asarray(value.numpy()).reshape(-1)
    return {name: values for name, values in found.items() if values.size > 1}


class _Tracer:
    def __init__(
        self,
        artifact: Artifact,
        checkpoint: Checkpoint,
        required: Collection[str] | None,
        baked: Mapping[str, Array],
        followed: Followed | None,
        again: Again | None,
    ) -> None:
        self.baked, self.followed, self.again = baked, followed, again
        self.artifact, self.checkpoint = artifact, checkpoint
        self.required = None if required is None else set(required)
        self.origins = Origins(checkpoint.tensors, checkpoint.aliases)
        self.carried: set[str] = set()
        self.traced: dict[int, int] = {}
        self.held: Sequence[Held] = ()

    def provenance(self, held: Sequence[Held]) -> Provenance:
        """The finding over all constants, in two passes: what is surely a tensor comes first, so
        that what is left of both sides can be laid side by side."""
        self.held = held
        looks: list[_Look | None] = [self._sure(one) for one in held]
        left = self._left()
        for look in looks:
            if look is not None and look.constant.fate != "generated":
                self.traced[look.size] = self.traced.get(look.size, 0) + 1
        for place, one in enumerate(held):
            if looks[place] is None:
                looks[place] = self._changed(one, left)
        known = [look for look in looks if look is not None]
        return self._finding(known, self._missing())

    # ------------------------------------------------------------------------------- the network
    @cached_property
    def _module_names(self) -> dict[str, tuple[str, ...]]:
        """What the checkpoint calls each tensor of the network: those of the same bytes."""
        if self.followed is None:
            return {}
        known = Origins(self.followed.interface.module.state_dict())
        return {
            name: tuple(self.origins.whole(known.cast(name, "float32")))
            for name in known.alike("float32")
        }

    @cached_property
    def _unread(self) -> set[str]:
        """Tensors that no output depends on."""
        if self.followed is None:
            return set()
        spelled = self._module_names
        seen = {n for name in self.followed.read for n in spelled.get(name, ())}
        return {name for names in spelled.values() for name in names} - seen

    def _derived(self, one: Held, derived: Derived) -> _Look:
        spelled = self._module_names
        names = tuple(dict.fromkeys(n for d in derived.tensors for n in spelled.get(d, (d,))[:1]))
        for name in derived.tensors:
            self.carried.update(spelled.get(name, ()))
        made = "folded" if names else "generated"
        return self._look(one, made, names, derived.how)  # type: ignore[arg-type]

    def _fresh(self, *, every: bool = True) -> Iterable[Fresh]:
        if self.again is None:
            return ()
        return self.again.files(self.artifact) if every else self.again.own(self.artifact)

    # -------------------------------------------------------------------------------- one constant
    def _sure(self, one: Held) -> _Look | None:
        """Its origin where that can be shown; None where it cannot."""
        values = one.values
        if values.dtype.kind not in "fiub" or not values.size:
            return self._look(one, "generated", (), "text of the graph")
        if one.packed:
            return self._packed(one)
        names = self.origins.whole(values)
        if names:
            self.carried.update(names)
            return self._look(one, "identical", names[:1], _cast(self.origins, names[0], values))
        for option, asked in self.baked.items():
            flat = values.reshape(-1)
            if flat.dtype.kind == "f" and np.array_equal(flat, asked.astype(flat.dtype)):
                return self._look(one, "generated", (), f"{option}, as it was asked for")
        if values.dtype.kind != "f":
            return self._look(one, "generated", (), "whole numbers of the graph")
        if one.told:
            return self._look(one, "generated", (), f"how {one.reader} works")
        if values.size == 1:
            derived = None if _short(values) or not self.followed else self.followed.find(values)
            if derived is not None:
                return self._derived(one, derived)
            return self._look(one, "generated", (), "a number")
        order = self.origins.permuted(values)
        if order is not None:
            self._carry(order[0], values)
            evidence = f"axes in the order {', '.join(map(str, order[1]))}"
            return self._look(one, "permuted", (order[0],), evidence)
        parts = self.origins.rows(values)
        if parts:
            for name in parts:
                self._carry(name, values)
            return self._look(one, "permuted", parts, "made of rows of it, each found")
        derived = self.followed.find(values) if self.followed else None
        if derived is not None:
            return self._derived(one, derived)
        if np.unique(values).size == 1:
            return self._look(one, "generated", (), BLANK)
        return None

    def _carry(self, name: str, values: Array) -> None:
        """That tensor, and every other of the same bytes: one constant may serve for all."""
        self.carried.update(self.origins.whole(self.origins.cast(name, str(values.dtype))))

    def _packed(self, one: Held) -> _Look | None:
        """A compressed weight: the tensor of its size that it lies near, and how near."""
        flat = one.values.astype(np.float64).reshape(-1)
        nearest = self._nearest(one.values, list(self.origins.alike("float32")))
        if nearest is None:
            return None
        wide = one.values.astype(np.float64)
        apart, other = min(
            ((_apart(flat, a.reshape(-1)), a.reshape(-1)) for a in self._ways(nearest, wide)),
            key=lambda pair: pair[0],
        )
        if apart > NEAR:
            return None
        text = f"{one.packed}; unpacked, {apart:.2%} (relative L2) from the tensor"
        wrong = off_grid(one, flat, other)
        if wrong:
            text += f"; {wrong:,} of {flat.size:,} values are not the nearest on their grid"
            return self._look(one, "unknown", (nearest,), text, altered=True)
        self.carried.add(nearest)
        if wrong is not None:
            text += ", each value the nearest on its grid"
        return self._look(one, "packed", (nearest,), text)

    def _changed(self, one: Held, left: Sequence[str]) -> _Look:
        """What the tensors do not explain: the converter's work, a tensor changed, or unknown."""
        values = one.values
        if values.dtype.kind != "f":
            return self._look(one, "unknown", (), "no tensor of its size is left to be it")
        if not one.packed:
            for fresh in self._fresh():
                derived = fresh.find(values, one.name)
                if derived is not None:
                    return self._look(one, "folded", (), derived.how)
        moved = self.origins.same_values(values)
        patched = self._beside(one, self._nearest(values, left), least=0.5)
        if patched is not None and not moved:
            return patched
        for name in moved:
            evidence = f"the values of {name} in another order"
            return self._look(one, "unknown", (name,), evidence, altered=True)
        for option, asked in self.baked.items():
            if values.size == asked.size and _apart(values.reshape(-1), asked) <= NEAR:
                evidence = f"in the place of {option}, which is another"
                return self._look(one, "unknown", (), evidence, altered=True)
        own = next(iter(self._fresh(every=False)), None)
        nearest = self._nearest(values, left)
        stood = own.of_size(values) if own is not None else []
        if len(stood) > self.traced.get(values.size, 0):  # one of them is not in the file
            named = next((o for o in stood if o.name == one.name), stood[0]).name
            evidence = f"in the place of {nearest or named}, and nothing that is made of it"
            return self._look(one, "unknown", (nearest,) if nearest else (), evidence, altered=True)
        changed = self._beside(one, nearest, far=own is None and self.followed is None)
        return changed or self._look(one, "unknown", (), "not traced to any tensor")

    def _beside(
        self, one: Held, nearest: str | None, *, least: float = 0.0, far: bool = False
    ) -> _Look | None:
        """A tensor with some of its values changed; None where it is not that one at all.

        Args:
            one: the constant.
            nearest: the tensor.
            least: share of the values that has to be the tensor's own.
            far: nobody knows the network. A matrix as far from it as any other is held to stand in
                its place all the same, unless it is its rows, each times a number: joined with a
                norm or a scale. Of a vector nothing can be said.
        """
        if nearest is None:
            return None
        values = one.values
        flat = values.astype(np.float64).reshape(-1)
        apart, other = min(
            ((_apart(flat, array.reshape(-1)), array) for array in self._ways(nearest, values)),
            key=lambda pair: pair[0],
        )
        count = int((flat != other.reshape(-1)).sum())
        if flat.size - count < least * flat.size:
            return None
        matrix = other.ndim > 1 and not joined(flat, other)
        if not least and not (far and matrix) and (far or apart > NEAR):
            return None
        evidence = (
            f"in the place of {nearest}; {count:,} of {flat.size:,} values differ, by {apart:.2%}"
        )
        return self._look(one, "unknown", (nearest,), evidence, altered=True)

    def _nearest(self, values: Array, names: Sequence[str]) -> str | None:
        """The tensor of the same size that lies nearest, by a few thousand of its elements."""
        flat = values.reshape(-1)
        places = np.linspace(0, flat.size - 1, min(flat.size, SAMPLED)).astype(np.int64)
        sample = flat[places].astype(np.float64)
        best: tuple[float, str] | None = None
        for name in names:
            if self.origins.tensors[name].numel() != flat.size:
                continue
            for array in self._ways(name, values, wide=False):
                apart = _apart(sample, array.reshape(-1)[places].astype(np.float64))
                if best is None or apart < best[0]:
                    best = apart, name
        return best[1] if best else None

    def _ways(self, name: str, values: Array, *, wide: bool = True) -> list[Array]:
        """Tensor `name` in the dtype of `values`, and a matrix also the other way round."""
        tensor = self.origins.cast(name, str(values.dtype) if wide else "float32")
        tensor = tensor.astype(np.float64) if wide else tensor
        return [tensor, tensor.transpose()] if tensor.ndim == 2 else [tensor]

    def _look(
        self,
        one: Held,
        fate: Literal["identical", "permuted", "folded", "generated", "packed", "unknown"],
        tensors: Sequence[str],
        evidence: str,
        *,
        altered: bool = False,
    ) -> _Look:
        shape = tuple(one.values.shape)
        constant = Constant(one.name, shape, one.dtype, fate, tuple(tensors), evidence)
        return _Look(constant, one.values.size, altered)

    # ---------------------------------------------------------------------------------- both sides
    def _left(self) -> list[str]:
        """Tensors that no constant is known to hold yet, those of one value everywhere aside."""
        return [n for n in self.origins.alike("float32") if n not in self.carried and self._says(n)]

    def _says(self, name: str) -> bool:
        """Whether a tensor has more than one value: zeros and ones may vanish into nothing."""
        tensor = self.origins.tensors[name]
        return tensor.numel() > 1 and bool((tensor != tensor.reshape(-1)[0]).any())

    def _missing(self) -> tuple[str, ...]:
        """Tensors that are needed and that no constant holds; what a fresh file does not hold as it
        is either was joined or left out by the converter."""
        wanted = self.required
        spelled = {self.checkpoint.aliases.get(name, name) for name in wanted or ()}
        names = [n for n in self._left() if (wanted is None or n in spelled) and
                 n not in self._unread]  # fmt: skip
        names = [name for name in names if not self._computed(name)]
        for fresh in self._fresh(every=False) if names else ():
            tracer = _Tracer(self.artifact, self.checkpoint, None, {}, self.followed, None)
            for held in fresh.held:
                tracer._sure(held)
            names = [name for name in names if name in tracer.carried]
            break
        return tuple(names)

    def _computed(self, name: str) -> bool:
        """Whether a constant is computed of a tensor, though it was taken for another: a weight of
        norm 1 is itself when it is normalised."""
        spelled = self._module_names
        return any(
            equal(one.values, array)
            for derived in (self.followed.derived if self.followed else ())
            if any(name in spelled.get(own, ()) for own in derived.tensors)
            for one in self.held
            if one.values.size == derived.values.size and one.values.dtype.kind == "f"
            for array in orders(derived.values)
        )

    def _finding(self, looks: Sequence[_Look], missing: tuple[str, ...]) -> Provenance:
        weights = [look for look in looks if look.constant.fate != "generated"]
        unknown = [look for look in weights if look.constant.fate == "unknown"]
        altered = [look for look in unknown if look.altered]
        total = sum(look.size for look in weights)
        traced = total - sum(look.size for look in unknown)
        dropped = missing if self.required is not None and not unknown else ()
        sound = not altered and not dropped
        if sound and (weights or self.followed) and 2 * traced >= total:
            finding = MADE
        elif sound and (self.followed or traced):
            finding = UNTRACED
        elif self._same_sizes([*weights, *(one for one in looks if _blank(one))]):
            finding = OTHER
        else:
            finding = STRANGER
        sizes = f"{len(weights) - len(unknown)} of {len(weights)} weights are this checkpoint's"
        evidence = [sizes if weights else "the artifact holds no weights"]
        unread = sorted(self._unread & (self.required or set()))
        many: Sequence[tuple[Sequence[str], str]] = (
            ([f"{look.constant.name}: {look.constant.evidence}" for look in altered], "changed"),
            ([u.constant.name for u in unknown if not u.altered], "of unknown origin"),
            (missing if not unknown or not altered else (), "held by no constant"),
            (unread, "loaded, not read at inference"),
        )
        if finding != STRANGER:
            evidence += [f"{len(names)} {what}: {_named(names)}" for names, what in many if names]
        return Provenance(
            str(self.artifact.path),
            self.checkpoint.record.path,
            finding,
            tuple(look.constant for look in looks if look.size > 1 or look.constant.tensors),
            missing,
            "; ".join(evidence),
        )

    def _same_sizes(self, weights: Sequence[_Look]) -> bool:
        """Whether tensors and weights pair off by their element counts, most of them."""
        theirs: dict[int, int] = {}
        for look in weights:
            theirs[look.size] = theirs.get(look.size, 0) + 1
        ours: dict[int, int] = {}
        needed = None
        if self.required is not None:
            needed = {self.checkpoint.aliases.get(name, name) for name in self.required}
        for name in self.origins.alike("float32"):
            if needed is None or name in needed:
                size = self.origins.tensors[name].numel()
                ours[size] = ours.get(size, 0) + (size > 1)
        both = sum(size * min(count, ours.get(size, 0)) for size, count in theirs.items())
        sides = [sum(size * count for size, count in side.items()) for side in (theirs, ours)]
        # without a ledger the checkpoint may hold more than the network uses
        wanted = sides if needed is not None else sides[:1]
        return both > 0 and all(both >= ALIKE * side for side in wanted)


def _apart(a: Array, b: Array) -> float:
    """Relative L2 distance of `a` from `b`."""
    size = float(np.linalg.norm(b))
    return float(np.linalg.norm(a - b)) / size if size else float("inf")


def _blank(look: _Look) -> bool:
    """A constant of one value everywhere: what is left of a tensor that was emptied."""
    return look.size > 1 and look.constant.evidence == BLANK


def _short(values: Array) -> bool:
    """Whether it is whole numbers, or a number that a person would write down."""
    if values.dtype.kind != "f":
        return True
    number = float(values.reshape(-1)[0])
    return bool(np.float32(f"{number:.2g}") == np.float32(number))


def _cast(origins: Origins, name: str, values: Array) -> str:
    was = str(origins.tensors[name].dtype).removeprefix("torch.")
    return "" if was == str(values.dtype) else f"{was} cast to {values.dtype}"


def _named(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def owner(found: Sequence[Provenance]) -> Provenance | None:
    """The one that says where the artifact was made from, the most of it explained; or None.

    >>> owner([]) is None
    True
    """
    made = [one for one in found if one.made]

    def explained(one: Provenance) -> tuple[int, int]:
        sizes = [
            int(np.prod(c.shape, dtype=np.int64))
            for c in one.constants
            if c.fate not in ("unknown", "generated")
        ]
        return sum(sizes), -len(one.missing)

    return max(made, key=explained, default=None)
