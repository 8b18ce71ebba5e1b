"""Noise: the published words, exact functions, and the values that the documentation promises."""

import math
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lading.errors import RequestError
from lading.task.diffusion import noise

#: Random123's file `tests/kat_vectors`, lines "philox4x32 10": counter, key, output.
KNOWN = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000",
     "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff",
     "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0",
     "d16cfe09 94fdcceb 5001e420 24126ea1"),
]  # fmt: skip


def words(text):
    return tuple(int(word, 16) for word in text.split())


@pytest.mark.parametrize(("counter", "key", "output"), KNOWN)
def test_the_published_answers(counter, key, output):
    assert tuple(int(w) for w in noise.philox(words(counter), words(key))) == words(output)


def test_a_counter_of_arrays_gives_what_single_ones_give():
    many = noise.philox((np.arange(5, dtype=np.uint64), 7, 8, 9), (1, 2))
    for block in range(5):
        assert [int(w[block]) for w in many] == [
            int(w) for w in noise.philox((block, 7, 8, 9), (1, 2))
        ]


def test_the_logarithm_is_within_three_units_of_the_last_place():
    uniform = np.random.default_rng(0).random(100_000) + 2.0**-33
    x = np.concatenate([uniform, [2.0**-32, 0.5, 0.7071067811865475, 0.7071067811865477, 1.0]])
    there = np.log(x)  # itself within one unit
    units = np.abs(noise.log(x) - there) / np.spacing(np.maximum(np.abs(there), 2.0**-1022))
    assert units.max() <= 3.0


def test_sine_and_cosine_at_every_eighth_and_between():
    drawn = np.random.default_rng(1).integers(0, 1 << 32, 50_000, dtype=np.uint64)
    edges = np.array([0, 1, (1 << 29) - 1, 1 << 29, 1 << 30, 3 << 29, 1 << 31, (1 << 32) - 1])
    word = np.concatenate([drawn, edges.astype(np.uint64)])
    cosine, sine = noise.circle(word)
    # The angle in float64 is off by up to half a unit at 2π, 4.4e-16; so is its cosine.
    angle = word.astype(np.float64) * 2.0**-32 * noise.TURN
    assert np.abs(cosine - np.cos(angle)).max() < 1e-15
    assert np.abs(sine - np.sin(angle)).max() < 1e-15
    exact = noise.circle(np.array([0, 1 << 30, 1 << 31, 3 << 30], dtype=np.uint64))
    assert [c.tolist() for c in exact] == [[1, 0, -1, 0], [0, 1, 0, -1]]


def test_it_is_normal():
    """Moments and quantiles of 400,000 values; each bound is four standard errors."""
    z = noise.normal(20, 0, 3, (400_000,)).astype(np.float64)
    n = len(z)
    assert abs(z.mean()) < 4 / math.sqrt(n)
    assert abs(z.var() - 1) < 4 * math.sqrt(2 / n)
    assert abs((z**3).mean()) < 4 * math.sqrt(15 / n)
    assert abs((z**4).mean() - 3) < 4 * math.sqrt(96 / n)
    for bound in (-2.0, -0.5, 0.0, 1.0, 3.0):
        share = 0.5 * math.erfc(-bound / math.sqrt(2))
        assert abs((z < bound).mean() - share) < 4 * math.sqrt(share * (1 - share) / n)


@pytest.mark.parametrize("other", [(21, 0, 3), (20, 1, 3), (20, 0, 4), (20 + (1 << 32), 0, 3)])
def test_seed_picture_and_draw_each_give_other_numbers(other):
    a, b = noise.normal(20, 0, 3, (10_000,)), noise.normal(*other, (10_000,))
    assert not (a == b).any()
    assert abs(np.corrcoef(a, b)[0, 1]) < 4 / math.sqrt(10_000)


def test_a_shorter_array_is_the_beginning_of_a_longer():
    long = noise.normal(3, 1, 4, (1, 3, 5, 7)).ravel()
    for count in (0, 1, 2, 3, 4, 5, 104):
        assert noise.normal(3, 1, 4, (count,)).tobytes() == long[:count].tobytes()


def test_it_is_float32_rounded_once_from_float64():
    first = noise.philox((0, 0, 0, 0), (1, 0))
    radius = math.sqrt(-2 * math.log(float(Fraction(int(first[0]) + 1, 1 << 32))))
    angle = 2 * math.pi * int(first[1]) / (1 << 32)
    z = noise.normal(1, 0, 0, (2,))
    assert z.dtype == np.float32
    assert z.tolist() == [
        np.float32(radius * math.cos(angle)),
        np.float32(radius * math.sin(angle)),
    ]


def test_the_documentation_shows_these_numbers():
    """docs/sampling.md promises test vectors to whoever writes it again in Swift."""
    text = (Path(__file__).parents[3] / "docs" / "sampling.md").read_text()
    rows = re.findall(r"^\| (\d+) \| (\d+) \| (\d+) \| `([0-9a-f ]{35})` \|$", text, re.M)
    assert len(rows) >= 4
    for seed, picture, draw, bits in rows:
        z = noise.normal(int(seed), int(picture), int(draw), (4,))
        assert " ".join(f"{int(v):08x}" for v in z.view(np.uint32)) == bits


@pytest.mark.parametrize(
    ("seed", "picture", "draw"), [(-1, 0, 0), (1 << 64, 0, 0), (0, -1, 0), (0, 0, 1 << 32)]
)
def test_numbers_out_of_range(seed, picture, draw):
    with pytest.raises(RequestError) as caught:
        noise.normal(seed, picture, draw, (1,))
    assert "a whole number from 0 below 2^" in caught.value.expected
