"""One source of noise for every runtime and every language: the same seed, the same bits.

Numbers come from a counter, not from a state: value n of draw d of picture p under seed s is a
function of (s, p, d, n) alone, so that runtimes, languages and resumed runs agree without talking
to each other. Words are Philox4x32-10; pairs of them become normal values by Box and Muller's
transform. Its logarithm, sine and cosine are computed here from additions, multiplications,
divisions and square roots in float64, which IEEE 754 defines to the last bit; a mathematical
library's own functions differ from computer to computer. `docs/sampling.md` has the same in Swift,
with test vectors.

Sources: J. K. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011, section 4.3;
G. E. P. Box, M. E. Muller, "A note on the generation of random normal deviates", Annals of
Mathematical Statistics 29 (1958).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from lading.errors import RequestError

Words = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float64]

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10
LOW = 0xFFFFFFFF

LN2 = 0.6931471805599453
#: 2π, of which a turn of the circle is a fraction
TURN = 6.283185307179586
#: Terms of each series: enough that the next one is below half a unit of float64's last place.
LOG_TERMS, SINE_TERMS = 11, 9


def philox(counter: tuple[Words | int, ...], key: tuple[int, int]) -> tuple[Words, ...]:
    """Philox4x32-10: four words of 32 bits from a counter of four and a key of two.

    Words are held in uint64 arrays, which broadcast against each other. Source: Salmon 2011,
    section 4.3, with the constants given there.

    >>> [f"{int(word):08x}" for word in philox((0, 0, 0, 0), (0, 0))]
    ['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']
    """
    c0, c1, c2, c3 = (np.asarray(word, dtype=np.uint64) for word in counter)
    k0, k1 = key
    low, half = np.uint64(LOW), np.uint64(32)
    for _ in range(ROUNDS):
        first, second = c0 * np.uint64(MULTIPLIERS[0]), c2 * np.uint64(MULTIPLIERS[1])
        c0, c1, c2, c3 = (
            (second >> half) ^ c1 ^ np.uint64(k0),
            second & low,
            (first >> half) ^ c3 ^ np.uint64(k1),
            first & low,
        )
        k0, k1 = (k0 + WEYL[0]) & LOW, (k1 + WEYL[1]) & LOW
    return c0, c1, c2, c3


def normal(seed: int, picture: int, draw: int, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Standard normal values, float32 of `shape`, the same on every computer.

    The key is the seed (its low word first); the counter is (block, draw, picture, 0). Block b
    gives the values 4b to 4b + 3, in C order of `shape`.

    Args:
        seed: 0 to 2⁶⁴ - 1.
        picture: which of the pictures of one seed, 0 to 2³² - 1.
        draw: which drawing of that picture's trajectory, 0 to 2³² - 1; 0 is where it starts.
        shape: of the values.

    Raises:
        RequestError: a number is out of its range.

    >>> normal(1, 0, 0, (3,)).tolist() == normal(1, 0, 0, (2, 2)).ravel()[:3].tolist()
    True
    """
    for name, value, bits in (("seed", seed, 64), ("picture", picture, 32), ("draw", draw, 32)):
        if not 0 <= value < 1 << bits:
            raise RequestError(
                f"{name} {value} of the noise",
                found=str(value),
                expected=f"a whole number from 0 below 2^{bits}",
                remedy=f"choose another {name}",
            )
    count = math.prod(shape)
    blocks = np.arange(-(-count // 4), dtype=np.uint64)
    words = philox((blocks, draw, picture, 0), (seed & LOW, seed >> 32))
    values = np.stack([*_pair(words[0], words[1]), *_pair(words[2], words[3])], axis=-1)
    return values.reshape(-1)[:count].reshape(shape).astype(np.float32)


def _pair(first: Words, second: Words) -> tuple[Floats, Floats]:
    """Two independent normal values per pair of words (Box and Muller 1958).

    The first word gives the radius from (word + 1) / 2³², which is never 0; the second the angle
    from word / 2³².
    """
    uniform = (first.astype(np.float64) + 1.0) * 2.0**-32
    radius = np.sqrt(-2.0 * log(uniform))
    cosine, sine = circle(second)
    return radius * cosine, radius * sine


def log(x: Floats) -> Floats:
    """The natural logarithm of positive float64 values, by exactly defined operations alone.

    x = m · 2ᵉ with m from √½ to √2; log m = 2 artanh s at s = (m - 1) / (m + 1), as a series in s²
    from its last term to its first. Within 3 units of the last place, see the tests.
    """
    mantissa, exponent = np.frexp(x)  # exact: bits are taken apart; mantissa 0.5 to 1
    small = mantissa < 0.7071067811865476
    mantissa = np.where(small, mantissa * 2.0, mantissa)
    exponent = np.where(small, exponent - 1, exponent).astype(np.float64)
    s = (mantissa - 1.0) / (mantissa + 1.0)
    square = s * s
    total = np.zeros_like(s)
    for term in range(LOG_TERMS - 1, 0, -1):
        total = (total + 1.0 / (2 * term + 1)) * square
    return exponent * LN2 + 2.0 * (s + s * total)


def circle(word: Words) -> tuple[Floats, Floats]:
    """Cosine and sine of `word` / 2³² of a turn, by exactly defined operations alone.

    The nearest eighth-turn boundary is taken off exactly, in whole numbers: what is left is at
    most an eighth of a turn either way from a quarter turn, where Taylor's series are short.
    """
    eighth = np.uint64(1 << 29)
    quadrant = ((word + eighth) >> np.uint64(30)) & np.uint64(3)
    rest = word.astype(np.int64) - (((word + eighth) >> np.uint64(30)) << np.uint64(30)).astype(
        np.int64
    )
    angle = rest.astype(np.float64) * 2.0**-32 * TURN
    square = angle * angle
    cosine, sine = np.zeros_like(angle), np.zeros_like(angle)
    for term in range(SINE_TERMS - 1, 0, -1):
        cosine = (1.0 + cosine) * square * (-1.0 / ((2 * term) * (2 * term - 1)))
        sine = (1.0 + sine) * square * (-1.0 / ((2 * term + 1) * (2 * term)))
    cosine, sine = 1.0 + cosine, angle * (1.0 + sine)
    turned = quadrant % np.uint64(2) == 1
    back = quadrant >= 2
    along, across = np.where(turned, -sine, cosine), np.where(turned, cosine, sine)
    return np.where(back, -along, along), np.where(back, -across, across)
