"""NaN is no class, whoever makes labels of scores; finite scores give the largest everywhere.

`MAPS` and `SAMPLES` list everything that does: a new reader of scores belongs in one of them.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from lading import api, cli
from lading.cli.demos import segmentation as demo
from lading.errors import NoAnswerError
from lading.formats import Artifact
from lading.interface import Options
from lading.job import run, saved
from lading.job.classify import Classifier
from lading.job.request import Run
from lading.network.families.keyboard_layout import alphabet
from lading.proof import figures, measured
from lading.proof.golden import make
from lading.proof.table.rows import Row
from lading.proof.table.tally import Tally
from lading.record import Task, to_json
from lading.task.finish import NO_CLASS, finish, of_samples
from lading.task.prepare import Prepared
from lading.task.text import Vocabulary
from tests import toys

TASK = toys.task(size=4)
REGIONS = replace(TASK, activation="sigmoid", region_order=(2, 1, 3))
PORT = TASK.outputs[0]
WORDS = alphabet.task(20)
(CLASSES,) = WORDS.outputs


class Gives:
    """A side: whatever is fed, these outputs."""

    def __init__(self, **outputs: Any) -> None:
        self.outputs = outputs

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        return self.outputs


def graph(path: Path, task: Any) -> Path:
    """An ONNX file with the ports and notes of `task`, every output of it NaN."""
    (x,), (y,) = task.inputs, task.outputs
    kinds = {"float32": TensorProto.FLOAT, "int32": TensorProto.INT32}
    nodes = [
        helper.make_node("Cast", [x.name], ["wide"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["wide"], ["sum"], keepdims=0),
        helper.make_node("Mul", ["sum", "nan"], ["lost"]),
        helper.make_node("Expand", ["lost", "shape"], [y.name]),
    ]
    constants = [
        numpy_helper.from_array(np.array(np.nan, np.float32), "nan"),
        numpy_helper.from_array(np.array(y.shape, np.int64), "shape"),
    ]
    made = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info(x.name, kinds[x.dtype], x.shape)],
        [helper.make_tensor_value_info(y.name, kinds[y.dtype], y.shape)],
        constants,
    )  # fmt: skip
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    notes = {"lading.task": to_json(task), "lading.options": to_json(Options())}
    for key, value in notes.items():
        model.metadata_props.add(key=key, value=json.dumps(value))
    onnx.save(model, path)
    return path


@pytest.fixture(scope="module")
def nan_map(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("map")
    Image.fromarray(np.arange(16, dtype=np.uint8).reshape(4, 4)).save(folder / "a.png")
    return graph(folder / "map.onnx", TASK)


@pytest.fixture(scope="module")
def nan_regions(nan_map: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("regions")
    (folder / "a.png").write_bytes((nan_map.parent / "a.png").read_bytes())
    return graph(folder / "regions.onnx", REGIONS)


@pytest.fixture(scope="module")
def nan_words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return graph(tmp_path_factory.mktemp("words") / "words.onnx", WORDS)


# --------------------------------------------------------------------------- everything that does
@contextmanager
def instead(module: Any, name: str, value: Any) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, name, value)
        yield


def by_finish(scores: Any, task: Task, artifact: Path) -> Any:
    return finish({"logits": scores}, [PORT], task).labels[0]  # type: ignore[index]


def by_run(scores: Any, task: Task, artifact: Path) -> Any:
    with instead(Artifact, "open", lambda *_: Gives(logits=scores)):
        applied = run.run(Run(str(artifact), input=(str(artifact.parent / "a.png"),)))
    assert (applied.unanswered == ()) == np.isfinite(scores).all()
    assert (applied.lost == 0) == np.isfinite(scores).all()
    told = {one.name: one.share for one in applied.classes}
    assert told.get("no class", 0.0) == (applied.label_map == NO_CLASS).mean()
    return applied.label_map


def by_golden(scores: Any, task: Task, artifact: Path) -> Any:
    return make.seen({"logits": scores}, [PORT], task)["labels"][0]


def by_figures(scores: Any, task: Task, artifact: Path) -> Any:
    original: Any = SimpleNamespace(interface=SimpleNamespace(outputs=[PORT], task=task))
    return figures._labels({"logits": scores}, original)


def by_compare(scores: Any, task: Task, artifact: Path) -> Any:
    return measured.classes(PORT, [scores], task).reshape(4, 4)


def by_demo(scores: Any, task: Task, artifact: Path) -> Any:
    interface: Any = SimpleNamespace(inputs=task.inputs, outputs=[PORT], task=task)
    return demo._labels(Gives(logits=scores), Prepared(scores), interface)


MAPS = {f.__name__: f for f in (by_finish, by_run, by_golden, by_figures, by_compare, by_demo)}


def samples_by_finish(scores: Any) -> Any:
    return finish({"classLogits": scores}, [CLASSES], WORDS).labels


def samples_by_golden(scores: Any) -> Any:
    return make.seen({"classLogits": scores}, [CLASSES], WORDS)["labels"]


def samples_by_classify(scores: Any) -> Any:
    def one(row: Any) -> int:
        ask = Classifier(
            "a file", "a runtime", Vocabulary("ab", 20), WORDS.labels,
            Gives(classLogits=row[None]), WORDS.inputs[0], WORDS.outputs, WORDS,
        )  # fmt: skip
        try:
            return WORDS.labels.index(ask("ab").label)
        except NoAnswerError:
            return NO_CLASS

    return np.array([one(row) for row in scores])


def samples_by_table(scores: Any) -> Any:
    """The names that the table tells of the samples whose class is another than the original's."""
    got = of_samples({"classLogits": scores}, [CLASSES], WORDS)
    other = np.full(len(scores), len(WORDS.labels))
    original = (other, np.zeros((len(scores), len(WORDS.labels))))
    tally = Tally()
    tally.add([Row(1, "a", 0)] * len(scores), 1, original, got, WORDS.labels)
    names = {one.row: one.artifact for one in tally.kept}
    known = {**{name: i for i, name in enumerate(WORDS.labels)}, "no class": NO_CLASS}
    return np.array([known[names[i + 1]] for i in range(len(scores))])


SAMPLES = {
    f.__name__: f
    for f in (samples_by_finish, samples_by_golden, samples_by_classify, samples_by_table)
}

VALUES = st.one_of(st.just(np.nan), st.integers(-3, 3).map(float), st.floats(-9, 9, width=32))


@pytest.mark.parametrize("name", MAPS)
@given(scores=hnp.arrays(np.float32, (1, 3, 4, 4), elements=VALUES))
def test_maps(name: str, scores: Any, nan_map: Path) -> None:
    expected = np.where(np.isnan(scores).any(axis=1), NO_CLASS, scores.argmax(axis=1))
    np.testing.assert_array_equal(MAPS[name](scores, TASK, nan_map), expected[0])


@pytest.mark.parametrize("name", sorted(set(MAPS) - {"by_compare"}))
@given(scores=hnp.arrays(np.float32, (1, 3, 4, 4), elements=VALUES))
def test_regions(name: str, scores: Any, nan_regions: Path) -> None:
    expected = np.zeros((4, 4), int)
    for region, label in enumerate(REGIONS.region_order):
        expected[scores[0, region] > 0] = label
    expected[np.isnan(scores[0]).any(axis=0)] = NO_CLASS
    np.testing.assert_array_equal(MAPS[name](scores, REGIONS, nan_regions), expected)


@given(scores=hnp.arrays(np.float32, (1, 3, 4, 4), elements=VALUES))
def test_regions_are_compared_one_by_one(scores: Any) -> None:
    expected = np.where(np.isnan(scores), NO_CLASS, scores > 0)
    got = measured.classes(PORT, [scores], REGIONS).reshape(scores.shape)
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("name", SAMPLES)
@given(scores=hnp.arrays(np.float32, (3, 9), elements=VALUES))
def test_samples(name: str, scores: Any) -> None:
    expected = np.where(np.isnan(scores).any(axis=1), NO_CLASS, scores.argmax(axis=1))
    np.testing.assert_array_equal(SAMPLES[name](scores), expected)


# -------------------------------------------------------------------------- exhibits, as users run
def told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    status = cli.main(arguments)
    said = capsys.readouterr()
    return status, said.out + said.err


def test_run_says_so_and_ends_with_1(nan_map: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, text = told(["run", str(nan_map), "--input", str(nan_map.parent / "a.png")], capsys)
    assert status == 1
    assert "100.00 %  no class" in text
    assert "no answer: logits: 48 of 48 values are NaN" in text
    assert "no answer: 16 of 16 pixels belong to no class" in text


@pytest.mark.parametrize("name", ["lab.png", "lab.bmp", "lab.tif"])
def test_run_writes_no_picture(
    nan_map: Path, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / name
    fed = ["--input", str(nan_map.parent / "a.png"), "-o", str(out)]
    status, text = told(["run", str(nan_map), *fed], capsys)
    assert status == 1
    assert "16 of 16 pixels belong to no class" in text
    assert "no picture is written" in text
    assert not out.exists()


@pytest.mark.parametrize("name", ["lab.npy", "lab.npz"])
def test_run_writes_the_values_that_were_asked_for(
    nan_map: Path, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / name
    fed = ["--input", str(nan_map.parent / "a.png"), "-o", str(out), "--json"]
    status, text = told(["run", str(nan_map), *fed], capsys)
    assert status == 1
    (record,) = json.loads(text)["samples"]
    known = {one["name"]: one["share"] for one in record["classes"]}
    assert known == {"no class": 1.0, **dict.fromkeys(toys.LABELS, 0.0)}
    assert len(record["unanswered"]) == 2
    values = np.load(out)
    assert np.isnan(values if name.endswith(".npy") else values["logits"]).all()


def test_one_pixel_is_enough(nan_map: Path, tmp_path: Path) -> None:
    scores = toys.noise((1, 3, 4, 4))
    scores[0, 1, 2, 3] = np.nan
    with instead(Artifact, "open", lambda *_: Gives(logits=scores)):
        request = Run(str(nan_map), input=(str(nan_map.parent / "a.png"),))
        applied = run.run(request)
    assert {one.name: one.share for one in applied.classes}["no class"] == 1 / 16
    with pytest.raises(NoAnswerError) as refused:
        saved.save(applied, replace(request, out=tmp_path / "lab.png"))
    assert refused.value.found.endswith("1 of 16 pixels belong to no class")


def test_classify_has_no_answer(nan_words: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = cli.main(["classify", str(nan_words), "ghbdtn"])
    said = capsys.readouterr()
    assert (status, said.out) == (1, "")
    assert "scores that are not numbers" in said.err


def test_a_bill_s_picture_calls_it_by_no_class_s_name() -> None:
    """A label of -1 is the last of a list in Python: the name and the colour must not be."""
    labels = np.array([[0, NO_CLASS]])
    assert figures._legend(labels, TASK) == "no class white, background black"
    assert figures._shares(labels, TASK) == "no class 50.0 %, background 50.0 %"


def lost(artifact: Path) -> Path:
    """The artifact with NaN in the place of its output."""
    model = onnx.load(artifact)
    name = model.graph.output[0].name
    maker = next(node for node in model.graph.node if name in node.output)
    maker.output[list(maker.output).index(name)] = "kept"
    model.graph.initializer.append(numpy_helper.from_array(np.array(np.nan, np.float32), "hole"))
    model.graph.node.append(helper.make_node("Mul", ["kept", "hole"], [name]))
    onnx.save(model, artifact)
    return artifact


def test_verify_with_the_users_pictures_fails_and_draws_no_class(
    small_checkpoint: Path, tmp_path: Path
) -> None:
    drawn = tmp_path / "pictures"
    drawn.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32), np.uint8)
    Image.fromarray(pixels).save(drawn / "mine.png")
    made = api.convert(small_checkpoint, tmp_path / "out", to=("onnx",), name="Small")
    assert made.verdict == "pass"
    artifact = lost(tmp_path / "out" / "Small.onnx")
    bill = api.verify(artifact, small_checkpoint, data=drawn)
    assert bill.verdict == "fail"
    (mine,) = [p for p in bill.pictures if p.name == "mine.png/onnx-onnxruntime"]
    assert mine.alt.endswith("no class 100.0 %")
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(mine.png))).convert("RGB"))
    assert (pixels == 255).all()
    status = cli.main(["verify", str(artifact), "--golden", str(tmp_path / "out" / "golden")])
    assert status == 1
