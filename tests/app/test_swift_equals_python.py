"""What packages compute in Swift is what lading computes in Python, on some hundred seeded cases.

Whole numbers (tokens, labels, words of noise, steps) are the same to the bit; others agree within
1e-6 of the largest. Tiles, which Python does not have, are held against nnU-Net's formulas, written
out here, and scipy's filter.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from lading.errors import InputError, RequestError
from lading.network.families.keyboard_layout.alphabet import CHARACTERS
from lading.record import Port
from lading.task import finish, pictures, prepare
from lading.task.diffusion import noise, samplers
from lading.task.diffusion.schedule import Schedule
from lading.task.text import Vocabulary
from tests.swift import harness

pytestmark = harness.needs_swift

Array = npt.NDArray[Any]
Case = tuple[dict[str, Any], dict[str, Any]]
NEAR = 1e-6


def numbers(values: Array) -> dict[str, Any]:
    kept = np.ascontiguousarray(values)
    return {"shape": list(kept.shape), "base64": base64.b64encode(kept.tobytes()).decode()}


def array(entry: dict[str, Any], dtype: str) -> Array:
    flat = np.frombuffer(base64.b64decode(entry["base64"]), dtype=dtype)
    return flat.reshape(entry["shape"])


def floats(values: Any) -> Array:
    return np.asarray(values, dtype=np.float32)


def port(shape: tuple[int, ...], **more: Any) -> Port:
    return Port("image", "tensor", "float32", shape, **more)


# -------------------------------------------------------------------------------- pictures, texts
def of_pictures(rng: np.random.Generator) -> list[Case]:
    cases: list[Case] = []
    sizes = [(1, 1), (1, 9), (7, 5), (33, 64), (64, 33), (50, 50)]
    for height, width in sizes:
        for down, across in sizes:
            x = floats(rng.uniform(0, 255, (2, height, width)))
            y = pictures.resample(x, (down, across))
            cases.append(
                (
                    {"kind": "resample", "x": numbers(x), "size": [down, across]},
                    {"floats": {"y": y}},
                )
            )
    zscored, bounded = {"meaning": "normalised"}, {"meaning": "normalised", "value_range": (-1, 1)}
    for shape in [(1, 1, 5, 7), (2, 3, 40, 31), (1, 1, 1, 1)]:
        x = floats(rng.integers(0, 256, shape))
        for plane in (x, np.full_like(x, 7.0)):
            y = prepare.levels(plane, port(shape, **zscored))
            cases.append(({"kind": "zscore", "x": numbers(plane)}, {"floats": {"y": y}}))
        y = prepare.levels(x, port(shape, **bounded))
        cases.append(
            ({"kind": "rescaled", "x": numbers(x), "low": -1, "high": 1}, {"floats": {"y": y}})
        )
    x = floats([[[[-3.0, 0.5, 1.5, 254.5, 255.5, 300.0]]]])
    image = Port("image", "image", "float32", x.shape, color="grayscale")
    cases.append(({"kind": "pixels", "x": numbers(x)}, {"floats": {"y": prepare.levels(x, image)}}))
    colours = rng.integers(0, 256, (3, 11, 13)).astype(np.uint8)
    grey = np.asarray(Image.fromarray(colours.transpose(1, 2, 0)).convert("L"), dtype=np.float32)
    cases.append(({"kind": "grey", "x": numbers(floats(colours))}, {"floats": {"y": grey[None]}}))
    signed = floats(rng.uniform(-1.3, 1.3, (1, 1, 6, 6)))
    signed[0, 0, 0, :3] = np.nan, 1.0, -1.0
    shown = floats(np.asarray(pictures.signed(signed[0])))[None, None]
    cases.append(({"kind": "signed", "x": numbers(signed)}, {"floats": {"y": shown}}))
    return cases


def of_labels(rng: np.random.Generator) -> list[Case]:
    cases: list[Case] = []
    for shape in [(1, 3, 6, 5), (2, 4), (1, 2, 3, 4, 5), (1, 9), (3, 1, 2)]:
        x = floats(rng.normal(0, 3, shape))
        flat = x.reshape(-1)
        flat[rng.integers(0, flat.size, 3)] = np.nan, np.inf, -np.inf
        x[..., 0] = 1.5  # ties
        order = list(rng.permutation(shape[1]) + 1)
        scores = port(shape, meaning="logits", class_axis=1)
        present = finish.present(x.astype(np.float64), scores)
        expected = {
            "whole": {
                "y": finish.likeliest(x.astype(np.float64), 1),
                "painted": finish.painted(present, 1, order),
            },
            "doubles": {
                "softmax": finish.activated(x.astype(np.float64), "softmax"),
                "sigmoid": finish.activated(x.astype(np.float64), "sigmoid"),
            },
        }
        cases.append(
            ({"kind": "labels", "x": numbers(x), "regions": [int(n) for n in order], "low": 0},
             expected)
        )  # fmt: skip
    return cases


def of_texts(rng: np.random.Generator) -> list[Case]:
    words = Vocabulary(CHARACTERS, 20)
    texts = ["", "?", "ghbdtn", "e\u0301e", "\U0001f600a", "\r\nb", "ﬁ", "ф" * 30, "\ufffda"]
    texts += [CHARACTERS[i : i + 20] for i in range(0, len(CHARACTERS), 20)]
    known = [*CHARACTERS, "€", "ß", "\u0000"]
    texts += ["".join(rng.choice(known, rng.integers(1, 40))) for _ in range(20)]
    cases: list[Case] = []
    for text in texts:
        expected: dict[str, Any] = {"whole": {"y": np.array(words.encode(text))}}
        try:
            words.require_known(text)
        except InputError:
            expected["error"] = True
        told = {"kind": "text", "characters": CHARACTERS, "length": 20, "text": text}
        cases.append((told, expected))
    return cases


# -------------------------------------------------------------------------------------- diffusion
def of_schedules() -> list[Case]:
    cases: list[Case] = []
    for name in ("linear", "cosine"):
        for trained in (50, 1000, 4000):
            for respacing in ("", "1", "2", "25", "50", "10,10,20", "ddim25", "ddim50", "49", "x",
                              "0", "5000", "ddim33", "3,,3"):  # fmt: skip
                cases.append(_schedule(name, trained, respacing, rescaled=trained == 4000))
    return cases


def _schedule(name: str, trained: int, respacing: str, *, rescaled: bool) -> Case:
    told = {
        "kind": "schedule", "schedule": name, "trained": trained, "respacing": respacing,
        "rescaled": rescaled, "eta": 0.7,
    }  # fmt: skip
    try:
        table = Schedule.of(name, trained, respacing, rescaled=rescaled)
    except RequestError:
        return told, {"error": True}
    doubles = {
        "betas": table.betas,
        "kept": table.kept,
        "before": table.before,
        "times": np.array([float(table.timestep(i)) for i in range(table.steps)]),
        "low": table.posterior_log_variance,
        "large": table.large_log_variance,
        "picture": table.posterior_of_picture,
        "now": table.posterior_of_now,
        "deviation": samplers.deviation(table, 0.7),
    }
    return told, {"doubles": doubles, "whole": {"timesteps": table.timesteps}}


def of_noise(rng: np.random.Generator) -> list[Case]:
    seeds = [0, 1, 2**32, 2**64 - 1, *(int(n) for n in rng.integers(0, 2**63, 12))]
    cases: list[Case] = []
    for number, seed in enumerate(seeds):
        picture, draw = (2**32 - 1, 2**32 - 1) if number == 3 else (number, 3 * number)
        count = 1 + 37 * number
        told = {
            "kind": "noise", "seed": str(seed), "picture": picture, "draw": draw, "length": count,
        }  # fmt: skip
        y = noise.normal(seed, picture, draw, (count,))
        cases.append((told, {"bits": {"y": y}}))
    return cases


def formula(learned: bool) -> Any:
    """What the Swift driver's `Formula` gives."""

    def model(x: Array, t: Array) -> Array:
        first = np.float32(0.3) * x - np.float32(0.0007) * np.float32(t.flat[0])
        return np.concatenate([first, np.float32(0.5) * x], axis=1) if learned else first

    return model


def of_walks(rng: np.random.Generator) -> list[Case]:
    cases: list[Case] = []
    shape = (1, 2, 5, 3)
    ways = [("ddpm", 0.0), ("ddim", 0.0), ("ddim", 0.6), ("repaint", 0.0)]
    number = 0
    for sampler, eta in ways:
        for variance in ("learned range", "fixed small", "fixed large"):
            for gives in ("noise", "picture"):
                number += 1
                name, trained = (("linear", 1000), ("cosine", 4000))[number % 2]
                respacing = ("20", "ddim25", "7,5")[number % 3]
                known = floats(rng.uniform(-1, 1, shape))
                mask = floats(rng.integers(0, 2, (1, 1, 5, 3)))
                clip = number % 5 != 0
                schedule = Schedule.of(name, trained, respacing, rescaled=trained == 4000)
                process = samplers.Process(schedule, gives, variance, clip)  # type: ignore[arg-type]
                chosen: Any = {
                    "ddpm": samplers.DDPM(),
                    "ddim": samplers.DDIM(eta),
                    "repaint": samplers.RePaint(known, mask, 3, 2),
                }[sampler]
                steps = list(
                    samplers.walk(formula(variance == "learned range"), process, chosen, shape,
                                  number, 1)
                )  # fmt: skip
                told = {
                    "kind": "walk", "schedule": name, "trained": trained, "respacing": respacing,
                    "rescaled": trained == 4000, "sampler": sampler, "eta": eta, "answer": gives,
                    "variance": variance, "clip": clip, "seed": str(number), "picture": 1,
                    "size": list(shape), "known": numbers(known), "mask": numbers(mask),
                    "jump": 3, "repeats": 2,
                }  # fmt: skip
                whole = {"moves": np.array([len(steps)])}
                cases.append((told, {"floats": {"y": steps[-1].x}, "whole": whole}))
    return cases


# ------------------------------------------------------------------------------------------ tiles
def starts(length: int, tile: int, step: float) -> list[int]:
    """nnU-Net v2, `compute_steps_for_sliding_window`, for one axis."""
    count = int(np.ceil((length - tile) / (tile * step))) + 1
    stride = (length - tile) / (count - 1) if count > 1 else 99999999999
    return [int(np.round(stride * i)) for i in range(count)]


def gaussian(tile: tuple[int, int]) -> Array:
    """nnU-Net v2, `compute_gaussian`, its largest value 1."""
    spike = np.zeros(tile)
    spike[tile[0] // 2, tile[1] // 2] = 1
    made = gaussian_filter(spike, [n / 8 for n in tile], order=0, mode="constant", cval=0)
    made /= made.max()
    made[made == 0] = made[made != 0].min()
    return np.asarray(made, dtype=np.float32)


def classes(x: Array) -> Array:
    """What the Swift driver's `classes` gives."""
    across = np.float32(0.01) * np.arange(x.shape[3], dtype=np.float32)
    return np.concatenate([np.float32(s) * x + across for s in (-1, 0, 1)], axis=1)


def mirrored(x: Array, axes: list[int]) -> Array:
    ways = [[a for i, a in enumerate(axes) if bits >> i & 1] for bits in range(1 << len(axes))]
    turned = [np.flip(classes(np.flip(x, [a + 2 for a in w])), [a + 2 for a in w]) for w in ways]
    return np.asarray(np.mean(turned, axis=0, dtype=np.float64), dtype=np.float32)


def sliding(x: Array, tile: tuple[int, int], step: float, axes: list[int]) -> Array:
    """nnU-Net v2's sliding window over scores, in float64; what is too small is padded evenly."""
    lack = [max(t - n, 0) for t, n in zip(tile, x.shape[2:], strict=True)]
    pads = [(n // 2, n - n // 2) for n in lack]
    wide = np.pad(x, [(0, 0), (0, 0), *pads])
    total, weight = np.zeros((1, 3, *wide.shape[2:])), np.zeros(wide.shape[2:])
    share = gaussian(tile).astype(np.float64)
    for top in starts(wide.shape[2], tile[0], step):
        for left in starts(wide.shape[3], tile[1], step):
            at = (slice(top, top + tile[0]), slice(left, left + tile[1]))
            here = (slice(None), slice(None), *at)
            total[here] += mirrored(wide[here], axes) * share
            weight[at] += share
    scores = total / weight
    (top, _), (left, _) = pads
    return floats(scores[:, :, top : top + x.shape[2], left : left + x.shape[3]])


def of_tiles(rng: np.random.Generator) -> list[Case]:
    cases: list[Case] = []
    for length in (8, 16, 17, 31, 64, 100, 161):
        for step in (0.5, 0.3, 1.0):
            told = {"kind": "starts", "length": length, "size": [16], "low": step}
            cases.append((told, {"whole": {"y": np.array(starts(max(length, 16), 16, step))}}))
    for tile in ((16, 16), (32, 24), (7, 9)):
        told = {"kind": "gaussian", "size": list(tile)}
        cases.append((told, {"floats": {"y": gaussian(tile)}}))
    for size in ((5, 7), (16, 16), (17, 40), (33, 29)):
        for axes in ([], [0], [0, 1]):
            x = floats(rng.normal(0, 1, (1, 1, *size)))
            told = {"kind": "tiles", "x": numbers(x), "tile": [16, 16], "low": 0.5, "axes": axes}
            cases.append((told, {"floats": {"y": sliding(x, (16, 16), 0.5, axes)}}))
    return cases


def of_whole_pictures(rng: np.random.Generator) -> list[Case]:
    cases: list[Case] = []
    for height, width in ((24, 20), (11, 47), (60, 33)):
        for axes in ([], [0, 1]):
            levels = floats(rng.integers(0, 256, (1, height, width)))
            small = pictures.resample(levels, (24, 20))
            fed = prepare.levels(small[None], port((1, 1, 24, 20), meaning="normalised"))
            scores = mirrored(fed, axes) if axes else classes(fed)
            own = scores[0]
            if (height, width) != (24, 20):
                own = pictures.resample(scores[0], (height, width))
            labels = finish.likeliest(own.astype(np.float64), 0)
            told = {"kind": "segment", "x": numbers(levels), "size": [24, 20], "axes": axes}
            areas = np.bincount(labels.ravel(), minlength=3)
            cases.append((told, {"whole": {"y": labels, "areas": areas}}))
    return cases


def of_halves(rng: np.random.Generator) -> list[Case]:
    bits = rng.integers(0, 2**32, 3000, dtype=np.uint32)
    edges = [0.0, -0.0, np.inf, -np.inf, 65519.9, 65520.0, 2.0**-24, 2.0**-25, 2.0**-14, 2047.5]
    x = np.concatenate([bits.view(np.float32), floats(edges), floats(rng.normal(0, 9, 3000))])
    x = x[~np.isnan(x)]
    with np.errstate(over="ignore"):
        y = x.astype(np.float16).astype(np.float32)
    return [({"kind": "half", "x": numbers(x)}, {"bits": {"y": y}})]


# -------------------------------------------------------------------------------------- the tests
@pytest.fixture(scope="module")
def solved(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Case, dict[str, Any]]]:
    """Every case with what Swift makes of it: one program, run once."""
    rng = np.random.Generator(np.random.Philox(key=20))
    cases = [
        *of_pictures(rng), *of_labels(rng), *of_texts(rng), *of_schedules(), *of_noise(rng),
        *of_walks(rng), *of_tiles(rng), *of_whole_pictures(rng), *of_halves(rng),
    ]  # fmt: skip
    place = tmp_path_factory.mktemp("driver")
    sources = [*harness.support(), Path(harness.HERE / "driver.swift")]
    program = harness.built(sources, place / "driver")
    answers = json.loads(harness.ran(program, given=json.dumps([told for told, _ in cases])))
    return list(zip(cases, answers, strict=True))


def test_there_are_some_hundred(solved: list[tuple[Case, dict[str, Any]]]) -> None:
    kinds = {told["kind"] for (told, _), _ in solved}
    assert len(solved) > 250
    assert len(kinds) == 16


def test_whole_numbers_are_the_same(solved: list[tuple[Case, dict[str, Any]]]) -> None:
    for (told, expected), answer in solved:
        for name, values in expected.get("whole", {}).items():
            found = array(answer["whole"][name], "<i4")
            np.testing.assert_array_equal(found, np.asarray(values), err_msg=shown(told))
        for name, values in expected.get("bits", {}).items():
            found = array(answer["floats"][name], "<u4")
            np.testing.assert_array_equal(found, values.view(np.uint32), err_msg=shown(told))


def test_other_numbers_are_near(solved: list[tuple[Case, dict[str, Any]]]) -> None:
    worst: dict[str, float] = {}
    for (told, expected), answer in solved:
        for group, dtype in (("floats", "<f4"), ("doubles", "<f8")):
            for name, values in expected.get(group, {}).items():
                found = array(answer[group][name], dtype).astype(np.float64)
                kept = np.asarray(values, dtype=np.float64)
                assert found.shape == kept.shape, shown(told)
                known = np.isfinite(kept)
                np.testing.assert_array_equal(found[~known], kept[~known], err_msg=shown(told))
                size = max(1.0, np.abs(kept[known]).max(initial=0.0))
                off = np.abs(found - kept)[known].max(initial=0.0) / size
                worst[told["kind"]] = max(worst.get(told["kind"], 0.0), float(off))
                assert off <= NEAR, (shown(told), name, off)
    print("Swift and Python, worst difference of the largest:", worst)
    assert len(worst) > 8


def test_what_one_refuses_the_other_refuses(solved: list[tuple[Case, dict[str, Any]]]) -> None:
    refused = 0
    for (told, expected), answer in solved:
        assert bool(answer.get("error")) == bool(expected.get("error")), (shown(told), answer)
        refused += bool(expected.get("error"))
    assert refused > 10


def shown(told: dict[str, Any]) -> str:
    return json.dumps({k: v for k, v in told.items() if not isinstance(v, dict)})[:300]
