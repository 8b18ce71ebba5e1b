"""The contract of a file format, and the shelf of those that keep it.

Each format lies in one folder here, found by being there: it holds one object ``FORMAT`` that
answers everything asked of a format. Nobody else asks for a suffix or a format's name.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, TypeAlias

from lading.base import shelf
from lading.base.memory import give_back
from lading.coreml import system
from lading.coreml.mil import Statistics
from lading.errors import (
    LadingError,
    ProgramError,
    RequestError,
    RuntimeUnavailableError,
    in_short,
)
from lading.interface import Options
from lading.interface.settings import Precision, Settings
from lading.interface.side import Array, Side
from lading.interface.work import Work
from lading.record import ArtifactRecord, Hazard, Snippet, Task, from_json
from lading.record.measurement import ReadingName

if TYPE_CHECKING:
    from lading.conversion.capture import Axes, Captured

#: What a runtime computes in where that is less than the artifact's own precision.
Arithmetic: TypeAlias = Literal["fp16"] | None


# --------------------------------------------------------------------------------------- runtimes
def _here() -> str | None:
    return None


@dataclass(frozen=True)
class Runtime:
    """What runs artifacts of a format.

    Attributes:
        name: ``"mil"``, as `Comparison.runtime` and ``--runtime`` spell it.
        title: for people, e.g. ``"lading.coreml.mil (declared precision)"``.
        reading: how it reads the file's precision; see `Artifact.side`.
        precision: of its arithmetic, where that is less than the artifact's own: it decides the
            gates.
        own: the system decides how it sums: what sound fp32 keeps is not measured for it.
        units: the compute units that can be asked for; empty where there is no choice.
        unavailable: why it cannot run on this computer, or None when it can.
        opens: opens a path by itself, where it is not the format that does; one of `units` may be
            given with it.
    """

    name: str
    title: str
    reading: str = "declared"
    precision: Arithmetic = None
    own: bool = False
    unavailable: Callable[[], str | None] = _here
    opens: Callable[..., Side] | None = None
    units: tuple[str, ...] = ()

    def require(self) -> None:
        """Passes only if it runs on this computer.

        Raises:
            RuntimeUnavailableError: with its own reason.
        """
        reason = self.unavailable()
        if reason:
            raise RuntimeUnavailableError(
                self.title,
                found=reason,
                expected="a computer that has it",
                remedy="use another runtime; see `lading doctor`",
            )


#: Core ML itself, which runs both of its formats.
SYSTEM = Runtime(
    system.NAME, system.TITLE, own=True, unavailable=system.unavailable, opens=system.System,
    units=system.UNITS,
)  # fmt: skip


# --------------------------------------------------------------------------------------- contents
@dataclass(frozen=True)
class Held:
    """One constant that an artifact holds.

    Attributes:
        name: in the artifact.
        values: as declared; for a packed weight, unpacked.
        dtype: numpy's name of the declared element type.
        reader: the operation that reads it, e.g. ``"conv"``; empty where several do or none.
        places: where it is read, as ``"y of mul_3"``, where the format names its operations.
        told: it says how an operation works, as the scales of a resizing do, and is no operand.
        packed: how it is compressed, e.g. ``"constexpr_lut_to_dense"``; empty where it is plain.
        step: of a linear grid, its spacing, broadcastable to `values`; None without one.
        table: of a palette, what each group of elements may be: a row for each group along each
            axis, ``[*groups, values]``; None without one.
    """

    name: str
    values: Array
    dtype: str
    reader: str = ""
    packed: str = ""
    step: Array | None = None
    table: Array | None = None
    places: tuple[str, ...] = ()
    told: bool = False


class Restore(Protocol):
    """Where rounded constants come from; see `lading.proof.weights.restored`.

    Attributes:
        unknown: how many stayed rounded, as nobody knows what they were.
    """

    unknown: int

    def constant(self, rounded: Array, *names: str) -> Array:
        """The values in full precision and their own shape; themselves where nobody knows.

        Args:
            rounded: as the file has them.
            names: of it, or of a place where it is read, as `Held` has them; the first that is
                known decides.
        """
        ...

    def packed(self, unpacked: Array) -> Array | None:
        """The tensor that a packed weight was made of; None where nobody knows."""
        ...


class Artifact(ABC):
    """A file of a format, opened: parsed once, asked often.

    Attributes:
        gave: what it gave when it was compared, by the runtime's and the probe's name, where that
            is shown as a picture.
    """

    #: Names of the cached properties that hold weights, or what was made of them to run.
    _heavy: ClassVar[tuple[str, ...]] = ()

    def __init__(self, path: Path, form: Format) -> None:
        self.path, self.format = path, form
        self.gave: dict[tuple[str, str], Mapping[str, Array]] = {}

    @cached_property
    @abstractmethod
    def record(self) -> ArtifactRecord:
        """What it says of itself: ports, precision, metadata in `details`. Open axes are -1."""

    def rest(self) -> None:
        """Lets go of its weights and of what was made to run it, until it is asked again: several
        artifacts of one network need not all be in memory at once. The file is read once more then:
        only for one that nobody else writes, or of which nothing more is judged."""
        for name in self._heavy:
            self.__dict__.pop(name, None)
        give_back()

    def begin(self) -> None:  # noqa: B027  # most have nothing that can begin by itself
        """Says that it will be run: what can be made ready meanwhile in another process is."""

    @abstractmethod
    def constants(self) -> Sequence[Held]:
        """Every constant, in the file's order."""

    @property
    def settings(self) -> Settings:
        """Those under which its format would write the same network in fp32."""
        return Settings("fp32")

    @abstractmethod
    def side(self, reading: str = "declared") -> Side:
        """The artifact as computed here, each value rounded as `reading` says: ``"declared"``, as
        the file; ``"float32"``; ``"float16"`` and ``"half-accumulate"`` where the format has them.

        Raises:
            ProgramError: it cannot be run.
        """

    @abstractmethod
    def widened(self, restore: Restore) -> Side:
        """The same graph in fp32, each rounded constant as `restore` says.

        Raises:
            ProgramError: the graph is none in fp32.
        """

    def exact(self) -> Side:
        """The same graph on the same weights in float64: without what a runtime's sums leave.

        Raises:
            ProgramError: nothing here can compute it so.
        """
        raise ProgramError(
            str(self.path), found=f"no evaluation of {self.format.name} in float64",
            expected="a format that has one", remedy="compare it in another runtime",
        )  # fmt: skip

    def shaken(self, size: float) -> Side:
        """The same graph with every weight off by up to `size`, relative; of what torch does not
        compute, so that its arithmetic cannot be disturbed itself."""
        raise NotImplementedError(f"torch computes {self.format.name}")

    @property
    def remark(self) -> str:
        """What is done to it before it runs here, in words; empty where nothing is."""
        return ""

    def obstacle(self) -> str:
        """Why it cannot be run on this computer, in words; empty where nothing is known of that."""
        if any(runtime.own and not runtime.unavailable() for runtime in self.format.runtimes):
            return ""
        try:
            self.side()
        except LadingError as error:
            place = error.subject.removeprefix(str(self.path)).lstrip(": ")
            return f"{place}: {error.found}" if place else error.found
        return ""

    def hazards(self) -> tuple[Hazard, ...]:
        """What is known to go wrong with it on devices although the graph is right."""
        return ()

    def randomness(self) -> str:
        """What in it draws random numbers, in words; empty where nothing does."""
        return ""

    def unloadable(self) -> str:
        """Why the system that it is made for does not load it, in words; empty where nothing is
        known."""
        return ""

    @property
    def readings(self) -> tuple[ReadingName, ...]:
        """The readings between which a device may choose, the best first, ``"declared"`` among
        them; empty where there is one only."""
        return ()

    def statistics(
        self, inputs: Mapping[str, Array], reading: str
    ) -> tuple[dict[str, Array], Mapping[str, Statistics]]:
        """The outputs under one of `readings`, and of every value its range and what was lost in
        rounding it; of each reading the last is kept."""
        raise NotImplementedError(f"{self.format.name} has one reading")

    def seen(self, inputs: Mapping[str, Array], reading: str) -> Mapping[str, Array] | None:
        """The outputs of the last `statistics` under a reading, where it was of these inputs."""
        return None

    def work(self, fed: Mapping[str, Array] | None = None) -> Sequence[Work]:
        """What each operation computes and holds, in the file's order; empty where nobody knows.

        Args:
            fed: inputs to run it on, where it leaves sizes open; without them what depends on those
                is not known.

        Raises:
            ProgramError: the file cannot be read so far, or it does not run on `fed`.
        """
        return ()

    def limit(self, threads: int) -> None:  # noqa: B027 - a format need not have any of its own
        """Has every runtime that is opened from now on use so many threads; those of torch are set
        where torch is."""

    def open(self, runtime: Runtime, unit: str = "") -> Side:
        """The artifact in a runtime, on one of its compute units.

        Raises:
            RuntimeUnavailableError: not on this computer.
            ProgramError: it cannot be loaded there.
        """
        runtime.require()
        if runtime.opens:
            return runtime.opens(self.path, *([unit] if unit else ()))
        return self.side(runtime.reading)

    def runtime(self, name: str | None = None) -> Runtime:
        """What runs it here: the runtime called `name`, or the first that can.

        Raises:
            RequestError: there is none of that name, it runs other formats, or nothing runs here.
            RuntimeUnavailableError: it is not on this computer.
        """
        fitting = self.format.runtimes
        if name:
            known = runtimes()
            if name not in known:
                raise RequestError(
                    f"--runtime {name}",
                    found=repr(name),
                    expected=" or ".join(known),
                    remedy="see `lading doctor` for what runs here",
                )
            if known[name] not in fitting:
                raise RequestError(
                    f"--runtime {name}",
                    found=f"an artifact of format {self.format.name}",
                    expected=" or ".join(runtime.name for runtime in fitting),
                    remedy="leave --runtime out",
                )
            known[name].require()
            return known[name]
        able = [runtime for runtime in fitting if not runtime.unavailable()]
        if not able:
            raise RequestError(
                str(self.path),
                found=f"no runtime for {self.format.name} on this computer",
                expected="one that runs it",
                remedy="see `lading doctor`",
            )
        return able[0]

    def noted(self) -> tuple[Task | None, Options | None]:
        """What lading wrote into it when it made it: the task and the options, if it did.

        Raises:
            ProgramError: the notes are there and cannot be read.
        """
        details = self.record.details
        task, options = details.get("lading.task"), details.get("lading.options")
        try:
            return (
                from_json(Task, json.loads(task)) if task else None,
                from_json(Options, json.loads(options)) if options else None,
            )
        except Exception as error:  # of many kinds: anything may stand there
            raise ProgramError(
                self.record.path,
                found=f"notes of lading's that cannot be read: {in_short(error)}"[:200],
                expected="what lading wrote into the artifact when it made it",
                remedy="convert again, or feed it from Python: "
                "lading.coreml.load(path).predict({...})",
            ) from error


# ---------------------------------------------------------------------------------------- formats
class Format(Protocol):
    """A file format."""

    #: what ``--to`` takes
    name: str
    #: of the artifact's path, with the dot
    suffix: str
    #: what people call it
    title: str
    #: what runs its artifacts, whether here or not, by name
    runtimes: tuple[Runtime, ...]

    def claims(self, path: Path) -> bool:
        """Whether a path is an artifact of this format, by its suffix and by what lies there."""
        ...

    def precision(self, settings: Settings) -> Precision:
        """The precision that the artifact will have under `settings`."""
        ...

    def axes(self, options: Options) -> Axes:
        """Which axes of the graph have to stay open for this format under `options`."""
        ...

    def convert(self, captured: Captured, settings: Settings, path: Path) -> ArtifactRecord:
        """Writes the artifact at `path`, which must not exist; same input, same bytes.

        Raises:
            ConversionError: the format or its converter cannot say this graph.
        """
        ...

    def open(self, path: Path, *, own: bool = False) -> Artifact:
        """The artifact at `path`; `own` says that this process wrote it, and no stranger.

        Raises:
            ProgramError: the file cannot be read.
        """
        ...

    def snippets(self, record: ArtifactRecord, task: Task) -> tuple[Snippet, ...]:
        """Code that uses an artifact, as it stands."""
        ...


def formats() -> dict[str, Format]:
    """Every format, by the name that ``--to`` takes; those that other packages bring in their
    entry points ``lading.formats`` among them.

    Raises:
        RequestError: such a package is broken.
    """
    needs = ("name", "suffix", "title", "runtimes", "claims", "precision", "axes", "convert",
             "open", "snippets")  # fmt: skip
    return shelf.read("lading.formats", "FORMAT", "lading.formats", needs)


def format_named(name: str) -> Format:
    """The format called `name`.

    Raises:
        RequestError: there is none of that name.
    """
    known = formats()
    if name not in known:
        raise RequestError(
            f"--to {name}",
            found=repr(name),
            expected=" or ".join(known),
            remedy=f"use --to {next(iter(known))}",
        )
    return known[name]


def runtimes() -> dict[str, Runtime]:
    """Every runtime of every format, by name."""
    found = {runtime.name: runtime for form in formats().values() for runtime in form.runtimes}
    return dict(sorted(found.items()))


def is_artifact(path: Path) -> bool:
    """Whether a path is called as an artifact is; else it is a checkpoint."""
    return any(form.claims(path) for form in formats().values())


def open_artifact(path: Path) -> Artifact:
    """The artifact at a path, its format by the suffix.

    Raises:
        RequestError: there is no such path, or it is no artifact.
        ProgramError: the file cannot be read.
    """
    known = formats().values()
    expected = f"an artifact: {' or '.join(form.suffix for form in known)}"
    if not path.exists():
        raise RequestError(
            str(path), found="no such file", expected=expected, remedy="check the path"
        )
    for form in known:
        if form.claims(path):
            return form.open(path)
    raise RequestError(
        str(path),
        found=f"suffix {path.suffix!r}",
        expected=expected,
        remedy="convert the checkpoint first: lading convert PATH",
    )
