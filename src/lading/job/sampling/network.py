"""A checkpoint or an artifact, opened as the diffusion network that the samplers call."""

from __future__ import annotations

from pathlib import Path

from lading.errors import RequestError
from lading.formats import is_artifact, open_artifact
from lading.interface import Options, wrap
from lading.interface.original import TITLE, TorchSide
from lading.job.request import Sample
from lading.job.source import source
from lading.network.source import load
from lading.record import Task
from lading.task import kind_of
from lading.task.diffusion.denoiser import Denoiser, in_order

#: Hyper-parameters that change every sample; where one is assumed, the output says so.
DECISIVE = (
    "num_heads", "num_head_channels", "use_new_attention_order", "noise_schedule",
    "diffusion_steps", "rescale_timesteps", "predict_xstart", "image_size",
)  # fmt: skip


def open_network(request: Sample) -> Denoiser:
    """The network that the request names, in its runtime.

    Raises:
        LadingError: it cannot be read or run here, or it is no diffusion network.
    """
    path = Path(request.path)
    if not is_artifact(path):
        return _of_checkpoint(request, path)
    if not request.against:
        request.require_unread(f"the artifact {path.name}")
    artifact = open_artifact(path)
    record = artifact.record
    task, _ = artifact.noted()
    _require_diffusion(path, task, len(record.inputs))
    assert task is not None
    chosen = artifact.runtime(request.runtime)
    precision = "fp16" if "16" in record.precision else "fp32"
    run, ports = artifact.open(chosen).run, in_order(record.inputs, task.inputs)
    return Denoiser(run, task, ports, title=chosen.title, precision=precision)


def _of_checkpoint(request: Sample, path: Path) -> Denoiser:
    if request.runtime not in (None, "torch"):
        raise RequestError(
            f"--runtime {request.runtime} for {path.name}",
            found="a checkpoint, which PyTorch runs",
            expected="an artifact for another runtime than torch",
            remedy=f"lading convert {request.path}, then sample from what it wrote",
        )
    loaded = load(source(request, path), request.progress)
    _require_diffusion(path, loaded.task, len(loaded.task.inputs))
    interface = wrap(loaded.network, loaded.task, Options())
    assumed = tuple(
        f"{one.name} {one.value}"
        + (f" (or {', '.join(one.alternatives)})" if one.alternatives else "")
        for one in loaded.recognition.hyperparameters
        if one.name in DECISIVE and one.evidence == "assumed"
    )
    return Denoiser(
        TorchSide(interface).run, loaded.task, interface.inputs, title=TITLE, assumed=assumed
    )


def _require_diffusion(path: Path, task: Task | None, inputs: int) -> None:
    if task is not None and kind_of(task).walks and len(task.inputs) == inputs:
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
