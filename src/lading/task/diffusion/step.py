"""One step of sampling as a network: x_t, t and noise in, x_{t-1} out, with the schedule inside.

An app that loops over one model needs neither a schedule nor a formula of its own: it draws noise
and counts down. The formulas are those of `lading.task.diffusion`, whose samplers are the
reference of the tests; the tables are its `Schedule`'s, computed in float64 and held in float32.

Sources: J. Ho, A. Jain, P. Abbeel, "Denoising diffusion probabilistic models", arXiv 2006.11239,
equations 6, 7 and 15; A. Nichol, P. Dhariwal, "Improved denoising diffusion probabilistic models",
arXiv 2102.09672, equation 15; J. Song, C. Meng, S. Ermon, "Denoising diffusion implicit models",
arXiv 2010.02502, equations 12 and 16.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from torch import nn

from lading.errors import RequestError
from lading.record import Port, Task
from lading.task import kind_of
from lading.task.diffusion import notes
from lading.task.diffusion.samplers import Array, Process, deviation

Kind = Literal["ddpm", "ddim"]
KINDS: tuple[Kind, ...] = ("ddpm", "ddim")

#: Columns of the table, in order; see `coefficients`.
COLUMNS = (
    "timestep", "by_x", "by_answer", "now", "picture", "low", "high", "spread", "hiss", "signal",
)  # fmt: skip


class Tables(nn.Module):
    """The columns of a step. timesteps [N] whole numbers -> [N, columns]."""

    table: torch.Tensor

    def __init__(self, table: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("table", table)

    def forward(self, timesteps: torch.Tensor) -> torch.Tensor:
        return self.table.index_select(0, timesteps)


class Back(nn.Module):
    """From the network's answer to x_{t-1}.

    The network's answer a gives the picture p = ``by_x · x - by_answer · a``, kept within -1 and 1.
    The ancestral step is ``picture · p + now · x + spread · exp(l / 2) · noise`` with the log
    variance l between ``low`` and ``high`` as the network's second half says, or ``low`` where
    nothing is learned. The implicit one is ``picture · p + now · e + spread · noise``, in which
    e = ``(x - signal · p) · hiss`` is the noise that belongs to p. ``spread`` is 0 at the first
    step.

    In an fp16 program this stays in fp32: ``by_x`` grows to 1/√ᾱ, 157 at the end of the linear
    schedule, and what one step rounds away is lost for all that follow.
    """

    def __init__(self, *, implicit: bool, learned: bool) -> None:
        super().__init__()
        self.implicit, self.learned = implicit, learned

    def forward(
        self, row: torch.Tensor, x: torch.Tensor, answer: torch.Tensor, noise: torch.Tensor
    ) -> torch.Tensor:
        columns = row.reshape(*row.shape, *[1] * (x.ndim - 1)).unbind(1)
        at = dict(zip(COLUMNS, columns, strict=True))
        first = answer[:, : x.shape[1]]
        picture = (at["by_x"] * x - at["by_answer"] * first).clamp(-1.0, 1.0)
        if self.implicit:
            hiss = (x - at["signal"] * picture) * at["hiss"]
            out: torch.Tensor = at["picture"] * picture + at["now"] * hiss + at["spread"] * noise
            return out
        log_variance = at["low"]
        if self.learned:
            share = (answer[:, x.shape[1] :] + 1.0) * 0.5
            log_variance = share * at["high"] + (1.0 - share) * at["low"]
        deviation = at["spread"] * torch.exp(0.5 * log_variance)
        return at["picture"] * picture + at["now"] * x + deviation * noise


class Step(nn.Module):
    """A network and one step back from x_t: x, noise [N, C, *] and timesteps [N] -> [N, C, *]."""

    def __init__(self, network: nn.Module, tables: Tables, back: Back) -> None:
        super().__init__()
        self.network = network
        self.step_tables, self.step_back = tables, back

    def forward(
        self, x: torch.Tensor, timesteps: torch.Tensor, noise: torch.Tensor
    ) -> torch.Tensor:
        row = self.step_tables(timesteps)
        out: torch.Tensor = self.step_back(row, x, self.network(x, row[:, 0]), noise)
        return out


def coefficients(process: Process, eta: float | None) -> Array:
    """The table of `Step`, float64 [T, columns]; `eta` is of the implicit process, None for the
    ancestral one."""
    schedule, picture = process.schedule, process.gives == "picture"
    steps, kept, before = schedule.steps, schedule.kept, schedule.before
    timestep = np.array([schedule.timestep(index) for index in range(steps)], dtype=np.float64)
    zero, one = np.zeros(steps), np.ones(steps)
    later = (np.arange(steps) > 0).astype(np.float64)
    by_x = zero if picture else 1.0 / np.sqrt(kept)
    by_answer = -one if picture else np.sqrt(1.0 - kept) / np.sqrt(kept)
    if eta is None:
        now, of_picture = schedule.posterior_of_now, schedule.posterior_of_picture
        low = schedule.posterior_log_variance
        if process.variance == "fixed large":
            low = schedule.large_log_variance
        high, spread = np.log(schedule.betas), later
    else:
        sigma = deviation(schedule, eta)
        now = np.sqrt(np.maximum(1.0 - before - sigma**2, 0.0))
        of_picture, low, high, spread = np.sqrt(before), zero, zero, sigma * later
    columns = (
        timestep, by_x, by_answer, now, of_picture, low, high, spread,
        1.0 / np.sqrt(1.0 - kept), np.sqrt(kept),
    )  # fmt: skip
    return np.stack(columns, axis=1)


def as_step(network: nn.Module, task: Task, kind: Kind, eta: float = 0.0) -> tuple[nn.Module, Task]:
    """`network` and its task as one step of sampling.

    Args:
        network: takes x and timesteps, and gives what `task` says.
        task: of a diffusion network, with its schedule among the notes.
        kind: ``"ddpm"`` or ``"ddim"``.
        eta: of ``"ddim"``: 0 adds no noise, 1 as much as the posterior has.

    Raises:
        RequestError: this is no diffusion network, or one that needs more than x and t.
    """
    names = [port.name for port in task.inputs]
    if not kind_of(task).walks or names != ["x", "timesteps"]:
        raise RequestError(
            "--part step",
            found=f"a {task.kind} network with the inputs {', '.join(names)}",
            expected="a diffusion network with the inputs x and timesteps",
            remedy="leave --part out",
        )
    if not 0.0 <= eta <= 1.0:
        raise RequestError(
            f"--eta {eta:g}",
            found=f"{eta:g}",
            expected="a number from 0, which adds no noise, to 1",
            remedy="use --eta 0",
        )
    process = notes.process(task.notes)
    schedule = process.schedule
    table = coefficients(process, eta if kind == "ddim" else None)
    module = Step(
        network,
        Tables(torch.tensor(table, dtype=torch.float32)),
        Back(implicit=kind == "ddim", learned=process.variance == "learned range"),
    )
    x = task.inputs[0]
    time = Port(
        "timesteps", "tensor", "int32", (1,), value_range=(0.0, float(schedule.steps - 1)),
        meaning=f"steps left to go, {schedule.steps - 1} down to 0",
    )  # fmt: skip
    noise = replace(x, name="noise", meaning="standard normal values", value_range=())
    out = replace(x, name="x_before", meaning="x_t one step nearer to the picture", value_range=())
    return module.eval(), replace(task, inputs=(x, time, noise), outputs=(out,))
