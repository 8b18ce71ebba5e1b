"""Safetensors."""

from __future__ import annotations

from tests.fuzz.checkpoints import inspected, safe
from tests.fuzz.headers import HEADER
from tests.fuzz.kind import Kind
from tests.fuzz.mutate import PLAIN

KIND = Kind("safetensors", "model.safetensors", safe, (*PLAIN, *HEADER), inspected)
