"""A few dozen almost-right files of every kind of artifact, of what is fed and of what is recorded;
`python -m tests.fuzz` tries thousands."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.fuzz import protobuf
from tests.fuzz.artifacts import graphs
from tests.fuzz.kind import all_kinds
from tests.fuzz.kinds import artifacts, inputs, records
from tests.fuzz.run import fuzz

KINDS = [one.name for module in (artifacts, inputs, records) for one in module.KIND]


@pytest.mark.parametrize("name", KINDS)
def test_none_is_bad(name: str, tmp_path: Path) -> None:
    count = fuzz(all_kinds()[name], seed=0, until=40, minutes=5, state=tmp_path)
    assert count.total == 40
    assert not count.bad


def test_a_message_is_its_fields() -> None:
    for raw in graphs():
        fields = protobuf.parsed(raw)
        assert fields
        assert protobuf.written(fields) == raw
    assert protobuf.parsed(b"\x0a\x05ab") is None
    assert protobuf.parsed(b"\x00") is None


def test_the_same_seed_makes_the_same_message() -> None:
    raw = graphs()[0]
    made = [[protobuf.message(Random(n), raw) for n in range(50)] for _ in range(2)]
    assert made[0] == made[1]
    assert len(set(made[0])) > 40
