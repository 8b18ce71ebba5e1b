"""One conversion: graph, file, comparison, for every target; the routes tried in turn.

The reference of every comparison is the untouched original, which runs once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from lading.base import storage
from lading.base.notices import Notices, gathered
from lading.base.progress import Progress
from lading.conversion.capture import Axes, Captured, capture
from lading.conversion.repairs import repaired
from lading.errors import CaptureError, ConversionError, LadingError
from lading.formats import Target
from lading.interface import Interface
from lading.interface.settings import Settings
from lading.proof import compare, insides, mixed, verdict
from lading.proof.judge import compared, scored
from lading.proof.original import Original
from lading.proof.trajectory import Course, Taken
from lading.record import ArtifactRecord, Comparison, Provenance, RepairRecord, Route
from lading.runtimes import runtime

ROUTES: tuple[Route, ...] = ("export", "trace")
#: A captured graph and what was repaired to take it.
_Graph = tuple[Captured, tuple[RepairRecord, ...]]


@dataclass(frozen=True)
class Carried:
    """One target's result: the file, what was compared and walked, what was repaired, what failed
    before."""

    artifact: ArtifactRecord
    comparisons: tuple[Comparison, ...]
    repairs: tuple[RepairRecord, ...]
    attempts: tuple[str, ...]
    source: Provenance | None = None
    trajectories: tuple[Taken, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether it is equal, made of the checkpoint's tensors, and leads where that leads."""
        sources = (self.source,) if self.source else ()
        walked = [one.record for one in self.trajectories]
        return verdict.overall(self.comparisons, sources, walked) == "pass"


@dataclass
class Voyage:
    """What every target of one conversion shares; graphs are taken once per route and axes."""

    interface: Interface
    settings: Settings
    original: Original
    progress: Progress
    notices: Notices
    graphs: dict[tuple[Route, Axes], _Graph] = field(default_factory=dict)
    #: traces an artifact's constants; None where there is no checkpoint
    trace: Callable[[Path], Provenance] | None = None
    #: of a diffusion network, the original's walk
    course: Course | None = None

    def carry(self, kind: Target, name: str, folder: Path, forced: Route | None) -> Carried:
        """One target by the first route whose result is equal; the last result if none is.

        Raises:
            CaptureError, ConversionError: no route gave a file at all.
        """
        attempts: list[str] = []
        last: Carried | None = None
        error: LadingError | None = None
        for route in (forced,) if forced else ROUTES:
            try:
                made = self._by(route, kind, folder / f"{route}-{name}{kind.suffix}")
            except (CaptureError, ConversionError) as refused:
                attempts.append(f"{kind.name} by {route}: {refused.found}")
                error = refused
                continue
            source = self.trace(folder / made[0].path) if self.trace else None
            with gathered(self.notices):
                taken = walked(self.course, made[0], folder / made[0].path, made[1])
            last = Carried(*made, tuple(attempts), source, taken)
            if last.passed:
                break
            attempts.append(f"{kind.name} by {route}: {_why(last)}")
        if last is None:
            assert error is not None
            raise error
        return self._placed(last, folder, name + kind.suffix)

    def _by(
        self, route: Route, kind: Target, path: Path
    ) -> tuple[ArtifactRecord, tuple[Comparison, ...], tuple[RepairRecord, ...]]:
        axes = kind.axes(self.interface.options)
        with gathered(self.notices):
            if (route, axes) not in self.graphs:
                self.progress("capture", f"by {route}")
                self.graphs[route, axes] = self._captured(route, axes)
            graph, repairs = self.graphs[route, axes]
            self.progress("convert", f"{kind.name} {kind.precision(self.settings)}")
            artifact = kind.convert(graph, self.settings, path)
            comparisons = tuple(compared(artifact, path, self.original, self.progress))
            if self.settings.auto and kind.name == "coreml":
                artifact, comparisons = self._widened(graph, kind, artifact, path, comparisons)
        return artifact, comparisons, repairs

    def _widened(
        self,
        graph: Captured,
        kind: Target,
        artifact: ArtifactRecord,
        path: Path,
        comparisons: tuple[Comparison, ...],
    ) -> tuple[ArtifactRecord, tuple[Comparison, ...]]:
        """The program with the fewest operations in fp32 that passes; itself where it does, or
        where no such set helps."""
        told: list[str] = []
        kept: tuple[str, ...] = ()
        while verdict.overall(comparisons) == "fail" and artifact.precision == "fp16":
            self.progress("search", "what must stay in fp32")
            found = mixed.search(path, partial(self._meets, artifact, path))
            told += found.trials
            if not found.kept or set(found.kept) <= set(kept):
                break
            kept = tuple(dict.fromkeys((*kept, *found.kept)))
            storage.remove(path)
            artifact = kind.convert(graph, replace(self.settings, wide=kept), path)
            comparisons = tuple(compared(artifact, path, self.original, self.progress))
        if told:
            details = {**artifact.details, "search": "; ".join(told)}
            artifact = replace(artifact, details=details)
        return artifact, comparisons

    def _meets(self, artifact: ArtifactRecord, path: Path, session: mixed.Mixed) -> bool:
        """Whether a session of the program meets its gates."""
        one = compare.compare(
            artifact,
            runtime("mil"),
            session,
            self.original.drawn,
            self.original.outputs,
            self.original.interface.task,
            self.original.steady(artifact.precision),
            rounded=self.original.rounded() if artifact.precision == "fp16" else None,
        )
        if one.verdict == "pass":
            inside = insides.Mil(path, model=session.model)
            one = scored(one, artifact, self.original, artifact.precision, inside)
        return one.verdict == "pass"

    def _captured(self, route: Route, axes: Axes) -> _Graph:
        """The graph of the repaired module, filed under the untouched one."""
        sized = any(port.ranges or port.enumerated for port in self.interface.inputs)
        with repaired(self.interface, route, fixed=not axes and not sized) as (mended, records):
            graph = capture(mended, route, axes)
        return replace(graph, interface=self.interface), records

    def _placed(self, carried: Carried, folder: Path, name: str) -> Carried:
        """Moves the artifact to its name, or under ``rejected/`` when it did not pass."""
        made = folder / carried.artifact.path
        place = name if carried.passed else f"{storage.REJECTED}/{name}"
        with storage.told(folder):
            (folder / place).parent.mkdir(exist_ok=True)
            made.replace(folder / place)
            for other in folder.glob(f"*-{name}"):
                storage.remove(other)
        return Carried(
            replace(carried.artifact, path=place),
            tuple(replace(one, artifact=place) for one in carried.comparisons),
            carried.repairs,
            carried.attempts,
            replace(carried.source, artifact=place) if carried.source else None,
            tuple(
                replace(one, record=replace(one.record, artifact=place))
                for one in carried.trajectories
            ),
        )


def _why(carried: Carried) -> str:
    """What it did not pass by: a comparison, then its weights, then its trajectory."""
    state = verdict.overall(carried.comparisons)
    if state != "pass":
        return next((c.reason for c in carried.comparisons if c.verdict == "fail"), state)
    source = carried.source
    if source and verdict.overall(carried.comparisons, (source,)) != "pass":
        return f"{source.finding}: {source.told}"
    lost = (one.record for one in carried.trajectories if one.record.verdict == "fail")
    return next(one.reason for one in lost)


def walked(
    course: Course | None, artifact: ArtifactRecord, path: Path, comparisons: Sequence[Comparison]
) -> tuple[Taken, ...]:
    """One trajectory per comparison of the artifact; none without a course."""
    if course is None:
        return ()
    return course.beside(artifact, lambda runtime: runtime.load(path), comparisons)
