"""What a file says of itself, by its outermost fields."""

from __future__ import annotations

from pathlib import Path

import pytest
from coremltools.proto import Model_pb2
from hypothesis import given
from hypothesis import strategies as st

from lading.coreml.mil.description import kind, specification

TYPES = [field.name for field in Model_pb2.Model.DESCRIPTOR.oneofs_by_name["Type"].fields]


@pytest.mark.parametrize("name", TYPES)
def test_the_type_without_parsing(tmp_path: Path, name: str) -> None:
    spec = Model_pb2.Model(specificationVersion=2**31 - 1)
    spec.description.metadata.userDefined["a"] = "x" * 300
    getattr(spec, name).SetInParent()
    path = tmp_path / "a.mlmodel"
    path.write_bytes(spec.SerializeToString())
    assert kind(path) == specification(path).WhichOneof("Type") == name


@given(st.binary(max_size=64), st.integers(0, 64))
def test_it_is_what_a_parser_finds_and_no_bytes_stop_it(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, cut: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.mlmodel"
    path.write_bytes(data)
    try:
        found = Model_pb2.Model.FromString(data).WhichOneof("Type") or ""
    except Exception:
        found = None
    assert kind(path) == found if found is not None else kind(path) in ("", *TYPES)
