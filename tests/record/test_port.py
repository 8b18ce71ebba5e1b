"""What a port takes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lading.record import Port

X = Port("x", "tensor", "float32", (1, 8), multiples=(1, 4))


@pytest.mark.parametrize(
    ("port", "allowed", "refused"),
    [
        (X, [(1, 8)], [(1, 7), (2, 8), (8,), (1, 1, 8)]),
        (replace(X, shape=(-1, -1)), [(1, 8), (9, 4)], [(1, 7), (1,)]),
        (replace(X, enumerated=((1, 8), (1, 2))), [(1, 8), (1, 2)], [(1, 4)]),
        (replace(X, ranges=((1, 1), (2, -1)), multiples=()), [(1, 2), (1, 999)], [(1, 1), (2, 2)]),
        (
            replace(X, ranges=((1, 2), (4, 12)), multiples=(1, 4)),
            [(2, 12)],
            [(1, 6), (1, 16), (3, 8)],
        ),
    ],
)
def test_the_shapes_that_a_port_takes(
    port: Port, allowed: list[tuple[int, ...]], refused: list[tuple[int, ...]]
) -> None:
    assert [shape for shape in (*allowed, *refused) if port.allows(shape)] == allowed
