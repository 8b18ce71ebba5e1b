"""A checkpoint or an artifact, opened as the diffusion network that the samplers call."""

from __future__ import annotations

from pathlib import Path

from lading.errors import RequestError
from lading.formats import artifact_target, noted, targets
from lading.interface import Options, wrap
from lading.job import pipeline
from lading.job.sampling.request import Request
from lading.proof.trajectory.network import Network
from lading.record import Task
from lading.runtimes import require, runtime, runtimes_for
from lading.runtimes.torch import RUNTIME as TORCH
from lading.runtimes.torch import Eager

#: Hyper-parameters that change every sample; where one is assumed, the reader is told.
DECISIVE = (
    "num_heads", "num_head_channels", "use_new_attention_order", "noise_schedule",
    "diffusion_steps", "rescale_timesteps", "predict_xstart", "image_size",
)  # fmt: skip


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
