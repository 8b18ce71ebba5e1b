"""``lading inspect`` of an artifact: its parts, folded where they are many."""

from __future__ import annotations

import pytest

from lading.cli.commands import console
from lading.cli.terminal import timing
from lading.record.bench import Cost

WHOLE = Cost("net.onnx", 10, 0, 20, 30, 4)


def part(name: str, macs: int = 2_000, unknown: int = 0) -> Cost:
    return Cost(name, macs, unknown, 5, 20, 1)


def shown(
    many: list[Cost], capsys: pytest.CaptureFixture[str], *, whole: bool = False, cost: Cost = WHOLE
) -> list[str]:
    timing.parts(console(), cost, many, whole=whole)
    return capsys.readouterr().out.splitlines()


def test_few_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown([part("net.stem"), part("net.head", 0), Cost("", 0, 0, 0, 0, 3)], capsys)
    assert [line.split()[0] for line in lines] == ["part", "net.stem", "net.head", "all"]
    assert lines[1].split()[1:] == ["2.00", "k", "5", "20", "B"]
    assert lines[2].split()[1:] == ["5", "20", "B"]


def test_many_are_folded_to_the_modules_around_them(capsys: pytest.CaptureFixture[str]) -> None:
    many = [part(f"net.{side}.{n}") for side in ("down", "up") for n in range(20)]
    lines = shown(many, capsys)
    assert [line.split()[0] for line in lines[1:3]] == ["net.down", "net.up"]
    assert lines[1].split()[1:] == ["40.0", "k", "100", "400", "B"]
    assert lines[-1] == "   of 40 parts: --tensors or --json"
    assert len(shown(many, capsys, whole=True)) == 42


def test_many_without_a_path_are_the_largest(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown([part(f"op{n}", 1000 * n) for n in range(40)], capsys)
    assert lines[1].split()[0] == "op39"
    assert len(lines) == timing.FOLDED + 3


def test_what_is_not_known_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    cost = Cost("net.mlmodel", 0, 1, 5, 20, 1)
    lines = shown([part("conv", 0, 1)], capsys, cost=cost)
    assert "not known" in lines[1]
    assert lines[-1] == "  operations whose sizes the file leaves open: 1; see lading bench"
