"""Probes are the same everywhere, and every one is what it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lading.errors import InputError
from lading.interface import Interface, Options, Sizes
from lading.proof.probes import make
from lading.record import Port
from lading.task import probes
from lading.task.probes import Probe, files_in, fits
from tests.toys import interface

PICTURE = Options(image="grayscale", bake=("zscore",))
#: SHA-256 of the probes' bytes as they were first drawn: the same on every computer.
GOLD = {
    "noise-0": "85b1f986233c7bfa67f50655ac12f3abfdc6173825faaeefe0e985d9164260a9",
    "noise-1": "0733d2ccb4a823c68c6bf994270345552bb73973cb14a3b63799af6977c1eb0c",
    "shapes-2": "1e3d184229e7ddafb650f328f026591e0d26f19c8f5c6fe170d25143d1df1d7c",
    "stripes-3": "90369171ad444e5b4de2dd3d6577a5541de01a0a840a80c5e05b0100fdb9ee56",
    "extremes-4": "9de64fe2e062556ec56f449a4c8051dc450fb02f49ddf3d21780ff8ca3d0f7cc",
    "zeros-5": "95e38d2ce64787d8ea191562b6c9cdd334d0ad0d3a7ef480737dee6dc8c3dd57",
}
GOLD_PICTURE = {
    "noise-0": "a1aeb5b1a5ee008eb353b356aec7423e632dce6f5d72b78efa1af4c278b42225",
    "noise-1": "62218161f372b3d4ba2754488f844db434e33e9526a7ee6da205f8b7baa80680",
    "shapes-2": "a168e7c7960576f489b32730dc3df40971af6282da90a82bdfbc5823d3c65dd9",
    "stripes-3": "41dc1b2c07f2a11c6a0e18a9b087bccb5651b1140defaa29c08229d1fe9da297",
    "extremes-4": "9d491c3767c1c4b0b548b1cf0e1cb9acd12bb3986f1648a0cd58790c5d574ff0",
    "zeros-5": "95e38d2ce64787d8ea191562b6c9cdd334d0ad0d3a7ef480737dee6dc8c3dd57",
}


def by_name(made: list[Probe]) -> dict[str, Probe]:
    assert len({probe.name for probe in made}) == len(made)
    return {probe.name: probe for probe in made}


def image(probe: Probe) -> Any:
    return probe.inputs["image"]


# ------------------------------------------------------------------------------------ the standing
def test_the_same_bytes_everywhere() -> None:
    assert {p.name: p.record().sha256 for p in make(interface())} == GOLD
    assert {p.name: p.record().sha256 for p in make(interface(PICTURE))} == GOLD_PICTURE


def test_a_record_says_where_it_comes_from() -> None:
    record = make(interface())[2].record()
    assert (record.name, record.kind, record.source) == ("shapes-2", "shapes", "Philox key 2")


def test_a_digest_knows_names_dtypes_shapes_and_values() -> None:
    x = np.arange(6, dtype=np.float32)
    inputs = [{"x": x}, {"y": x}, {"x": x.reshape(2, 3)}, {"x": x.view(np.int32)}, {"x": x + 1}]
    assert len({Probe("p", "k", "s", one).record().sha256 for one in inputs}) == len(inputs)
    turned = np.arange(6, dtype=np.float32).reshape(2, 3).T
    straight = np.ascontiguousarray(turned)
    digests = {Probe("p", "k", "s", {"x": a}).record().sha256 for a in (turned, straight)}
    assert len(digests) == 1


def test_normalised_values() -> None:
    made = by_name(make(interface()))
    for probe in made.values():
        assert image(probe).dtype == np.float32
        assert image(probe).shape == (1, 1, 16, 16)
        assert probe.varied is (probe.name != "zeros-5")
    assert abs(image(made["noise-0"]).mean()) < 0.3
    assert not np.array_equal(image(made["noise-0"]), image(made["noise-1"]))
    assert set(np.unique(image(made["extremes-4"]))) == set(probes.NORMALISED_RANGE)
    for name in ("shapes-2", "stripes-3"):  # z-scored pictures
        assert image(made[name]).mean() == pytest.approx(0, abs=1e-5)
        assert image(made[name]).std() == pytest.approx(1, abs=1e-5)
    assert not image(made["zeros-5"]).any()


@pytest.mark.parametrize("options", [PICTURE, Options(bake=("zscore",))])
def test_pictures_are_whole_numbers_from_0_to_255(options: Options) -> None:
    for probe in make(interface(options)):
        values = image(probe)
        assert (values == np.rint(values)).all()
        assert values.min() >= 0
        assert values.max() <= 255
    made = by_name(make(interface(options)))
    assert set(np.unique(image(made["extremes-4"]))) == {0, 255}
    assert len(np.unique(image(made["noise-0"]))) > 100


def test_values_of_a_known_range_stay_in_it() -> None:
    plain = interface()
    port = replace(plain.inputs[0], value_range=(-1.0, 1.0))
    made = make(replace(plain, inputs=(port,)))
    for probe in made:
        assert image(probe).min() >= -1
        assert image(probe).max() <= 1
    assert set(np.unique(image(by_name(made)["extremes-4"]))) == {-1, 1}


def test_whole_numbers_for_tokens() -> None:
    port = Port("text", "tensor", "int32", (1, 20), meaning="token ids", value_range=(0.0, 188.0))
    plain = interface()
    for probe in make(replace(plain, inputs=(port,))):
        ids = probe.inputs["text"]
        assert ids.dtype == np.int32
        assert ids.min() >= 0
        assert ids.max() <= 188


@pytest.mark.parametrize("shape", [(1, 2, 8), (1, 1, 6, 6, 6)])
def test_other_ranks_are_drawn_too(shape: tuple[int, ...]) -> None:
    port = replace(interface().inputs[0], shape=shape, multiples=())
    made = make(replace(interface(), inputs=(port,)))
    assert {image(probe).shape for probe in made} == {shape}


# ------------------------------------------------------------------------------------ other shapes
def shapes_of(one: Interface) -> list[tuple[int, ...]]:
    return [image(probe).shape for probe in make(one)[6:]]


def test_every_listed_shape_is_tried() -> None:
    options = Options(sizes=Sizes(listed=((16, 16), (24, 32), (8, 8))))
    assert shapes_of(interface(options)) == [(1, 1, 24, 32), (1, 1, 8, 8)]


def test_every_size_of_a_range_at_which_the_network_runs_is_tried() -> None:
    options = Options(sizes=Sizes(ranges=((8, 32), (16, 16))))
    heights = [height for height in range(8, 33, 2) if height != 16]
    assert shapes_of(interface(options)) == [(1, 1, height, 16) for height in heights]


def test_open_axes_are_tried() -> None:
    assert shapes_of(interface(Options(dynamic=("batch", "size")))) == [
        (2, 1, 16, 16),
        (1, 1, 18, 18),
    ]


def test_the_samples_of_a_batch_differ() -> None:
    batch = image(make(interface(Options(dynamic=("batch",))))[6])
    assert not np.array_equal(batch[0], batch[1])


@pytest.mark.parametrize(
    ("port", "shape", "expected"),
    [
        ({}, (1, 1, 16, 16), True),
        ({}, (1, 1, 16, 18), False),
        ({}, (2, 1, 16, 16), False),
        ({"enumerated": ((1, 1, 16, 16), (1, 1, 8, 8))}, (1, 1, 8, 8), True),
        ({"enumerated": ((1, 1, 16, 16), (1, 1, 8, 8))}, (1, 1, 8, 16), False),
        ({"ranges": ((1, 1), (1, 1), (8, 32), (8, 32))}, (1, 1, 8, 32), True),
        ({"ranges": ((1, 1), (1, 1), (8, 32), (8, 32))}, (1, 1, 8, 34), False),
        ({"ranges": ((1, 1), (1, 1), (8, 32), (8, 32))}, (1, 1, 8, 15), False),
        ({"ranges": ((1, 1), (1, 1), (8, 32), (8, 32))}, (2, 1, 8, 16), False),
        ({"ranges": ((1, 1), (1, 1), (8, 32), (8, 32))}, (1, 8, 16), False),
        ({"ranges": ((1, 9), (1, 1), (8, 32), (8, 32)), "multiples": ()}, (2, 1, 9, 9), True),
    ],
)
def test_fits(port: dict[str, Any], shape: tuple[int, ...], expected: bool) -> None:
    probe = Probe("p", "k", "s", {"image": np.zeros(shape, np.float32)})
    assert fits(probe, [replace(interface().inputs[0], **port)]) is expected


# -------------------------------------------------------------------------------- the user's files
def test_the_users_pictures_become_probes(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    np.save(tmp_path / "b.npy", np.random.default_rng(1).uniform(-9, 300, (24, 20)))
    (tmp_path / "notes.txt").touch()
    files = files_in(tmp_path)
    assert [path.name for path in files] == ["a.png", "b.npy"]
    assert files_in(tmp_path / "a.png") == [tmp_path / "a.png"]
    a, b = make(interface(PICTURE), files)[6:]
    assert (a.name, a.kind, a.source) == ("a.png", "data", "a.png")
    assert np.array_equal(image(a)[0, 0], pixels)
    assert image(b).shape == (1, 1, 16, 16)  # resampled: a pixel buffer holds whole numbers
    assert np.array_equal(image(b), np.rint(image(b)))
    assert image(b).min() >= 0
    assert image(b).max() <= 255
    assert make(interface(), files)[6].inputs["image"].mean() == pytest.approx(0, abs=1e-5)


def test_files_that_cannot_be_probes(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        files_in(tmp_path / "nowhere")
    assert caught.value.found == "no such folder"
    with pytest.raises(InputError) as caught:
        files_in(tmp_path)
    assert caught.value.found == "no picture or array in it"
    (tmp_path / "a.png").write_text("no picture")
    with pytest.raises(InputError):
        make(interface(), files_in(tmp_path))
    port = replace(interface().inputs[0], shape=(1, 20))
    with pytest.raises(InputError) as caught:
        make(replace(interface(), inputs=(port,)), [tmp_path / "a.png"])
    assert caught.value.remedy == "leave --data out: this network takes no pictures"
