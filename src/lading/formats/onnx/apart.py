"""ONNX Runtime in a process of its own: a file that ends it ends no more than that."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from lading.errors import ProgramError
from lading.formats.onnx import worker
from lading.formats.onnx.worker import Session, Value

#: Runs `worker` as a program with this process's modules, and nothing of the environment's.
_START = (
    "import json, runpy, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "runpy.run_path(sys.argv[2], run_name='__main__')"
)


class Apart:
    """See `worker.Here`. The process is started at the first call and ends with this object.

    Args:
        path: of the file that it is started for, for errors.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.threads = path, 0
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        #: what was asked and not read yet: see `begin`
        self._begun: Mapping[str, Any] | None = None

    def begin(self, source: str) -> None:
        """Opens a file's session in the background; `open` waits for it."""
        with self._lock:
            process = self._process or self._started()
            assert process.stdin is not None
            self._begun = self._opening(source, fused=True)
            with suppress(OSError):  # whoever opens it hears of it
                worker.send(process.stdin, self._begun)

    def _opening(self, path: str, *, fused: bool) -> dict[str, Any]:
        return {"do": "open", "path": path, "fused": fused, "threads": self.threads}

    def open(self, source: str | bytes, *, fused: bool) -> Session:
        """See `worker.Here.open`.

        Raises:
            ProgramError: ONNX Runtime died of it.
            RuntimeError: it refused it.
        """
        text, parts = (source, []) if isinstance(source, str) else ("", [source])
        told, _ = self._asked(self._opening(text, fused=fused), parts)

        def run(fed: Mapping[str, Any]) -> list[Any]:
            values, raw = worker.packed(list(fed.values()))
            asked = {"do": "run", "session": told["session"], "names": list(fed), "values": values}
            answer, made = self._asked(asked, raw)
            return worker.unpacked(answer["values"], made)

        inputs, outputs = ([Value(*one) for one in told[n]] for n in ("inputs", "outputs"))
        return Session(tuple(inputs), tuple(outputs), run)

    def raised(self, model: bytes, opset: int) -> bytes:
        """See `worker.Here.raised`, and `open` for errors."""
        return self._asked({"do": "raise", "opset": opset}, [model])[1][0]

    def profiled(
        self, source: str | bytes, fed: Mapping[str, Any], calls: int
    ) -> tuple[float, list[tuple[str, str, float, float]]]:
        """See `worker.Here.profiled`, and `open` for errors."""
        text, parts = (source, []) if isinstance(source, str) else ("", [source])
        values, raw = worker.packed(list(fed.values()))
        asked = {"do": "profile", "path": text, "names": list(fed), "values": values,
                 "threads": self.threads, "calls": calls}  # fmt: skip
        told, _ = self._asked(asked, [*parts, *raw])
        return told["whole"], [tuple(row) for row in told["rows"]]

    def inferred(self, model: bytes) -> bytes:
        """See `worker.Here.inferred`, and `open` for errors."""
        return self._asked({"do": "infer"}, [model])[1][0]

    def _asked(
        self, header: Mapping[str, Any], parts: Sequence[Any]
    ) -> tuple[dict[str, Any], list[bytes]]:
        with self._lock:
            process = self._process or self._started()
            try:
                assert process.stdin is not None
                assert process.stdout is not None
                begun, self._begun = self._begun, None
                if begun is not None and begun != header:
                    worker.receive(process.stdout)
                if begun is None or begun != header:
                    worker.send(process.stdin, header, parts)
                told, made = worker.receive(process.stdout)
            except (EOFError, OSError, ValueError) as error:
                raise self._died(process) from error
        if "error" in told:
            raise RuntimeError(told["error"])
        return told, made

    def _started(self) -> subprocess.Popen[bytes]:
        arguments = [_START, json.dumps([one for one in sys.path if one]), worker.__file__]
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        return self._process

    def _died(self, process: subprocess.Popen[bytes]) -> ProgramError:
        process.kill()
        status = process.wait()
        self._close(process)
        number = -status
        how = signal.Signals(number).name if number in set(signal.Signals) else f"status {status}"
        return ProgramError(
            str(self.path),
            found=f"ONNX Runtime died of it ({how})",
            expected="a model that it runs, or refuses",
            remedy="do not use this file; ask where it comes from",
        )

    def _close(self, process: subprocess.Popen[bytes]) -> None:
        for stream in (process.stdin, process.stdout):
            try:
                if stream is not None:
                    stream.close()
            except OSError:
                pass  # what was left to write has no reader any more

    def __del__(self) -> None:
        if self._process is not None:
            if self._begun is not None:
                self._process.kill()  # nobody waits for what it does
            self._close(self._process)  # it ends when it has nothing more to read
            self._process.wait()
