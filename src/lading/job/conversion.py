"""One conversion: graph, file, comparison, for every target; the routes tried in turn.

The reference of every comparison is the untouched original, which runs once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path

from lading.base import storage
from lading.base.memory import give_back
from lading.base.notices import Notices, gathered
from lading.base.progress import Progress
from lading.conversion.capture import Axes, Captured
from lading.conversion.graphs import ROUTES, Graphs
from lading.coreml import mil
from lading.errors import CaptureError, ConversionError, LadingError, ProgramError
from lading.formats import Artifact, Format
from lading.formats.coreml.artifact import MLProgram
from lading.interface.settings import Settings
from lading.interface.side import Array
from lading.proof import compare, mixed, verdict
from lading.proof.original import Original
from lading.proof.trajectory import Course, Taken
from lading.proof.weights.again import Fresh
from lading.record import ArtifactRecord, Comparison, Provenance, Refusal, RepairRecord, Route


@dataclass(frozen=True)
class Converted:
    """One target's result: the file, what was compared and walked, what was repaired, what failed
    before."""

    artifact: ArtifactRecord
    opened: Artifact
    comparisons: tuple[Comparison, ...]
    repairs: tuple[RepairRecord, ...]
    attempts: tuple[str, ...] = ()
    source: Provenance | None = None
    trajectories: tuple[Taken, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether it is equal, made of the checkpoint's tensors, and leads where that leads."""
        sources = (self.source,) if self.source else ()
        walked = [one.record for one in self.trajectories]
        return verdict.overall(self.comparisons, sources, walked) == "pass"


@dataclass
class Conversion:
    """What every target of one conversion shares."""

    graphs: Graphs
    settings: Settings
    original: Original
    progress: Progress
    notices: Notices
    #: why a route gives no graph
    lost: dict[tuple[Route, Axes], str] = field(default_factory=dict)
    #: traces an artifact's constants; None where there is no checkpoint
    trace: Callable[[Artifact], Provenance] | None = None
    #: of a diffusion network, the original's walk
    course: Course | None = None

    def convert(
        self, kind: Format, name: str, folder: Path, forced: Route | None
    ) -> Converted | Refusal:
        """One target by the first route whose result is equal; else the first that can be run; a
        refusal where no route gave a file at all."""
        attempts: list[str] = []
        last: Converted | None = None
        for route in (forced,) if forced else ROUTES:
            if (
                route == "decomposed"
                and ("export", kind.axes(self.graphs.interface.options)) in self.lost
            ):
                continue  # it is the same program, taken apart further
            made = self._by(route, kind, folder / f"{route}-{name}{kind.suffix}")
            if isinstance(made, str):
                attempts.append(f"{kind.name} by {route}: {made}")
                continue
            with gathered(self.notices):
                taken = walked(self.course, made.opened, made.artifact, made.comparisons)
            made = replace(made, attempts=tuple(attempts), trajectories=taken)
            last = _better(last, made)
            if made.passed:
                break
            attempts.append(f"{kind.name} by {route}: {_why(made)}")
        if last is None:
            return Refusal(kind.name, kind.title, tuple(attempts))
        return self._placed(last, folder, name + kind.suffix)

    def _by(self, route: Route, kind: Format, path: Path) -> Converted | str:
        """What a route gives, or in words why it gives nothing."""
        axes = kind.axes(self.graphs.interface.options)
        if (route, axes) in self.lost:
            return self.lost[route, axes]
        with gathered(self.notices):
            try:
                if (route, axes) not in self.graphs:
                    self.progress("capture", f"by {route}")
                graph, repairs = self.graphs.take(route, axes)
            except CaptureError as refused:
                self.lost[route, axes] = refused.found
                return refused.found
            self.progress("convert", f"{kind.name} {kind.precision(self.settings)}")
            try:
                made = self._made(graph, kind, self.settings, path, repairs)
            except (ConversionError, ProgramError) as refused:
                storage.remove(path)
                return refused.found
            if self.settings.auto:
                return self._widened(graph, kind, made)
            self._advised(graph, kind, made)
            return made

    def _made(
        self,
        graph: Captured,
        kind: Format,
        settings: Settings,
        path: Path,
        repairs: tuple[RepairRecord, ...],
    ) -> Converted:
        """One file, opened, traced and compared."""
        give_back()
        record = kind.convert(graph, settings, path)
        give_back()
        kept = graph.interface.states
        if kept and not record.states:
            storage.remove(path)
            raise ConversionError(
                f"{kind.title} by {graph.route}",
                found="a network that remembers " + ", ".join(one.state.buffer for one in kept),
                expected="a format that keeps states",
                remedy="use one that does: --to coreml --to onnx",
            )
        opened = kind.open(path, own=True)
        # its constants are there as it is opened, and are let go of before a runtime has its own
        source = self.trace(opened) if self.trace else None
        found = tuple(compare.every_runtime(self.original, opened, record, self.progress))
        give_back()
        return Converted(record, opened, found, repairs, source=source)

    def _widened(self, graph: Captured, kind: Format, made: Converted) -> Converted:
        """The program with the fewest operations in fp32 that passes; itself where it does, or
        where no such set helps."""
        trials: list[str] = []
        kept: tuple[str, ...] = ()
        while (
            isinstance(made.opened, MLProgram)
            and made.artifact.precision == "fp16"
            and verdict.overall(made.comparisons) == "fail"
        ):
            self.progress("search", "what must stay in fp32")
            fresh = [*islice(self.original.again.own(made.opened), 1)]
            meets = partial(self._meets, made, made.opened)
            found = mixed.search(made.opened.model, meets, partial(_in_full, fresh))
            trials += found.trials
            if not found.kept or set(found.kept) <= set(kept):
                break
            kept = tuple(dict.fromkeys((*kept, *found.kept)))
            path = made.opened.path
            storage.remove(path)
            settings = replace(self.settings, wide=kept)
            made = self._made(graph, kind, settings, path, made.repairs)
        if _rounded_too_far(made):
            whole = self._in_fp32(graph, kind, made)
            if whole is not None:
                trials.append("the whole in fp32: pass")
                made = whole
        if not trials:
            return made
        details = {**made.artifact.details, "search": "; ".join(trials)}
        return replace(made, artifact=replace(made.artifact, details=details))

    def _in_fp32(self, graph: Captured, kind: Format, made: Converted) -> Converted | None:
        """The same in fp32 where that passes; None, and no file, where it does not."""
        self.progress("search", "whether fp32 passes")
        path = made.opened.path
        settings = replace(self.settings, precision="fp32", wide=())
        wide = path.with_name(f"wide-{path.name}")
        try:
            found = self._made(graph, kind, settings, wide, made.repairs)
        except LadingError:  # what can be said in fp16 may not be in fp32
            return None
        if verdict.overall(found.comparisons) != "pass":
            storage.remove(found.opened.path)
            return None
        return found

    def _advised(self, graph: Captured, kind: Format, made: Converted) -> None:
        """Names the precision that passes, of a file that fp16 spoils."""
        if _rounded_too_far(made):
            whole = self._in_fp32(graph, kind, made)
            if whole is not None:
                storage.remove(whole.opened.path)
                self.notices.add(
                    f"{kind.title}: fp16 misses its gate and fp32 passes: --precision fp32, or "
                    "--precision auto for fp32 only where it is needed"
                )

    def _meets(self, made: Converted, opened: MLProgram, model: mil.Model) -> bool:
        """Whether a program in the place of the file's own meets its gates."""
        found = compare.compare(
            self.original,
            opened,
            made.artifact,
            opened.runtime("mil"),
            opened.with_model(model),
            alone=False,
        )
        return found.verdict == "pass"

    def _placed(self, converted: Converted, folder: Path, name: str) -> Converted:
        """Moves the artifact to its name, or under ``rejected/`` when it did not pass."""
        made = folder / converted.artifact.path
        place = name if converted.passed else f"{storage.REJECTED}/{name}"
        with storage.errors_about(folder):
            (folder / place).parent.mkdir(exist_ok=True)
            made.replace(folder / place)
            for other in folder.glob(f"*-{name}"):
                storage.remove(other)
        converted.opened.path = folder / place
        converted.opened.rest()
        return replace(
            converted,
            artifact=replace(converted.artifact, path=place),
            comparisons=tuple(replace(one, artifact=place) for one in converted.comparisons),
            source=replace(converted.source, artifact=place) if converted.source else None,
            trajectories=tuple(
                replace(one, record=replace(one.record, artifact=place))
                for one in converted.trajectories
            ),
        )


def _better(earlier: Converted | None, later: Converted) -> Converted:
    """Of two routes' results the one that passed; else the one that every runtime could load and
    run, so that there is something to look into; else the later."""
    if earlier is None or later.passed:
        return later
    ran = [any(c.measurements for c in one.comparisons) for one in (earlier, later)]
    return earlier if ran[0] and not ran[1] else later


def _rounded_too_far(made: Converted) -> bool:
    return made.artifact.precision == "fp16" and verdict.overall(made.comparisons) == "fail"


def _in_full(fresh: Sequence[Fresh], rounded: Array, name: str) -> Array | None:
    """A constant as a file in fp32 has it."""
    found = (one.find(rounded, name) for one in fresh)
    return next((one.values for one in found if one is not None), None)


def _why(converted: Converted) -> str:
    """What it did not pass by: a comparison, then its weights, then its trajectory."""
    state = verdict.overall(converted.comparisons)
    if state != "pass":
        return next((c.reason for c in converted.comparisons if c.verdict == "fail"), state)
    source = converted.source
    if source and verdict.overall(converted.comparisons, (source,)) != "pass":
        return f"{source.finding}: {source.evidence}"
    lost = (one.record for one in converted.trajectories if one.record.verdict == "fail")
    return next(one.reason for one in lost)


def walked(
    course: Course | None,
    artifact: Artifact,
    record: ArtifactRecord,
    comparisons: Sequence[Comparison],
) -> tuple[Taken, ...]:
    """One trajectory per comparison of the artifact; none without a course."""
    return course.beside(artifact, record, comparisons) if course else ()
