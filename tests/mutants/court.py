"""The verifier before which artifacts are brought: right ones to be passed, wrong ones refused.

A `Subject` is a network with its checkpoint; `carry` makes an artifact of it (or of a module that
stands in for it wrongly), and `judge` asks what `lading verify` asks, at the default settings.
"""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from lading.checkpoint import Checkpoint
from lading.conversion.capture import capture
from lading.conversion.repairs import repaired
from lading.errors import LadingError
from lading.formats import format_named, open_artifact
from lading.interface import Interface, Options
from lading.interface.matching import matched
from lading.interface.settings import Settings
from lading.proof import compare, probes, verdict
from lading.proof.original import Original
from lading.proof.weights import provenance
from lading.record import CheckpointRecord, Route, Task

Form = Literal["onnx", "fp16", "fp32"]
FORMS: tuple[Form, ...] = ("onnx", "fp16", "fp32")


class Bare(nn.Module):
    """The network by the name that `lading.interface` gives it, whatever it takes."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.network(*inputs)


@dataclass
class Subject:
    """A network, what it takes and gives, and its tensors as a checkpoint."""

    name: str
    network: nn.Module
    task: Task
    route: Route = "trace"
    originals: dict[Any, Original] = field(default_factory=dict)

    def interface(self, network: nn.Module | None = None) -> Interface:
        """Around the network, or around another in its place."""
        module = Bare(network or self.network).eval()
        return Interface(module, self.task.inputs, self.task.outputs, Options(), self.task)

    @cached_property
    def checkpoint(self) -> Checkpoint:
        state = {
            name: tensor.detach().clone() for name, tensor in self.network.state_dict().items()
        }
        return Checkpoint(CheckpointRecord(f"{self.name}.pth", "", 0, "torch zip"), state)

    @cached_property
    def required(self) -> tuple[str, ...]:
        return tuple(n for n in self.checkpoint.tensors if not n.endswith("num_batches_tracked"))

    def copy(self) -> Any:
        """A network like it, to be changed."""
        return copy.deepcopy(self.network)


@dataclass(frozen=True)
class Judgement:
    """What the verifier said, and why."""

    verdict: str
    reason: str
    #: dB between the artifact and the original, graph against graph where that was read
    psnr: float = float("nan")

    @property
    def refused(self) -> bool:
        return self.verdict == "fail"


def carry(
    subject: Subject,
    form: Form,
    path: Path,
    network: nn.Module | None = None,
    change: Callable[[Interface], Interface] = lambda one: one,
) -> Path:
    """Writes an artifact of the subject, or of `network` in its place.

    Args:
        subject: whose ports it has.
        form: ``"onnx"``, or the precision of an `.mlpackage`.
        path: without suffix.
        network: a wrong one, in the place of the subject's.
        change: to the interface, for what a network alone cannot get wrong.
    """
    interface = change(subject.interface(network))
    kind = format_named("onnx" if form == "onnx" else "coreml")
    settings = Settings("fp32" if form == "onnx" else form)
    place = path.with_name(path.name + kind.suffix)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            with repaired(interface, subject.route) as (mended, _):
                graph = capture(mended, subject.route)
            kind.convert(replace(graph, interface=interface), settings, place)
        finally:
            logging.disable(logging.NOTSET)
    return place


def judge(subject: Subject, path: Path) -> Judgement:
    """What `lading verify` says of the artifact at `path` against the subject's checkpoint."""
    try:
        artifact = open_artifact(path)
        record, interface = matched(artifact.record, subject.interface())
        key = tuple((p.name, p.dtype) for p in (*interface.inputs, *interface.outputs))
        if key not in subject.originals:
            subject.originals[key] = Original(interface, probes.make(interface))
        original = subject.originals[key]
        source = provenance.trace(
            artifact, subject.checkpoint, subject.required, None, original.followed, original.again
        )
        comparisons = tuple(compare.every_runtime(original, artifact, record, lambda *_: None))
    except LadingError as error:
        return Judgement("fail", f"{type(error).__name__}: {error.subject}: {error.found}")
    reasons = [one.reason for one in comparisons if one.verdict == "fail"]
    if source.refuted:
        reasons.append(f"{source.finding}: {source.evidence}")
    ratios = [m for c in comparisons for m in c.measurements if m.kind == "psnr" and m.steady]
    graph = [m for m in ratios if m.reading == "graph" and m.of == "output"] or ratios
    least = min((m.value for m in graph), default=float("nan"))
    return Judgement(verdict.overall(comparisons, (source,)), "; ".join(reasons), least)
