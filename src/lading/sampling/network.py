"""A diffusion network in some runtime, as the samplers call it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lading import pipeline
from lading.errors import InputError, RequestError
from lading.evidence import Port, Task
from lading.interface import Options, wrap
from lading.runtime import Array, Session, require, runtime, runtimes_for
from lading.runtimes.torch import RUNTIME as TORCH
from lading.runtimes.torch import Eager
from lading.sampling.request import Request
from lading.target import artifact_target, noted, targets

#: Hyper-parameters that change every sample; where one is assumed, the reader is told.
DECISIVE = (
    "num_heads", "num_head_channels", "use_new_attention_order", "noise_schedule",
    "diffusion_steps", "rescale_timesteps", "predict_xstart", "image_size",
)  # fmt: skip


class Network:
    """A diffusion network in some runtime, as the samplers call it: `network(x, t) -> array`.

    Attributes:
        title: of the runtime, for people.
        task: what it is for.
        shape: of x, [1, C, *].
        precision: ``"fp32"`` or ``"fp16"``.
        assumed: decisive hyper-parameters that nothing but an assumption backs, as text.
        calls: how often it was called.
    """

    def __init__(
        self,
        session: Session,
        task: Task,
        ports: tuple[Port, ...],
        *,
        title: str,
        precision: str = "fp32",
        assumed: tuple[str, ...] = (),
    ) -> None:
        self.session, self.task, self.title = session, task, title
        self.precision, self.assumed = precision, assumed
        self.x, self.time, *self.others = ports
        self.shape = tuple(abs(n) for n in self.x.shape)
        self.last = float(task.inputs[1].value_range[1]) if task.inputs[1].value_range else np.inf
        self.extra: dict[str, Array] = {}
        self.calls = 0

    def give(self, label: int | None) -> None:
        """Sets the class of a class-conditional network.

        Raises:
            RequestError: there is no such class, one is missing, or the network takes none; or it
                takes something else that a sampler has not got.
        """
        for port, meant in zip(self.others, self.task.inputs[2:], strict=True):
            if meant.name != "y":
                raise RequestError(
                    self.title,
                    found=f"a network that takes {meant.name} ({meant.meaning}) too",
                    expected="a network that takes x, a time step, and perhaps a class",
                    remedy="call it from Python: lading.diffusion.samplers.walk",
                )
            top = int(meant.value_range[1])
            if label is None or not 0 <= label <= top:
                raise RequestError(
                    f"--label {'(none)' if label is None else label}",
                    found="no class" if label is None else str(label),
                    expected=f"a class from 0 to {top}: the network is class-conditional",
                    remedy="add --label 0",
                )
            self.extra[port.name] = np.full(port.shape, label, dtype=port.dtype)
        if label is not None and not self.others:
            raise RequestError(
                f"--label {label}",
                found="a network without classes",
                expected="a class-conditional network",
                remedy="leave --label out",
            )

    def __call__(self, x: Array, t: Array) -> Array:
        """The network's answer, float32.

        Raises:
            InputError: x has another shape, or t is no step that was trained.
        """
        if x.shape != self.shape:
            raise InputError(
                f"x for {self.title}",
                found=f"shape {list(x.shape)}",
                expected=f"{list(self.shape)}",
                remedy="sample pictures of the size that the network was converted for",
            )
        told = np.asarray(t, dtype=np.float64)
        whole = self.time.dtype.startswith("int")
        if told.min() < 0 or told.max() > self.last or (whole and (told != np.rint(told)).any()):
            raise InputError(
                f"the time step for {self.title}",
                found=f"{told.ravel()[0]:g}",
                expected=f"{'a whole number' if whole else 'a number'} from 0 to {self.last:g}",
                remedy="use a schedule of the number of steps that the network was trained with",
            )
        fed = {
            self.x.name: x.astype(self.x.dtype),
            self.time.name: told.astype(self.time.dtype).reshape(self.time.shape),
            **self.extra,
        }
        self.calls += 1
        answer = next(iter(self.session.run(fed).values()))
        return np.asarray(answer, dtype=np.float32)


def open_network(request: Request) -> Network:
    """The network that the request names, in its runtime.

    Raises:
        LadingError: it cannot be read or run here, or it is no diffusion network.
    """
    path = request.path
    suffixes = {one.suffix for one in targets().values()}
    if path.suffix.lower() not in suffixes:
        return _of_checkpoint(request)
    record = artifact_target(path).describe(path)
    task, _ = noted(record)
    _require_diffusion(path, task, len(record.inputs))
    assert task is not None
    able = [one for one in runtimes_for(record.format) if not one.unavailable()]
    chosen = runtime(request.runtime) if request.runtime else (able or [TORCH])[0]
    if record.format not in chosen.formats:
        raise RequestError(
            f"--runtime {chosen.name} for {path.name}",
            found=f"an artifact of format {record.format}",
            expected=" or ".join(one.name for one in runtimes_for(record.format)),
            remedy="leave --runtime out, or name the checkpoint",
        )
    require(chosen)
    by_name = {port.name: port for port in record.inputs}
    ports = tuple(
        by_name.get(port.name, record.inputs[place]) for place, port in enumerate(task.inputs)
    )
    precision = "fp16" if "16" in record.precision else "fp32"
    return Network(chosen.load(path), task, ports, title=chosen.title, precision=precision)


def _of_checkpoint(request: Request) -> Network:
    if request.runtime not in (None, "torch"):
        raise RequestError(
            f"--runtime {request.runtime} for {request.path.name}",
            found="a checkpoint, which PyTorch runs",
            expected="an artifact for another runtime than torch",
            remedy=f"lading convert {request.path}, then sample from what it wrote",
        )
    loaded = pipeline.load(
        request.path, given=request.given, fold=request.fold, config=request.config
    )
    _require_diffusion(request.path, loaded.task, len(loaded.task.inputs))
    interface = wrap(loaded.network, loaded.task, Options())
    assumed = tuple(
        f"{one.name} {one.value}"
        + (f" (or {', '.join(one.alternatives)})" if one.alternatives else "")
        for one in loaded.recognition.hyperparameters
        if one.name in DECISIVE and one.evidence == "assumed"
    )
    return Network(
        Eager(interface), loaded.task, interface.inputs, title=TORCH.title, assumed=assumed
    )


def _require_diffusion(path: Path, task: Task | None, inputs: int) -> None:
    if task is not None and task.kind == "diffusion" and len(task.inputs) == inputs:
        if task.inputs[1].name == "timesteps" and "noise" not in [p.name for p in task.inputs]:
            return
        found = "one step of sampling, which has its sampler inside"
    else:
        found = f"a {task.kind} network" if task else "an artifact without lading's notes"
    raise RequestError(
        str(path),
        found=found,
        expected="a diffusion network: x and a time step in, the noise out",
        remedy="name a diffusion checkpoint, or what `lading convert` made of one",
    )
