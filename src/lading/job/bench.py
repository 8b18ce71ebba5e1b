"""What `lading bench` does: runtimes timed beside each other, and what their files weigh."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lading.base import storage
from lading.base.digests import size_of
from lading.errors import LadingError, RequestError
from lading.formats import Artifact, is_artifact, open_artifact
from lading.interface.side import Array
from lading.interface.work import Work
from lading.interface.work.counted import counted
from lading.job.costs import cost
from lading.job.request import Bench, is_module
from lading.job.source import title
from lading.job.timing import profile
from lading.job.timing.measuring import Plan, measured
from lading.job.timing.opening import TORCH, Timed, alone, fed, original, require_known
from lading.page import latencies
from lading.record import bench as record


def bench(request: Bench) -> record.Bench:
    """Times every file in every runtime; the chart goes to `out`, where that is named.

    Raises:
        LadingError: a file cannot be read, they are not of one network, or the chart cannot be
            written.
    """
    if request.out:
        _require_chart(Path(request.out))
    plan = planned(request)
    done = measured(request, plan)
    if request.out:
        if not done.ran:
            raise RequestError(
                f"--out {request.out}", found="nothing that was run", expected="one runtime here",
                remedy=f"leave --out out: {done.timings[0].reason}",
            )  # fmt: skip
        storage.write_file(Path(request.out), latencies.chart(done).file())
    return done


def _require_chart(out: Path) -> None:
    """Passes only where a chart can be written.

    Raises:
        RequestError: another kind of file.
        StorageError: what lies there is no file.
    """
    if out.suffix.lower() != ".svg":
        raise RequestError(
            f"--out {out}", found=f"suffix {out.suffix!r}", expected="a chart, .svg",
            remedy=f"use --out {out.with_suffix('.svg').name}",
        )  # fmt: skip
    storage.require_file(out)


def planned(request: Bench) -> Plan:
    """Every row, with its input.

    Raises:
        LadingError: see `bench`.
    """
    artifacts, checkpoint = _parted(request)
    names: Any = request.runtime
    opened = [open_artifact(path) for path in artifacts]
    require_known(names, opened, checkpoint)
    threads = request.threads or cores()
    rows: list[tuple[Timed, str]] = []
    sizes: list[record.Sized] = []
    notices: list[str] = []
    modules: dict[str, Mapping[str, str]] = {}
    for place, artifact in enumerate(opened or [None]):
        request.progress("read", str(artifact.path if artifact else title(checkpoint)))
        if checkpoint is None:
            assert artifact is not None
            replace(request, shapes="").require_unread("no checkpoint")
            inputs = alone(opened, place, request.shapes)
        else:
            _, interface = original(request, checkpoint, artifact)
            inputs = fed(interface)
            if place == 0:
                path = artifact.path if artifact else None
                whole = Timed(request, checkpoint, path, TORCH, "", inputs, threads)
                rows.append((whole, ""))
                size = 0 if is_module(checkpoint) else size_of(Path(checkpoint))
                own = counted(interface, inputs)
                notices += (
                    [] if own is not None else ["torch's counter cannot follow the network's code"]
                )
                sizes.append(_sized(title(checkpoint), size, inputs, own))
        if artifact is None:
            continue
        work = _work(artifact, inputs, notices)
        sizes.append(_sized(str(artifact.path), size_of(artifact.path), inputs, work))
        if request.profile and checkpoint is not None:
            request.progress("align", f"{artifact.path} with the original's modules")
            modules[str(artifact.path)] = profile.modules(interface, artifact, work or (), inputs)
        rows += _rows(request, checkpoint, artifact, inputs, threads)
    wanted = [row for row in rows if not names or row[0].runtime in names]
    return Plan(wanted, sizes, threads, notices, modules)


def _parted(request: Bench) -> tuple[list[Path], Any]:
    """The artifacts, and the checkpoint where there is one.

    Raises:
        RequestError: two checkpoints, or a file twice.
    """
    given: Any = request.paths
    artifacts = [one for one in given if not is_module(one) and is_artifact(one)]
    others = [one for one in given if is_module(one) or not is_artifact(one)]
    if request.checkpoint is not None:
        if not is_module(request.checkpoint) and is_artifact(request.checkpoint):
            raise RequestError(
                f"--checkpoint {request.checkpoint}", found="an artifact", expected="a checkpoint",
                remedy="name artifacts without --checkpoint",
            )  # fmt: skip
        others.append(request.checkpoint)
    if len(others) > 1:
        raise RequestError(
            " beside ".join(map(title, others)), found=f"{len(others)} checkpoints",
            expected="one, and artifacts of it", remedy="time them one after the other",
        )  # fmt: skip
    twice = next((one for one in artifacts if artifacts.count(one) > 1), None)
    if twice is not None:
        raise RequestError(
            str(twice), found="the same file twice", expected="each file once",
            remedy="name it once; --rounds says how often it has its turn",
        )  # fmt: skip
    return artifacts, others[0] if others else None


def _rows(
    request: Bench, checkpoint: Any, artifact: Artifact, inputs: Mapping[str, Array], threads: int
) -> Iterator[tuple[Timed, str]]:
    for runtime in artifact.format.runtimes:
        reason = runtime.unavailable() or ""
        for unit in runtime.units if runtime.units and not reason else ("",):
            row = Timed(request, checkpoint, artifact.path, runtime.name, unit, inputs, threads)
            yield row, reason


def _work(
    artifact: Artifact, inputs: Mapping[str, Array], notices: list[str]
) -> Sequence[Work] | None:
    try:
        return artifact.work(inputs) or None
    except LadingError as error:
        notices.append(f"{artifact.path.name}: its arithmetic is not counted: {error.found}")
        return None


def _sized(
    path: str, size: int, inputs: Mapping[str, Array], work: Sequence[Work] | None
) -> record.Sized:
    shapes = {name: tuple(value.shape) for name, value in inputs.items()}
    return record.Sized(path, size, shapes, cost(path, work) if work is not None else None)


def cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
