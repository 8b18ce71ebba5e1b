"""A diffusion network in some runtime, as the samplers call it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lading.errors import InputError, RequestError
from lading.record import Port, Task

Array = npt.NDArray[Any]
#: Named inputs to named outputs, as a side runs them.
Run = Callable[[Mapping[str, Array]], Mapping[str, Array]]


def in_order(ports: Sequence[Port], wanted: Sequence[Port]) -> tuple[Port, ...]:
    """An artifact's ports in the order of the network's: by name, else by place."""
    by_name = {port.name: port for port in ports}
    return tuple(by_name.get(port.name, ports[place]) for place, port in enumerate(wanted))


class Denoiser:
    """A diffusion network in some runtime, as the samplers call it: `denoiser(x, t) -> array`.

    Attributes:
        run: the network by its ports.
        task: what it is for.
        ports: in the task's order, with the runtime's names and dtypes.
        title: of the runtime, for people.
        shape: of x, [1, C, *].
        precision: ``"fp32"`` or ``"fp16"``.
        assumed: decisive hyper-parameters that nothing but an assumption backs, as text.
        calls: how often it was called.
    """

    def __init__(
        self,
        run: Run,
        task: Task,
        ports: Sequence[Port],
        *,
        title: str = "the network",
        precision: str = "fp32",
        assumed: tuple[str, ...] = (),
    ) -> None:
        self.run, self.task, self.ports, self.title = run, task, tuple(ports), title
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
                    remedy="call it from Python: lading.task.diffusion.samplers.walk",
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
        times = np.asarray(t, dtype=np.float64)
        whole = self.time.dtype.startswith("int")
        if times.min() < 0 or times.max() > self.last or (whole and (times % 1).any()):
            raise InputError(
                f"the time step for {self.title}",
                found=f"{times.ravel()[0]:g}",
                expected=f"{'a whole number' if whole else 'a number'} from 0 to {self.last:g}",
                remedy="use a schedule of the number of steps that the network was trained with",
            )
        fed = {
            self.x.name: x.astype(self.x.dtype),
            self.time.name: times.astype(self.time.dtype).reshape(self.time.shape),
            **self.extra,
        }
        self.calls += 1
        answer = next(iter(self.run(fed).values()))
        return np.asarray(answer, dtype=np.float32)
