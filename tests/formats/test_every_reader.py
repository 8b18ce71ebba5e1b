"""Every format beside every reader: it answers, or refuses by name. A new format is read here for
being there."""

from __future__ import annotations

import html
import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lading import api, cli
from lading.base import storage
from lading.conversion import apple
from lading.conversion.capture import capture
from lading.errors import LadingError
from lading.formats import Format, formats, open_artifact
from lading.interface import Interface, Options
from lading.interface.matching import matched
from lading.interface.settings import Settings
from lading.interface.side import EVERYTHING, Array, compared
from lading.proof.weights.origins import Origins
from lading.proof.weights.restored import Restored
from lading.record import ArtifactRecord, to_json
from tests.conftest import genuine_unet, nnunet_file
from tests.formats import test_classifiers as classifiers
from tests.formats.conftest import Carried
from tests.toys import interface, noise

EVERY = pytest.mark.parametrize("form", formats().values(), ids=list(formats()))
#: Relative to the largest value: sums in another order; some layers of rounding at 2^-11.
SLACK = {"fp32": 1e-5, "fp16": 1e-2}
X = {"image": noise((1, 1, 32, 32))}


def apart(got: Array, wanted: Array) -> float:
    """The largest difference over the largest value."""
    return float(np.abs(got - wanted).max() / np.abs(wanted).max())


def wanted(carried: Carried) -> Array:
    """The original's scores for `X`."""
    network = carried.network
    with torch.no_grad():
        scores: Array = network(torch.from_numpy(X["image"]))[0].numpy()
    return scores


# ----------------------------------------------------------------------------- what people are told
@EVERY
def test_the_page_and_the_terminal_show_its_title(
    form: Format, carried: Carried, capsys: pytest.CaptureFixture[str]
) -> None:
    record = carried.record(form.name)
    assert record.format_title == form.title
    heading = f"({html.escape(form.title)} {record.precision})"
    assert heading in (carried.out / storage.PAGE).read_text(encoding="utf-8")
    assert cli.main(["inspect", str(carried.path(form.name))]) == 0
    assert f"{form.title} {record.precision}" in capsys.readouterr().out


@EVERY
def test_inspect(form: Format, carried: Carried) -> None:
    shown: Any = api.inspect(carried.path(form.name))
    record = carried.record(form.name)
    assert (shown.artifact.format, shown.artifact.title) == (form.name, form.title)
    assert (shown.artifact.sha256, shown.artifact.precision) == (record.sha256, record.precision)
    for said, told in (
        (shown.artifact.inputs, record.inputs),
        (shown.artifact.outputs, record.outputs),
    ):
        assert [(p.name, p.shape) for p in said] == [(p.name, p.shape) for p in told]
    assert json.loads(json.dumps(shown.as_dict()))["hazards"] == to_json(shown.hazards)


# ----------------------------------------------------------------------------------- the file alone
@EVERY
def test_constants_are_the_checkpoints(form: Format, carried: Carried) -> None:
    artifact = form.open(carried.path(form.name))
    held = artifact.constants()
    assert all(one.name and one.values.dtype.kind in "fiub" for one in held)
    kernels = {n: p for n, p in carried.network.named_parameters() if p.ndim == 4}
    # deep supervision's other heads and the decoder's second name of the encoder are not carried
    used = [n for n in kernels if "encoder" in n.split(".")[0] or "transpconvs" in n]
    assert used
    for name in used:
        kernel = kernels[name].detach().numpy().reshape(-1)
        sorted_kernel = np.sort(kernel)
        assert any(
            one.values.size == kernel.size
            and np.allclose(np.sort(one.values.reshape(-1)), sorted_kernel, rtol=1e-3, atol=1e-6)
            for one in held
            if one.values.dtype.kind == "f"
        ), name


@EVERY
def test_hazards_are_those_of_the_bill(form: Format, carried: Carried) -> None:
    found = form.open(carried.path(form.name)).hazards()
    assert all(hazard.where and hazard.source.startswith("https://") for hazard in found)
    assert set(found) <= set(carried.bill.hazards)


@EVERY
def test_nothing_in_it_draws_random_numbers(form: Format, carried: Carried) -> None:
    assert form.open(carried.path(form.name)).randomness() == ""


# ----------------------------------------------------------------------------------------- as sides
@EVERY
def test_a_side_in_each_reading(form: Format, carried: Carried) -> None:
    artifact = form.open(carried.path(form.name))
    readings = {"declared", "float32", *artifact.readings}
    readings |= {runtime.reading for runtime in form.runtimes}
    for reading in sorted(readings):
        side = artifact.side(reading)
        assert side.outputs == ("logits",)
        assert side.reading in (reading, "float32", "declared")
        got = side.run(X)["logits"]
        assert apart(got, wanted(carried)) < SLACK[artifact.record.precision], reading


@EVERY
def test_inner_values_of_each_runtime(form: Format, carried: Carried) -> None:
    artifact = form.open(carried.path(form.name))
    here = [runtime for runtime in form.runtimes if not runtime.unavailable()]
    assert here
    for runtime in here:
        side = artifact.open(runtime)
        if runtime.own:
            assert not side.graph
            continue
        values = side.run(X, EVERYTHING)
        shown = compared(side.graph, values)
        assert len(shown) > 20
        assert {made.op for made in shown} >= {
            made.op for made in side.graph if made.name == "logits"
        }
        assert apart(values["logits"], wanted(carried)) < SLACK["fp16"]
        # one value that was named comes with the outputs, and is the same
        first = next(made.name for made in shown if made.name not in side.outputs)
        again = artifact.open(runtime).run(X, [first])
        assert set(again) == {first, *side.outputs}
        np.testing.assert_array_equal(again[first], values[first])
        # and of what is computed in between, the first convolution is the original's
        with torch.no_grad():
            stem = carried.network.encoder.stages[0][0].convs[0].conv
            given = stem(torch.from_numpy(X["image"])).numpy()
        shapes = [values[made.name] for made in shown if values[made.name].shape == given.shape]
        assert min(apart(value, given) for value in shapes) < SLACK["fp16"]


@EVERY
def test_widened_it_is_the_original_in_fp32(form: Format, carried: Carried) -> None:
    restored = Restored(Origins(carried.network.state_dict()))
    side = form.open(carried.path(form.name)).widened(restored)
    assert restored.unknown == 0
    assert apart(side.run(X)["logits"], wanted(carried)) < SLACK["fp32"]


# ---------------------------------------------------------------------------------------- the verbs
@EVERY
def test_verify_and_compare(form: Format, carried: Carried) -> None:
    path = carried.path(form.name)
    assert api.verify(path, carried.checkpoint).verdict == "pass"
    between = api.compare(carried.checkpoint, path)
    assert between.verdict == "pass"
    assert len(between.walk.stations) > 10
    assert not between.walk.first


@EVERY
def test_golden(form: Format, carried: Carried) -> None:
    replayed = api.verify(carried.path(form.name), golden=carried.out / "golden")
    assert replayed.verdict == "pass", [one.reason for one in replayed.comparisons]


@EVERY
def test_whose(form: Format, carried: Carried, tmp_path: Path) -> None:
    other = tmp_path / "other.pth"
    torch.save(nnunet_file(genuine_unet((8, 16, 32), seed=1), (8, 16, 32), 32), other)
    found = api.whose(carried.path(form.name), [other, carried.checkpoint])
    assert found.owner is not None
    assert found.owner.checkpoint == str(carried.checkpoint)


@EVERY
def test_run(form: Format, carried: Carried, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X["image"])
    for runtime in form.runtimes:
        if runtime.unavailable():
            with pytest.raises(LadingError) as caught:
                api.run(
                    carried.path(form.name), input=[str(tmp_path / "x.npy")], runtime=runtime.name
                )
            assert caught.value.subject == runtime.title
            continue
        applied = api.run(
            carried.path(form.name), input=[str(tmp_path / "x.npy")], runtime=runtime.name
        )
        assert applied.runtime == runtime.title
        assert applied.label_map is not None
        assert (applied.label_map == wanted(carried)[0].argmax(0)).mean() > 0.98  # ties aside


@EVERY
def test_what_it_is_not_for_is_refused_by_name(form: Format, carried: Carried) -> None:
    path = carried.path(form.name)
    for refused in (lambda: api.classify(path, ["a"]), lambda: api.sample(path)):
        with pytest.raises(LadingError) as caught:
            refused()
        assert path.name in str(caught.value)


@EVERY
def test_what_cannot_be_read_is_refused_by_name(form: Format, tmp_path: Path) -> None:
    path = tmp_path / f"a{form.suffix}"
    path.write_bytes(b"\x08\x07no model at all")
    with pytest.raises(LadingError) as caught:
        open_artifact(path)
    assert path.name in caught.value.subject


# ------------------------------------------------------------------------------------- its snippets
def written(form: Format, one: Interface, folder: Path, **facts: str) -> Path:
    path = folder / f"net{form.suffix}"
    told = {
        "lading.task": json.dumps(to_json(one.task)),
        "lading.options": json.dumps(to_json(one.options)),
        **facts,
    }
    form.convert(capture(one, "trace"), Settings(precision="fp32", facts=told), path)
    return path


def snippet(form: Format, path: Path, one: Interface, folder: Path) -> dict[str, Any]:
    """Every name of the Python snippet of an artifact after it has run beside it."""
    record, _ = matched(form.open(path).record, one)  # as a bill has it
    (code,) = (s.code for s in form.snippets(record, one.task) if s.language == "python")
    (folder / "snippet.py").write_text(code)
    return runpy.run_path(str(folder / "snippet.py"))


PICTURES = {
    "scores": Options(),
    "probabilities": Options("probabilities", ("zscore",)),
    "labels": Options("labels", ("zscore",)),
    "picture": Options("probabilities", ("zscore",), "grayscale"),
}


@EVERY
@pytest.mark.parametrize("options", PICTURES.values(), ids=list(PICTURES))
def test_its_snippet_sees_what_lading_sees(
    form: Format, options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = interface(options)
    path = written(form, one, tmp_path)
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16), np.uint8)
    Image.fromarray(pixels).save("picture.png")
    seen = snippet(form, path, one, tmp_path)
    applied = api.run(path, input=["picture.png"])
    name = applied.port.name
    np.testing.assert_allclose(seen["outputs"][name], applied.output, rtol=1e-4, atol=1e-4)
    assert applied.label_map is not None
    np.testing.assert_array_equal(seen["labels"], applied.label_map)
    assert tuple(seen["classes"]) == one.task.labels


@EVERY
@pytest.mark.parametrize("classifier", [False, True])
def test_the_snippet_of_a_classifier_names_the_class(
    form: Format, classifier: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    one = classifiers.interface(classifier=classifier)
    path = written(form, one, tmp_path, **classifiers.FACTS)
    monkeypatch.chdir(tmp_path)
    seen = snippet(form, path, one, tmp_path)
    (port,) = one.outputs
    scores = form.open(path).side().run({"ids": seen["ids"]})[port.name]
    shown = seen["outputs"][port.name]
    array = np.array([list(shown.values())]) if isinstance(shown, dict) else shown
    np.testing.assert_allclose(array, scores, rtol=1e-5, atol=1e-6)
    assert capsys.readouterr().out.split() == [one.task.labels[int(scores.argmax())]]


@EVERY
def test_the_bills_snippets_run(
    form: Format, carried: Carried, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(carried.out)
    path = carried.path(form.name)
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32), np.uint8)
    Image.fromarray(pixels).save("picture.png")
    mine = [s for s in carried.bill.snippets if s.artifact == carried.record(form.name).path]
    python = [s for s in mine if s.language == "python"]
    assert python
    for one in python:
        Path("snippet.py").write_text(one.code)
        seen = runpy.run_path("snippet.py")
        applied = api.run(path, input=["picture.png"])
        np.testing.assert_allclose(seen["logits"], applied.output, rtol=1e-3, atol=1e-3)
        assert applied.label_map is not None
        assert (seen["labels"] == applied.label_map).mean() > 0.99  # ties aside
    for file in ("picture.png", "snippet.py"):
        Path(file).unlink()


def test_the_swift_snippet_of_a_classifier_reads_its_dictionary() -> None:
    one = classifiers.interface()
    record = ArtifactRecord(
        "coreml", "net.mlpackage", 1, "", "fp32", one.inputs, apple.outputs(one), "trace"
    )
    (code,) = (s.code for s in apple.snippets(record, one.task) if s.language == "swift")
    assert 'featureValue(for: "probabilities")!.dictionaryValue' in code
    assert "multiArrayValue" not in code
