"""ONNX Runtime behind three calls, here or in a process of its own.

A hostile file can make ONNX Runtime end the process that it runs in. `Here` runs it in this one;
started as a program, this module answers another process over pipes (see `apart`), and imports
nothing of lading for that.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, NamedTuple

import numpy as np

_LENGTH = struct.Struct("<Q")
#: Bytes of a file from which the memory of its values goes back to the system.
LARGE = 1 << 26
#: Whether threads wait for work without letting another process have their core.
_SPINNING = "session.intra_op.allow_spinning"


class Value(NamedTuple):
    """An input or output of a session; `type` as ONNX Runtime spells it: ``"tensor(float)"``."""

    name: str
    type: str
    shape: Sequence[Any]


@dataclass(frozen=True)
class Session:
    """A graph that runs: `run` takes arrays by name and gives those of `outputs`."""

    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    run: Callable[[Mapping[str, Any]], list[Any]]


class Here:
    """ONNX Runtime in this process, for files of which it is known that they are sound.

    Attributes:
        threads: that a session works with, waiting busily and its memory laid out as they are by
            default, so that it may be timed; 0: as ONNX Runtime chooses, no place planned for a
            value before the first call, and of a large file none kept for the next value, which
            takes less memory; none waits busily, as PyTorch has its turn next.
    """

    def __init__(self) -> None:
        self.threads = 0

    def open(self, source: str | bytes, *, fused: bool) -> Session:
        """A file's session, or that of a model's bytes; any exception refuses it."""
        import onnxruntime

        options = self._options(source)
        if not fused:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        names = [one.name for one in session.get_outputs()]
        return Session(
            tuple(Value(one.name, one.type, one.shape) for one in session.get_inputs()),
            tuple(Value(one.name, one.type, one.shape) for one in session.get_outputs()),
            lambda fed: list(session.run(names, dict(fed))),
        )

    def _options(self, source: str | bytes) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors only: they come back as exceptions anyway
        options.intra_op_num_threads = self.threads
        size = len(source) if isinstance(source, bytes) else os.stat(source).st_size  # noqa: PTH116
        options.add_session_config_entry(_SPINNING, str(int(bool(self.threads))))
        options.enable_mem_pattern = bool(self.threads)
        options.enable_cpu_mem_arena = bool(self.threads) or size < LARGE
        return options

    def profiled(
        self, source: str | bytes, fed: Mapping[str, Any], calls: int
    ) -> tuple[float, list[tuple[str, str, float, float]]]:
        """Seconds of a call by ONNX Runtime's own profile, and of each node its name, operation,
        seconds and calls; the mean of so many calls, after one that is not counted."""
        import onnxruntime

        options = self._options(source)
        with tempfile.TemporaryDirectory() as folder:
            options.enable_profiling = True
            options.profile_file_prefix = os.path.join(folder, "profile")  # noqa: PTH118
            providers = ["CPUExecutionProvider"]
            session = onnxruntime.InferenceSession(source, options, providers=providers)
            for _ in range(1 + calls):
                session.run(None, dict(fed))
            with open(session.end_profiling(), encoding="utf-8") as file:  # noqa: PTH123
                events = json.load(file)
        return _summed(events, calls)

    def raised(self, model: bytes, opset: int) -> bytes:
        """A model turned into one of a newer opset by ONNX's own converter.

        Types of inner values, which that leaves blank, are left to the runtime.
        """
        import onnx
        from onnx import version_converter

        old = onnx.load_model_from_string(model)
        _place_axes(old)
        made = version_converter.convert_version(old, opset)
        del made.graph.value_info[:]
        raw: bytes = made.SerializeToString()
        return raw

    def inferred(self, model: bytes) -> bytes:
        """A model with the sizes of its inner values, as far as ONNX's own inference knows them."""
        import onnx

        made = onnx.shape_inference.infer_shapes(onnx.load_model_from_string(model), data_prop=True)
        raw: bytes = made.SerializeToString()
        return raw


def _summed(events: Sequence[Any], calls: int) -> tuple[float, list[tuple[str, str, float, float]]]:
    """The last so many calls of a profile, its times in microseconds; of a node that holds a graph
    its own time alone."""
    runs = sorted(
        (e for e in events if e.get("name") == "model_run"), key=lambda event: event["ts"]
    )[-calls:]
    kernels = [e for e in events if e.get("cat") == "Node" and e["name"].endswith("_kernel_time")]
    nodes = [event for event in kernels if event["ts"] >= runs[0]["ts"]]
    own = {id(event): float(event["dur"]) for event in nodes}
    around: list[Any] = []
    for event in sorted(nodes, key=lambda one: (one["ts"], -one["dur"])):
        while around and event["ts"] + event["dur"] > around[-1]["ts"] + around[-1]["dur"]:
            around.pop()
        if around and event["tid"] == around[-1]["tid"]:
            own[id(around[-1])] -= event["dur"]
        around.append(event)
    found: dict[tuple[str, str], list[float]] = {}
    for event in nodes:
        key = event["name"].removesuffix("_kernel_time"), event["args"]["op_name"]
        found.setdefault(key, []).append(max(own[id(event)], 0.0))
    rows = [(*key, 1e-6 * sum(many) / calls, len(many) / calls) for key, many in found.items()]
    return 1e-6 * sum(run["dur"] for run in runs) / calls, rows


def _place_axes(model: Any) -> None:
    """Says with a shape where operations older than opset 7 say with `axis` which axes of the first
    operand the second one meets.

    Upstream: onnx 1.23's converter adds all new axes at the end and leaves `axis` unread
    (`adapters/broadcast_backward_compatibility.h`), so that a channel's bias is added to the batch.
    `test_what_a_channels_bias_was_added_to` passes without this once it can go.
    """
    from onnx import helper, shape_inference

    typed = shape_inference.infer_shapes(model).graph
    ranks = {
        value.name: len(value.type.tensor_type.shape.dim)
        for value in (*typed.input, *typed.value_info, *typed.output)
        if value.type.tensor_type.HasField("shape")
    } | {one.name: len(one.dims) for one in typed.initializer}
    nodes: list[Any] = []
    for node in model.graph.node:
        told = {attribute.name: attribute.i for attribute in node.attribute}
        if told.get("broadcast") and "axis" in told and len(node.input) == 2:
            first, second = node.input
            if first not in ranks or second not in ranks:
                raise ValueError(
                    f"{node.op_type} {node.output[0]}: nothing says what it adds where"
                )
            axis = told["axis"] % max(ranks[first], 1)
            axes = list(range(ranks[second], ranks[first] - axis))
            kept = [one for one in node.attribute if one.name != "axis"]
            del node.attribute[:]
            node.attribute.extend(kept)
            if axes:
                node.input[1] = f"{second} along {axis} for {node.output[0]}"
                nodes.append(helper.make_node("Unsqueeze", [second], [node.input[1]], axes=axes))
        nodes.append(node)
    copies = [type(node).FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)


# ------------------------------------------------------------------------------------- the pipes
def send(stream: IO[bytes], header: Mapping[str, Any], parts: Sequence[Any] = ()) -> None:
    """Writes one message: a JSON header, and parts that are bytes."""
    sizes = [memoryview(part).nbytes for part in parts]
    text = json.dumps({**header, "sizes": sizes}).encode()
    stream.write(_LENGTH.pack(len(text)) + text)
    for part in parts:
        stream.write(part)
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[dict[str, Any], list[bytes]]:
    """Reads one message.

    Raises:
        EOFError: the other side is gone.
    """
    (length,) = _LENGTH.unpack(_exactly(stream, _LENGTH.size))
    header = json.loads(_exactly(stream, length))
    return header, [_exactly(stream, size) for size in header["sizes"]]


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise EOFError
    return data


def packed(values: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Arrays as what a header says of them and their bytes; texts, and what is no array (a sequence
    or a map), go into the header: None in the latter's place."""
    told: list[Any] = []
    parts: list[Any] = []
    for value in values:
        if not isinstance(value, np.ndarray):
            told.append(None)
        elif value.dtype.kind in "OU":
            told.append({"texts": [str(one) for one in value.ravel()], "shape": value.shape})
        else:
            told.append({"dtype": value.dtype.str, "shape": value.shape})
            parts.append(np.ascontiguousarray(value).reshape(-1).view(np.uint8))
    return told, parts


def unpacked(told: Sequence[Any], parts: Sequence[bytes]) -> list[Any]:
    """The inverse of `packed`."""
    left = iter(parts)
    values: list[Any] = []
    for one in told:
        if one is None:
            values.append(None)
        elif "texts" in one:
            values.append(np.array(one["texts"], object).reshape(one["shape"]))
        else:
            flat = np.frombuffer(bytearray(next(left)), one["dtype"])
            values.append(flat.reshape(one["shape"]))
    return values


def serve(given: IO[bytes], gives: IO[bytes]) -> None:
    """Answers until the other side is gone."""
    sessions: list[Session] = []
    here = Here()

    def answer(asked: dict[str, Any], parts: list[bytes]) -> tuple[dict[str, Any], list[Any]]:
        if asked["do"] == "raise":
            return {}, [here.raised(parts[0], asked["opset"])]
        if asked["do"] == "infer":
            return {}, [here.inferred(parts[0])]
        if asked["do"] == "profile":
            here.threads = asked["threads"]
            own = 0 if asked["path"] else 1
            arrays = unpacked(asked["values"], parts[own:])
            fed = dict(zip(asked["names"], arrays, strict=True))
            whole, rows = here.profiled(asked["path"] or parts[0], fed, asked["calls"])
            return {"whole": whole, "rows": rows}, []
        if asked["do"] == "open":
            here.threads = asked["threads"]
            session = here.open(asked["path"] or parts[0], fused=asked["fused"])
            sessions.append(session)
            told = {"inputs": session.inputs, "outputs": session.outputs}
            return {"session": len(sessions) - 1, **told}, []
        values = unpacked(asked["values"], parts)
        made = sessions[asked["session"]].run(dict(zip(asked["names"], values, strict=True)))
        told_of, raw = packed(made)
        return {"values": told_of}, raw

    while True:
        try:
            asked, parts = receive(given)
        except EOFError:
            return
        try:
            header, raw = answer(asked, parts)
        except Exception as error:  # of ONNX Runtime's own kinds, each is an answer too
            header, raw = {"error": str(error)[:2000] or type(error).__name__}, []
        send(gives, header, raw)


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    serve(sys.stdin.buffer, answers)
