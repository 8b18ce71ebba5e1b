"""Where walks part, as a picture: for a folder of samples; the page draws its own from records."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw, ImageFont

from lading.proof.trajectory.parting import HIGHEST, Parting

INK, FAINT, PAPER, LINE = (20, 22, 26), (96, 102, 112), (255, 255, 255), (222, 226, 232)
#: One colour per walk, apart for colour-blind readers too (Okabe and Ito, 2008).
COLOURS = ((0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167))
SIZE, LEFT, RIGHT, TOP, BOTTOM = (760, 360), 64, 24, 64, 56


def chart(parting: Parting, gates: Mapping[str, float] | None = None) -> Image.Image:
    """dB of every walk's x beside the reference's, move by move; gates as dashed lines.

    Args:
        parting: what was walked.
        gates: dB that the last picture has to reach, by the walk's name.
    """
    page = Image.new("RGB", SIZE, PAPER)
    pen = ImageDraw.Draw(page)
    small, plain = ImageFont.load_default(12), ImageFont.load_default(13)
    pen.text((16, 14), f"Same noise, move by move, beside {parting.reference}", INK, _font(16))
    wanted = dict(gates or {})
    values = [v for one in parting.walks for v in one.psnr if math.isfinite(v)]
    low = min([20.0, *values, *wanted.values()])
    low = math.floor(low / 20) * 20.0
    high = min(HIGHEST, math.ceil(max([60.0, *values, *wanted.values()]) / 20) * 20.0)
    moves = len(parting.told)

    def at(move: float, value: float) -> tuple[float, float]:
        across = (SIZE[0] - LEFT - RIGHT) * (move - 1) / max(moves - 1, 1)
        share = (min(max(value, low), high) - low) / (high - low)
        return LEFT + across, SIZE[1] - BOTTOM - share * (SIZE[1] - TOP - BOTTOM)

    for level in range(int(low), int(high) + 1, 20):
        _, y = at(1, level)
        pen.line([(LEFT, y), (SIZE[0] - RIGHT, y)], LINE)
        pen.text((16, y - 8), f"{level:3d} dB", FAINT, small)
    for move in _ticks(moves):
        x, y = at(move, low)
        pen.line([(x, y), (x, y + 4)], FAINT)
        told = parting.told[move - 1]
        text = f"{move}" if told is None else f"{move}: t {told:g}"
        pen.text((min(x, SIZE[0] - RIGHT - 56), y + 8), text, FAINT, small)
    pen.text((LEFT, SIZE[1] - 24), "move: what the network was told", FAINT, small)
    across = LEFT
    for number, one in enumerate(parting.walks):
        colour = COLOURS[number % len(COLOURS)]
        points = [at(move, min(value, high)) for move, value in enumerate(one.psnr, start=1)]
        if one.name in wanted:
            _dashed(pen, at(1, wanted[one.name]), at(moves, wanted[one.name]), colour)
        pen.line(points if len(points) > 1 else points * 2, colour, 2)
        if one.parts:
            x, y = points[one.parts - 1]
            pen.ellipse([x - 4, y - 4, x + 4, y + 4], PAPER, colour, 2)
        end = "equal" if one.psnr[-1] == math.inf else f"{one.psnr[-1]:.1f} dB"
        label = f"{one.name}: {end} at the end"
        pen.text((across, 40), label, colour, plain)
        across += int(pen.textlength(label, plain)) + 24
    return page


def _ticks(moves: int) -> Sequence[int]:
    """Five moves at most, first and last among them."""
    count = min(moves, 5)
    return sorted({1 + round(i * (moves - 1) / max(count - 1, 1)) for i in range(count)})


def _dashed(
    pen: ImageDraw.ImageDraw,
    start: tuple[float, float],
    end: tuple[float, float],
    colour: tuple[int, int, int],
) -> None:
    x, y = start
    while x < end[0]:
        pen.line([(x, y), (min(x + 5, end[0]), y)], colour)
        x += 11


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
