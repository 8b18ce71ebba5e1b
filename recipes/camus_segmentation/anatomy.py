"""The heart of a phantom: where each structure lies and how strongly it scatters.

Lengths are in units of the imaging depth: the probe is at ``(x, y) = (0, 0)``, y points away from
it and the deepest echo comes from a distance of 1. The left ventricle has its own frame: ``u`` runs
along its long axis from the apex (0) to the plane of the mitral valve (1), ``v`` across it, to the
right of the picture, in units of depth.

The outline of the ventricle is a bullet: a superellipse from the apex to its widest place, from
there a parabola that narrows towards the valve. Everything else is ellipses and thin curves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: values of a label map, as in the CAMUS data set's two structures
BACKGROUND, LEFT_VENTRICLE, MYOCARDIUM = 0, 1, 2


@dataclass(frozen=True)
class Bullet:
    """Half width of a bullet-shaped outline over `u`.

    Attributes:
        start: `u` of the tip.
        widest: `u` where the outline is widest.
        width: half width there.
        base: half width at ``u = 1``.
        roundness: exponent of the superellipse; 2 is an ellipse, more is blunter.
    """

    start: float
    widest: float
    width: float
    base: float
    roundness: float

    def half_width(self, u: Floats) -> Floats:
        """Half width at each `u`, float64 of the same shape; 0 before the tip."""
        # Powers are dear and the outline depends on u alone: tabulated finely, then looked up.
        knots = np.linspace(self.start, 1.2, 600)
        before = np.clip((self.widest - knots) / (self.widest - self.start), 0.0, 1.0)
        after = np.clip((knots - self.widest) / (1.0 - self.widest), 0.0, 1.0)
        rounded = (1.0 - before**self.roundness) ** (1.0 / self.roundness)
        table = self.width * rounded - (self.width - self.base) * after**2
        return np.interp(u, knots, table, left=0.0)


@dataclass(frozen=True)
class Ellipse:
    """An ellipse in the ventricle's frame, axes along `u` and `v`."""

    u: float
    v: float
    along: float
    across: float

    def level(self, u: Floats, v: Floats) -> Floats:
        """Distance from the centre in radii: 1 on the outline."""
        level: Floats = np.hypot((u - self.u) / self.along, (v - self.v) / self.across)
        return level


@dataclass(frozen=True)
class Heart:
    """One heart in one position. `septal` is the left side of the picture, `lateral` the right."""

    apex: tuple[float, float]
    tilt: float
    length: float
    bend: float
    ripple: tuple[float, float, float]
    septal: tuple[Bullet, Bullet]
    lateral: tuple[Bullet, Bullet]
    right_ventricle: Bullet
    right_wall: float
    left_atrium: Ellipse
    right_atrium: Ellipse
    valve_opening: float
    blood: float
    muscle: float
    surroundings: float
    pericardium: float
    shares: tuple[float, float, float]

    def frame(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """The ventricle's coordinates ``(u, v)`` of points ``(x, y)``, same shapes."""
        dx, dy = x - self.apex[0], y - self.apex[1]
        sin, cos = math.sin(self.tilt), math.cos(self.tilt)
        u = (dx * sin + dy * cos) / self.length
        v = dx * cos - dy * sin
        return u, v - self.bend * 4.0 * u * (1.0 - u)

    def _walls(self, u: Floats, v: Floats) -> tuple[Floats, Floats]:
        """Half widths of the inner and the outer outline on the side where each point lies."""
        amplitude, waves, phase = self.ripple
        ripple = 1.0 + amplitude * np.sin(2.0 * np.pi * waves * u + phase)
        left = v < 0.0
        inner, outer = (
            np.where(left, self.septal[i].half_width(u), self.lateral[i].half_width(u))
            for i in (0, 1)
        )
        return inner * ripple, outer

    def labels(self, x: Floats, y: Floats) -> NDArray[np.uint8]:
        """The label of each point, uint8 of the same shape: 0, 1 (cavity) or 2 (muscle).

        The muscle is a horseshoe: it ends, like the cavity, at the plane of the mitral valve.
        """
        u, v = self.frame(x, y)
        inner, outer = self._walls(u, v)
        labels = np.full(u.shape, BACKGROUND, dtype=np.uint8)
        labels[(np.abs(v) < outer) & (u <= 1.0)] = MYOCARDIUM
        labels[(np.abs(v) < inner) & (u >= 0.0) & (u <= 1.0)] = LEFT_VENTRICLE
        return labels

    def scattering(self, x: Floats, y: Floats) -> Floats:
        """Amplitude that each point scatters back, about 0 (nothing) to 1 (a bright reflector)."""
        u, v = self.frame(x, y)
        inner, outer = self._walls(u, v)
        side = np.abs(v)
        # Outside the heart: lung and fat, brighter to the left of it than behind the lung.
        field = np.where(v > 0.0, 0.7, 1.0) * self.surroundings

        # A smooth surface shines where the beam meets it head on: cosine of that angle.
        radius = np.hypot(x, y) + 1e-9
        for atrium in (self.right_atrium, self.left_atrium):
            level = atrium.level(u, v)
            slope_u = (u - atrium.u) / (atrium.along**2 * self.length)
            slope_v = (v - atrium.v) / atrium.across**2
            slope = np.hypot(slope_u, slope_v) + 1e-9
            sin, cos = math.sin(self.tilt), math.cos(self.tilt)
            facing = (slope_u * sin + slope_v * cos) * x + (slope_u * cos - slope_v * sin) * y
            shine = np.abs(facing) / (slope * radius)
            wall = np.exp(-(((level - 1.15) / 0.11) ** 2))
            field = np.maximum(field, self.pericardium * wall * (0.12 + 0.88 * shine**3))
            field = np.where(level < 1.0, self.blood, field)

        # The right ventricle lies against the septum, its free wall further left.
        septum = self.septal[1].half_width(u)
        free = septum + self.right_ventricle.half_width(u)
        in_reach = (v < 0.0) & (u > self.right_ventricle.start) & (u <= 1.02)
        field = np.where(in_reach & (side < free + self.right_wall), 0.6 * self.muscle, field)
        field = np.where(in_reach & (side < free), 1.1 * self.blood, field)

        # The outer skin of the left ventricle: a thin bright line deep in the lateral wall.
        skin = np.exp(-(((side - outer) / 0.012) ** 2)) * np.clip(1.6 * u - 0.5, 0.0, 1.0)
        field = np.where(
            (v > 0.0) & (u < 1.08), np.maximum(field, 0.8 * self.pericardium * skin), field
        )
        # Muscle scatters unevenly: each side by its own share, the apex (seen through the ringing
        # of the probe, its fibres along the beam) by a third.
        at_apex, at_septum, at_lateral = self.shares
        mixed = at_septum + (at_lateral - at_septum) / (1.0 + np.exp(-np.clip(v / 0.03, -40, 40)))
        mixed = at_apex + (mixed - at_apex) * np.clip(0.15 + 1.6 * u, 0.0, 1.0)
        field = np.where((side < outer) & (u <= 1.0), self.muscle * mixed, field)
        # Its inner face is ragged, so the cavity does not begin at once.
        ragged = 0.6 * self.muscle * mixed * np.exp(-np.clip(inner - side, 0.0, 1.0) / 0.008)
        cavity = (side < inner) & (u >= 0.0) & (u <= 1.0)
        field = np.where(cavity, np.maximum(self.blood, ragged), field)

        # The fibrous ring at both hinges of the mitral valve, and the two leaflets.
        left = -self._ring(self.septal)
        right = self._ring(self.lateral)
        for hinge, size in ((left, 0.034), (right, 0.04)):
            blob = ((v - hinge) / size) ** 2 + ((u - 1.01) * self.length / size) ** 2
            field = np.maximum(field, 0.9 * self.pericardium * np.exp(-blob))
        for hinge, tip in ((left, -1.0), (right, 1.0)):
            distance = self._leaflet(u, v, hinge, tip)
            field = np.maximum(field, 0.55 * self.pericardium * np.exp(-((distance / 0.009) ** 2)))
        return field

    def _ring(self, side: tuple[Bullet, Bullet]) -> float:
        return 0.5 * (side[0].base + side[1].base)

    def _leaflet(self, u: Floats, v: Floats, hinge: float, side: float) -> Floats:
        """Distance to a leaflet: a quadratic curve from its hinge to its free edge."""
        swing = self.valve_opening
        edge = side * (0.012 + 0.55 * abs(hinge) * swing)
        reach = 0.03 + 0.1 * swing
        distance = np.full(u.shape, np.inf)
        near = np.abs(u - 0.9) < 0.3
        v, u = v[near], u[near]
        closest = np.full(u.shape, np.inf)
        for t in np.linspace(0.0, 1.0, 12):
            along = hinge * (1 - t) ** 2 + 1.3 * t * (1 - t) * hinge + edge * t**2
            rise = 1.6 * t * (1 - t) * reach + reach * t**2
            closest = np.minimum(closest, np.hypot(v - along, (u - 1.0) * self.length + rise))
        distance[near] = closest
        return distance


def draw_heart(generator: np.random.Generator, half_angle: float) -> Heart:
    """A heart at random that lies inside a sector of `half_angle` radians.

    Hearts are drawn until the cavity lies wholly inside the sector and so does nine tenths of the
    muscle (a clipped wall is what real sectors show, a clipped cavity is a useless one).
    """
    y, x = np.mgrid[0.0:1.0:96j, -0.8:0.8:128j]
    inside = (np.abs(np.arctan2(x, y)) < half_angle - 0.02) & (np.hypot(x, y) < 0.97)
    while True:
        heart = _propose(generator)
        labels = heart.labels(x, y)
        cavity, muscle = labels == LEFT_VENTRICLE, labels == MYOCARDIUM
        if not (cavity & ~inside).any() and (muscle & inside).sum() >= 0.9 * muscle.sum():
            return heart


def _propose(generator: np.random.Generator) -> Heart:
    def between(low: float, high: float) -> float:
        return float(generator.uniform(low, high))

    length = between(0.44, 0.62)
    width = length * between(0.21, 0.31)
    widest, roundness = between(0.5, 0.72), between(1.8, 2.6)
    thickness, tip = between(0.05, 0.078), between(0.035, 0.06)
    narrowing = between(0.72, 0.95)
    sides = []
    for _ in range(2):
        half, wall = width * between(0.88, 1.12), thickness * between(0.85, 1.15)
        base = half * narrowing
        sides.append(
            (
                Bullet(0.0, widest, half, base, roundness),
                Bullet(
                    -tip / length, widest, half + wall, base + wall * between(0.8, 1), roundness
                ),
            )
        )
    septal, lateral = sides
    atrium = between(0.1, 0.15)
    right = between(0.09, 0.15)
    return Heart(
        apex=(between(-0.05, 0.06), between(0.09, 0.22)),
        tilt=between(-0.1, 0.24),
        length=length,
        bend=between(-0.02, 0.02),
        ripple=(between(0.0, 0.035), between(1.0, 3.0), between(0.0, 6.28)),
        septal=septal,
        lateral=lateral,
        right_ventricle=Bullet(
            between(0.1, 0.35), between(0.75, 0.95), between(0.1, 0.2), between(0.09, 0.16), 1.7
        ),
        right_wall=between(0.02, 0.04),
        left_atrium=Ellipse(
            1.03 + atrium / length * 0.85,
            between(-0.01, 0.03),
            atrium / length,
            between(0.09, 0.13),
        ),
        right_atrium=Ellipse(
            1.05 + right / length * 0.7,
            -(septal[0].base + 0.05 + right * 1.02),
            right / length,
            right * between(0.9, 1.15),
        ),
        valve_opening=between(0.0, 1.0),
        blood=between(0.012, 0.035),
        muscle=between(0.22, 0.4),
        surroundings=between(0.025, 0.09),
        pericardium=between(0.8, 1.4),
        shares=(between(0.25, 0.8), between(0.8, 1.3), between(0.5, 1.1)),
    )
