"""Artifacts: Core ML's files and ONNX's."""

from __future__ import annotations

from tests.fuzz import coreml
from tests.fuzz.artifacts import graphs, looked_at
from tests.fuzz.headers import SIDES
from tests.fuzz.kind import Kind
from tests.fuzz.mutate import PLAIN
from tests.fuzz.protobuf import in_messages

MESSAGES = in_messages(".mlmodel")
KIND = (
    Kind("onnx", "net.onnx", graphs, (*PLAIN, *MESSAGES), looked_at),
    Kind("mlpackage", "net.mlpackage", coreml.programs, (*PLAIN, *MESSAGES, *SIDES[:4]), looked_at),
    Kind("mlmodel", "net.mlmodel", coreml.networks, (*PLAIN, *MESSAGES), looked_at),
    Kind("mlmodelc", "net.mlmodelc", coreml.compiled, (*PLAIN, *SIDES), looked_at),
)
