"""A runtime in a process of its own: started, asked, ended."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import torch

from lading import errors
from lading.base.progress import silent
from lading.errors import LadingError, ProgramError, unforeseen
from lading.job.request import is_module
from lading.job.timing.opening import TORCH, Timed
from lading.job.timing.worker import Here

#: Runs the worker with this process's modules, and nothing of the environment's.
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from lading.job.timing.worker import main; main()"
)
#: What libraries read their number of threads from.
_COUNTS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


class Apart:
    """See `worker.Here`, whose methods are asked by name."""

    def __init__(self, timed: Timed) -> None:
        paths = json.dumps([one or str(Path.cwd()) for one in sys.path])
        counts = dict.fromkeys(_COUNTS, str(timed.threads))
        self.timed = timed
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", _START, paths], env={**os.environ, **counts},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        quiet = replace(timed, request=replace(timed.request, progress=silent))
        self._send(quiet)

    def ask(self, name: str, **arguments: Any) -> dict[str, Any]:
        """What a method of `worker.Here` gives.

        Raises:
            LadingError: its own, or the process died of it.
        """
        self._send((name, arguments))
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.endswith(b"\n"):
            raise self._died()
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise _error(answer["error"])
        return answer

    def _send(self, message: Any) -> None:
        assert self._process.stdin is not None
        try:
            pickle.dump(message, self._process.stdin)
            self._process.stdin.flush()
        except OSError as error:
            raise self._died() from error

    def _died(self) -> ProgramError:
        self._process.kill()
        status = self._process.wait()
        number = -status
        how = signal.Signals(number).name if number in set(signal.Signals) else f"status {status}"
        return ProgramError(
            self.timed.path,
            found=f"the process that ran it died ({how})",
            expected="a file that runs in the memory of this computer",
            remedy="leave its runtime out with --runtime, or free memory",
        )

    def end(self) -> None:
        """The process ends."""
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process.kill()
        self._process.wait()


class Within:
    """The same in this process, for a network that lives here alone; its memory is not known apart
    from the rest."""

    def __init__(self, timed: Timed) -> None:
        self.timed = timed
        self._here = Here(timed)
        self._threads = torch.get_num_threads()

    def ask(self, name: str, **arguments: Any) -> dict[str, Any]:
        """See `Apart.ask`."""
        if name == "memory":
            return {"memory": None, "before": None}
        try:
            answer: dict[str, Any] = getattr(self._here, name)(**arguments)
        except LadingError:
            raise
        except Exception as error:  # the code of anybody's network
            raise unforeseen(error) from error
        return answer

    def end(self) -> None:
        """Threads are as many as before."""
        torch.set_num_threads(self._threads)


class Processes:
    """Those of several rows; all end with the block."""

    def __init__(self) -> None:
        self._started: list[Apart | Within] = []

    def start(self, timed: Timed) -> Apart | Within:
        """One more: in this process only where what is timed cannot leave it."""
        lives = timed.runtime == TORCH and (
            is_module(timed.checkpoint) or callable(timed.request.model)
        )
        sent = timed if lives else _sendable(timed)
        self._started.append(Within(sent) if lives else Apart(sent))
        return self._started[-1]

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for one in self._started:
            one.end()


def _sendable(timed: Timed) -> Timed:
    """Of an artifact without what only the original is had by: that may be code that lives here."""
    if timed.runtime == TORCH:
        return timed
    bare = type(timed.request)(str(timed.artifact))
    return replace(timed, request=bare, checkpoint=None)


def _error(told: dict[str, str]) -> LadingError:
    named: Any = getattr(errors, told["error"], None)
    kind = named if isinstance(named, type) and issubclass(named, LadingError) else LadingError
    return kind(
        told["subject"], found=told["found"], expected=told["expected"], remedy=told["remedy"]
    )
