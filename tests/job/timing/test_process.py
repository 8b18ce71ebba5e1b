"""A runtime in a process of its own: its threads, its errors, its end."""

from __future__ import annotations

import io
import json
import os
import pickle
import signal
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lading.errors import ProgramError
from lading.formats.onnx.worker import Here as Runtime
from lading.job.request import Bench
from lading.job.timing.opening import TORCH, Timed
from lading.job.timing.process import Apart, Processes, Within
from lading.job.timing.worker import Here, serve
from tests.toys import interface

X = {"image": np.zeros((1, 1, 16, 16), np.float32)}


@pytest.fixture
def onnx(files: dict[str, Path]) -> Path:
    return files["onnx"]


def timed(path: Path, runtime: str = "onnxruntime", threads: int = 1) -> Timed:
    return Timed(Bench(str(path)), None, path, runtime, "", X, threads)


def test_it_opens_calls_and_ends(onnx: Path) -> None:
    one = Apart(timed(onnx))
    try:
        assert one.ask("open") == {"threads": 1}
        assert one.ask("warm", calls=2) == {}
        turn = one.ask("turn", seconds=0)
        assert len(turn["seconds"]) == 1
        weighed = one.ask("memory")
        assert weighed["memory"] > weighed["before"] > 0
    finally:
        one.end()
    assert one._process.poll() is not None


def test_an_error_of_the_process_is_the_same_error_here(onnx: Path, tmp_path: Path) -> None:
    broken = tmp_path / "net.onnx"
    broken.write_bytes(onnx.read_bytes()[:100])
    with Processes() as processes:
        one = processes.start(timed(broken))
        with pytest.raises(ProgramError) as caught:
            one.ask("open")
        assert str(broken) in caught.value.subject


def test_a_process_that_dies_is_one_error(onnx: Path) -> None:
    with Processes() as processes:
        one = processes.start(timed(onnx))
        assert isinstance(one, Apart)
        one.ask("open")
        os.kill(one._process.pid, signal.SIGKILL)
        one._process.wait()
        with pytest.raises(ProgramError) as caught:
            one.ask("turn", seconds=0)
        assert caught.value.found == "the process that ran it died (SIGKILL)"


def test_torch_computes_with_so_many_threads(onnx: Path) -> None:
    module, before = interface().module, torch.get_num_threads()
    request = Bench(module, input=[torch.zeros(1, 1, 16, 16)])
    with Processes() as processes:
        one = processes.start(Timed(request, module, None, TORCH, "", X, 3))
        assert isinstance(one, Within)  # a live module cannot leave this process
        assert one.ask("open") == {"threads": 3}
        assert torch.get_num_threads() == 3
        assert len(one.ask("turn", seconds=0)["seconds"]) == 1
        assert one.ask("memory") == {"memory": None, "before": None}
    assert torch.get_num_threads() == before


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
def test_onnx_runtime_works_with_so_many_threads(onnx: Path) -> None:
    def started(threads: int) -> int:
        before = len([*Path("/proc/self/task").iterdir()])
        runtime = Runtime()
        runtime.threads = threads
        session = runtime.open(str(onnx), fused=True)
        session.run(X)
        return len([*Path("/proc/self/task").iterdir()]) - before

    started(1)  # what is started once a process
    assert started(1) == 0
    assert started(4) == 3  # the calling thread is one of them


def test_the_worker_answers_line_by_line(onnx: Path) -> None:
    asked = [replace(timed(onnx), threads=torch.get_num_threads()), ("open", {}), ("nothing", {})]
    given = io.BytesIO(b"".join(pickle.dumps(one) for one in asked))
    gives = io.BytesIO()
    serve(given, gives)
    opened, refused = map(json.loads, gives.getvalue().splitlines())
    assert opened == {"threads": torch.get_num_threads()}
    assert set(refused["error"]) == {"error", "subject", "found", "expected", "remedy"}


def test_a_side_in_torch_says_its_threads(files: dict[str, Path]) -> None:
    path, before = files["coreml"], torch.get_num_threads()
    try:
        assert Here(timed(path, "mil", 2)).open() == {"threads": 2}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
