"""The process that one runtime is timed in: it opens, calls, and answers in lines of JSON."""

from __future__ import annotations

import json
import os
import pickle
import sys
from typing import IO, Any

import torch

from lading.coreml.system import System
from lading.errors import LadingError, ProgramError, unforeseen
from lading.formats import runtimes
from lading.interface.side import Side, Watched
from lading.job.timing import memory, turns
from lading.job.timing.opening import TORCH, Timed, opened
from lading.record import to_json


class Here:
    """What is timed, in this process."""

    def __init__(self, timed: Timed) -> None:
        self.timed = timed
        self._side: Side | None = None
        self._before: int | None = None

    def open(self) -> dict[str, Any]:
        """Opens it; the threads that it then computes with."""
        torch.set_num_threads(self.timed.threads)
        self._before = memory.now()
        memory.begin()
        self._side = opened(self.timed)
        own = self.timed.runtime != TORCH and runtimes()[self.timed.runtime].own
        threads = torch.get_num_threads() if self._side.in_torch else self.timed.threads
        return {"threads": 0 if own else threads}

    def warm(self, calls: int) -> dict[str, Any]:
        """Calls it so often."""
        for _ in range(calls):
            self._call()
        return {}

    def turn(self, seconds: float) -> dict[str, Any]:
        """One turn; see `turns.turn`."""
        done = turns.turn(self._call, seconds)
        return {"seconds": list(done.seconds), "cpu": done.cpu}

    def memory(self) -> dict[str, Any]:
        """Bytes at the peak, and before it was opened."""
        return {"memory": memory.peak(), "before": self._before}

    def profile(self, calls: int) -> dict[str, Any]:
        """Seconds of a watched call and its parts; of Core ML, which shows none, its plan.

        Raises:
            LadingError: it shows neither.
        """
        side: Any = self._side
        if isinstance(side, System):
            return {"whole": 0.0, "parts": [], "plan": to_json(side.placed())}
        if not isinstance(side, Watched):
            raise ProgramError(
                self.timed.path, found="this runtime shows no times inside",
                expected="one that does", remedy="leave --profile out",
            )  # fmt: skip
        whole, parts = side.spent(self.timed.inputs, calls)
        return {"whole": whole, "parts": to_json(parts), "plan": []}

    def _call(self) -> None:
        assert self._side is not None
        self._side.run(self.timed.inputs)


def serve(given: IO[bytes], gives: IO[bytes]) -> None:
    """Answers until the other side is gone: its first message is what is timed, each one after
    that a method of `Here` with its arguments."""
    try:
        here = Here(pickle.load(given))  # of the process that started this one
        while True:
            name, arguments = pickle.load(given)
            try:
                answer = getattr(here, name)(**arguments)
            except Exception as error:  # of many kinds: files and code of anybody's
                told = error if isinstance(error, LadingError) else unforeseen(error)
                answer = {"error": told.as_dict()}
            gives.write(json.dumps(answer).encode() + b"\n")
            gives.flush()
    except EOFError:
        return


def main() -> None:
    """As a program, over the standard streams."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    serve(sys.stdin.buffer, answers)
