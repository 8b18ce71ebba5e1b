"""Golden vectors: what a user has, what the artifact takes, what the original gives, byte for byte.

The files are read here without lading, as another language would read them.
"""

from __future__ import annotations

import array
import hashlib
import json
import math
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lading import cli
from lading.base import storage
from lading.conversion.capture import capture
from lading.errors import InputError, RequestError
from lading.formats import Artifact
from lading.formats.coreml import FORMAT
from lading.formats.coreml.side import MilSide
from lading.interface import Interface, Options
from lading.interface.settings import Settings
from lading.proof import golden, probes, readings
from lading.proof.golden import make
from lading.proof.original import Original
from lading.record import ArtifactRecord, Port
from tests import toys
from tests.standin import Changed, Fake

TYPES = {"float32": "f", "uint8": "B", "int32": "i"}


def made_of(precision: str, one: Interface) -> tuple[ArtifactRecord, Artifact]:
    artifact = Fake(one, Changed(one), precision)
    return artifact.record, artifact


def original(one: Interface, data: tuple[Path, ...] = ()) -> Original:
    return Original(one, probes.make(one, data))


@pytest.fixture(scope="module")
def out(small_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("golden") / "out"
    assert cli.main(["convert", str(small_checkpoint), "-o", str(folder), "--quiet"]) == 0
    return folder


@pytest.fixture
def copy(out: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(out / "golden", tmp_path / "golden"))


def plain(folder: Path, entry: dict[str, Any]) -> list[float]:
    """An array without numpy and without lading."""
    values = array.array(TYPES[entry["dtype"]])
    values.frombytes((folder / entry["file"]).read_bytes())
    if sys.byteorder == "big":
        values.byteswap()
    assert len(values) == math.prod(entry["shape"])
    return list(values)


# ------------------------------------------------------------------------------ what is in them
def test_every_file_is_in_the_index_with_its_digest(out: Path) -> None:
    folder = out / "golden"
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    entries = [
        entry
        for vector in index["vectors"]
        for group in (
            *(vector[role] for role in ("raw", "inputs", "outputs", "after", "scores")),
            *vector["graphs"].values(),
            vector["graph_scores"],
        )
        for entry in group.values()
    ]
    entries += [axis["values"] for axes in index["channels"].values() for axis in axes]
    assert {p.name for p in folder.iterdir()} == {e["file"] for e in entries} | {"index.json"}
    for entry in entries:
        assert hashlib.sha256((folder / entry["file"]).read_bytes()).hexdigest() == entry["sha256"]
    assert sum(p.stat().st_size for p in folder.iterdir()) <= make.LIMIT
    bill = json.loads((out / "lading.json").read_text(encoding="utf-8"))
    assert index["checkpoint"] == bill["checkpoint"]["sha256"]
    assert {v["name"] for v in index["vectors"]} <= {p["name"] for p in bill["probes"]}


def test_they_are_the_genuine_networks_answers(out: Path, small_network: Any) -> None:
    """nnU-Net's own class fed with the raw picture, z-scored here in plain Python."""
    folder = out / "golden"
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    vector = next(v for v in index["vectors"] if v["kind"] == "shapes")
    levels = plain(folder, vector["raw"]["image"])
    mean = math.fsum(levels) / len(levels)
    spread = math.sqrt(math.fsum((x - mean) ** 2 for x in levels) / len(levels))
    fed = [(x - mean) / spread for x in levels]
    assert fed == pytest.approx(plain(folder, vector["inputs"]["image"]), abs=1e-6)
    x = torch.tensor(fed).reshape(vector["inputs"]["image"]["shape"])
    with torch.no_grad():
        expected = small_network(x)[0]
    got = torch.tensor(plain(folder, vector["outputs"]["logits"])).reshape(expected.shape)
    # fp32 in another summation order, and an input rounded once more; logits are about 5
    torch.testing.assert_close(got, expected, rtol=0, atol=5e-4)
    labels = torch.tensor(plain(folder, vector["after"]["labels"])).reshape(1, 32, 32)
    assert torch.equal(labels, got.argmax(1).to(labels.dtype))


def test_tolerances_have_their_reason_and_a_plain_number(out: Path) -> None:
    index = json.loads((out / "golden" / "index.json").read_text(encoding="utf-8"))
    assert set(index["tolerances"]) == {"fp16", "fp32"}
    for tolerances in index["tolerances"].values():
        assert [(t["output"], t["kind"], t["better"]) for t in tolerances] == [
            ("logits", "psnr", "higher"), ("logits", "label_agreement", "higher")
        ]  # fmt: skip
        assert all(len(t["why"]) > 20 for t in tolerances)
    for vector in index["vectors"]:
        peak = max(map(abs, plain(out / "golden", vector["outputs"]["logits"])))
        for precision in ("fp16", "fp32"):
            psnr = next(t["gate"] for t in index["tolerances"][precision] if t["kind"] == "psnr")
            limit = vector["rms"][precision]["logits"]
            assert 20 * math.log10(peak / limit) == pytest.approx(psnr)


def test_the_users_own_pictures_come_first(tmp_path: Path) -> None:
    from PIL import Image

    pixels = np.random.default_rng(3).integers(0, 256, (16, 16), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "mine.png")
    one = toys.interface()
    made = original(one, (tmp_path / "mine.png",))
    index = golden.write(tmp_path / "golden", made, [made_of("fp32", one)], "00")
    first = index.vectors[0]
    assert (first.name, first.kind) == ("mine.png", "data")
    stored = golden.index.read(tmp_path / "golden", first.raw["image"])
    assert stored.dtype == np.uint8
    assert np.array_equal(stored[0, 0], pixels)


def test_two_writes_give_the_same_bytes(tmp_path: Path) -> None:
    one = toys.interface()
    for name in ("a", "b"):
        golden.write(tmp_path / name, original(one), [made_of("fp16", one)], "00")
    files = sorted(p.name for p in (tmp_path / "a").iterdir())
    assert files == sorted(p.name for p in (tmp_path / "b").iterdir())
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_where_the_graph_was_run_already_that_is_what_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a bill's readings run it, bit for bit what it would give again."""
    one = toys.interface()
    held = original(one)
    FORMAT.convert(capture(one, "trace"), Settings(precision="fp16"), tmp_path / "a.mlpackage")
    artifact, written = FORMAT.open(tmp_path / "a.mlpackage"), list[dict[str, bytes]]()
    ran: list[str] = []
    run = MilSide._run
    monkeypatch.setattr(
        MilSide, "_run", lambda self, *given: (ran.append(self.reading), run(self, *given))[1]
    )
    for number in range(2):
        before = len(ran)
        golden.write(tmp_path / str(number), held, [(artifact.record, artifact)], "0" * 64)
        written.append({f.name: f.read_bytes() for f in (tmp_path / str(number)).iterdir()})
        ran.append(f"written {len(ran) - before}")
        readings.read(artifact, artifact.record, held.drawn, held.outputs)
    told = [int(one.split()[1]) for one in ran if one.startswith("written")]
    assert told[0] == told[1] + 1
    assert written[0] == written[1]


def test_larger_networks_get_fewer_and_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = toys.interface()
    made = original(one)
    monkeypatch.setattr(make, "_INDEX_BYTES", 0)
    monkeypatch.setattr(make, "LIMIT", 10_000)
    index = golden.write(tmp_path / "few", made, [made_of("fp32", one)], "00")
    assert 0 < len(index.vectors) < make.MOST
    assert index.left_out == "more would be larger than 10,000 bytes"
    monkeypatch.setattr(make, "LIMIT", 100)
    index = golden.write(tmp_path / "none", made, [made_of("fp32", one)], "00")
    assert index.vectors == ()
    assert index.left_out == "one probe alone is larger than 100 bytes"


def test_nothing_is_asked_of_what_there_is_no_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = toys.interface()
    made, asked, steady = original(one), list[int](), Original.steady
    monkeypatch.setattr(
        made,
        "steady",
        lambda place, precision, **how: asked.append(place) or steady(made, place, precision),
    )
    golden.write(tmp_path / "all", made, [made_of("fp32", one)], "00")
    every, asked[:] = {*asked}, []
    monkeypatch.setattr(make, "_INDEX_BYTES", 0)
    monkeypatch.setattr(make, "LIMIT", 10_000)
    index = golden.write(tmp_path / "few", made, [made_of("fp32", one)], "00")
    assert {*asked} < every
    kept = {vector.name for vector in index.vectors}
    assert {made.drawn[place].name for place in asked} == kept


def test_what_is_chance_is_no_vector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = toys.interface()
    made = original(one)
    monkeypatch.setattr(made, "steady", lambda place, precision, **how: False)
    index = golden.write(tmp_path / "golden", made, [made_of("fp32", one)], "00")
    assert index.vectors == ()
    assert "steady at no probe" in index.left_out


def test_what_another_order_of_sums_would_change_is_no_vector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where one of equal scores is taken: no rounding of the input shows it."""
    one = toys.interface()
    made, twin = original(one), Original.twin

    def moved(place: int) -> Any:
        found = twin(made, place)
        return {name: value + (place == 0) for name, value in found.items()}

    monkeypatch.setattr(made, "twin", moved)
    index = golden.write(tmp_path / "golden", made, [made_of("fp32", one)], "00")
    names = {vector.name for vector in index.vectors}
    assert names
    assert made.drawn[0].name not in names


def test_several_inputs_and_whole_numbers(tmp_path: Path) -> None:
    """As a diffusion network's: noise and a time step."""

    class Two(torch.nn.Module):
        def forward(self, x: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
            return torch.tanh(x) * (1 + timesteps.float().reshape(-1, 1, 1, 1) / 1000)

    ports = (
        Port("x", "tensor", "float32", (1, 3, 8, 8), meaning="noisy picture"),
        Port("timesteps", "tensor", "int32", (1,), value_range=(0, 999)),
    )
    out = Port("noise", "tensor", "float32", (1, 3, 8, 8), meaning="noise")
    task = replace(toys.task(), kind="diffusion", inputs=ports, outputs=(out,), labels=(),
                   activation="", normalisation="")  # fmt: skip
    one = Interface(Two().eval(), ports, (out,), Options(), task)
    index = golden.write(tmp_path / "golden", original(one), [made_of("fp32", one)], "00")
    for vector in golden.load(tmp_path / "golden").vectors:
        assert set(vector.inputs) == {"x", "timesteps"}
        assert vector.inputs["timesteps"].dtype == "int32"
        assert vector.source.startswith("Philox key")
        assert vector.after == {}
    assert len(index.vectors) >= 2


# ------------------------------------------------------------------------------ a folder in the way
def test_force_refuses_to_lose_a_users_own_golden_folder(
    small_checkpoint: Path, out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["convert", str(small_checkpoint), "-o", str(tmp_path), "--force", "--quiet"]
    (tmp_path / "golden").mkdir()
    (tmp_path / "golden" / "retriever.jpg").write_text("mine")
    assert cli.main(words) == 2
    assert "what lading did not write: golden/retriever.jpg" in capsys.readouterr().err
    assert [p.name for p in tmp_path.rglob("*")] == ["golden", "retriever.jpg"]
    # What lading wrote, it knows again.
    made = [f"Dataset001_CAMUS{suffix}" for suffix in (".onnx", ".mlpackage")]
    storage.require_own(out, made, page=storage.PAGE, golden=golden.FOLDER)


# --------------------------------------------------------------------------------------- replay
@pytest.mark.parametrize("name", ["Dataset001_CAMUS.onnx", "Dataset001_CAMUS.mlpackage"])
def test_replay_needs_no_checkpoint(
    name: str, out: Path, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["verify", str(out / name), "--golden", str(copy)]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("PASS")
    _, *below = shown.replace(str(out), "").replace(str(copy), "").splitlines()
    assert max(map(len, below)) <= 80  # a verdict's sentence is never broken


def test_replay_in_json(out: Path, copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    artifact = str(out / "Dataset001_CAMUS.onnx")
    assert cli.main(["verify", artifact, "--golden", str(copy), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"] == "pass"
    assert told["vectors"] == len(json.loads((copy / "index.json").read_text())["vectors"])


def test_another_network_fails(
    out: Path, copy: Path, tmp_path: Path, altered: Callable[[Callable[[Any], None]], Path]
) -> None:
    def nudge(contents: Any) -> None:
        contents["network_weights"]["decoder.seg_layers.1.weight"].mul_(1.5)

    other = altered(nudge)
    there = tmp_path / "other"
    assert cli.main(["convert", str(other), "-o", str(there), "--to", "onnx", "--quiet"]) == 0
    artifact = str(there / "Dataset001_CAMUS.onnx")
    assert cli.main(["verify", artifact, "--golden", str(copy), "--quiet"]) == 1
    assert cli.main(["verify", artifact, "--golden", str(there / "golden"), "--quiet"]) == 0


def test_one_byte_changed_is_an_error_that_names_the_file(copy: Path) -> None:
    for path in sorted(copy.glob("*.bin")):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        with pytest.raises(InputError) as refused:
            golden.load(copy)
        assert path.name in refused.value.subject
        assert "sha256" in refused.value.expected
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    golden.load(copy)


def edited(folder: Path, change: Callable[[Any], None]) -> None:
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    change(index)
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")


def first(index: Any, group: str) -> Any:
    return next(iter(index["vectors"][0][group].values()))


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda i: i.update(schema=9), "schema 9"),
        (lambda i: i.update(byte_order="big"), "no index"),
        (lambda i: i.pop("vectors"), "no index"),
        (lambda i: first(i, "inputs").update(file="../../etc/passwd"), "../../etc/passwd"),
        (lambda i: first(i, "inputs").update(file="gone.bin"), "No such file"),
        (lambda i: first(i, "inputs").update(dtype="object"), "object"),
        (lambda i: first(i, "inputs").update(shape=[-1, 4]), "[-1, 4]"),
        (lambda i: first(i, "inputs").update(shape=[7]), "bytes"),
    ],
)
def test_an_index_that_lies_is_refused(
    change: Callable[[Any], None], found: str, copy: Path
) -> None:
    edited(copy, change)
    with pytest.raises(InputError) as refused:
        golden.load(copy)
    assert found in refused.value.found


def test_inputs_must_follow_from_the_raw(out: Path, copy: Path) -> None:
    """Digests that were made to fit do not help: the picture is prepared again."""
    index = json.loads((copy / "index.json").read_text(encoding="utf-8"))
    vector = next(v for v in index["vectors"] if v["raw"])
    path = copy / vector["raw"]["image"]["file"]
    data = bytearray(path.read_bytes())
    data[0] = 255 - data[0]
    path.write_bytes(data)
    vector["raw"]["image"]["sha256"] = hashlib.sha256(data).hexdigest()
    (copy / "index.json").write_text(json.dumps(index), encoding="utf-8")
    with pytest.raises(InputError, match=vector["name"]) as refused:
        golden.replay(copy, out / "Dataset001_CAMUS.onnx", lambda *told: None)
    assert refused.value.found == "another image"


def test_labels_must_follow_from_the_outputs(out: Path, copy: Path) -> None:
    index = json.loads((copy / "index.json").read_text(encoding="utf-8"))
    entry = index["vectors"][0]["after"]["labels"]
    data = bytes(1 + b for b in (copy / entry["file"]).read_bytes())
    (copy / entry["file"]).write_bytes(data)
    entry["sha256"] = hashlib.sha256(data).hexdigest()
    (copy / "index.json").write_text(json.dumps(index), encoding="utf-8")
    with pytest.raises(InputError) as refused:
        golden.replay(copy, out / "Dataset001_CAMUS.onnx", lambda *told: None)
    assert refused.value.found == "other labels"


def test_another_artifact_is_a_wrong_request(copy: Path, out: Path) -> None:
    edited(copy, lambda index: index["inputs"][0].update(name="picture"))
    with pytest.raises(RequestError) as refused:
        golden.replay(copy, out / "Dataset001_CAMUS.onnx", lambda *told: None)
    assert (refused.value.found, refused.value.expected) == ("image", "picture")


def test_an_empty_folder_is_told(tmp_path: Path, out: Path) -> None:
    with pytest.raises(InputError) as refused:
        golden.load(tmp_path)
    assert refused.value.subject == str(tmp_path / "index.json")


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda i: i["vectors"][0]["floors"].clear(), "no gate of logits"),
        (lambda i: i["vectors"][0]["floors"].update(logits=3.0), "a gate of 3 dB for logits"),
        (lambda i: i["vectors"][0]["floors"].update(logits=math.nan), "a gate of nan dB"),
        (lambda i: _agreement(i).update(gate=0.1), "an agreement of 0.1"),
    ],
)
def test_gates_are_such_as_are_measured(
    change: Callable[[Any], None], found: str, out: Path, copy: Path
) -> None:
    """Else an index could let anything pass, or a gate be another than the bill's."""
    edited(copy, change)
    with pytest.raises(InputError) as refused:
        golden.replay(copy, out / "Dataset001_CAMUS.onnx", lambda *_: None)
    assert found in refused.value.found


def _agreement(index: Any) -> Any:
    return next(one for one in index["tolerances"]["fp32"] if one["kind"] == "label_agreement")
