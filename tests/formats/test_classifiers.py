"""Classifiers in every format: names, probabilities in the order of the names, and what fails."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lading.conversion import apple
from lading.conversion.capture import capture
from lading.coreml import mil, neuralnetwork
from lading.coreml.arrays import noted_labels
from lading.errors import RequestError
from lading.formats import Artifact, format_named
from lading.interface import Interface, Options, wrap
from lading.interface.settings import Settings
from lading.proof import compare, probes
from lading.proof.original import Original
from lading.record import ArtifactRecord, Comparison, Port, Task
from lading.record.wording import subject
from tests.toys import interface as segmenter
from tests.toys import task as segmentation

#: Not in the order of the alphabet, which a converter might put them in.
LABELS = ("ru", "en", "he", "de")
FACTS = {"lading.labels": json.dumps(LABELS)}
NATIVE = ("coreml", "mlmodel")


def interface(**options: Any) -> Interface:
    """Twelve character ids to four classes, as sure of itself as a trained network."""
    torch.manual_seed(0)
    ids = Port("ids", "tensor", "int32", (1, 12), value_range=(0, 29))
    scores = Port("scores", "tensor", "float32", (1, 4), meaning="logits", class_axis=1)
    network = nn.Sequential(nn.Embedding(30, 8), nn.Flatten(), nn.Linear(96, 4))
    with torch.no_grad():
        network[2].weight.mul_(4)
    task = Task("classification", (ids,), (scores,), LABELS, "softmax")
    return wrap(network.eval(), task, Options(**{"classifier": True, **options}))


def carried(
    one: Interface, kind: str, folder: Path, precision: Any = "fp32"
) -> tuple[Path, list[Comparison]]:
    """The artifact, and how it compares in every runtime that is here."""
    form = format_named(kind)
    path = folder / f"net{form.suffix}"
    settings = Settings(precision=precision, facts=FACTS)
    record = form.convert(capture(one, "trace", form.axes(one.options)), settings, path)
    return path, judged(form.open(path), record, one)


def judged(artifact: Artifact, record: ArtifactRecord, one: Interface) -> list[Comparison]:
    """The artifact beside a network, in every runtime that is here."""
    original = Original(one, probes.make(one))
    every = compare.every_runtime(original, artifact, record, lambda *_: None)
    return [comparison for comparison in every if comparison.verdict != "not run"]


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize(("kind", "count"), [("coreml", 1), ("mlmodel", 2), ("onnx", 1)])
def test_equal(kind: str, count: int, precision: str, tmp_path: Path) -> None:
    path, comparisons = carried(interface(), kind, tmp_path, precision)
    assert [one.verdict for one in comparisons] == ["pass"] * count, comparisons
    names = {subject(m) for one in comparisons for m in one.measurements}
    assert "probabilities label_agreement" in names
    said = format_named(kind).open(path).record
    assert noted_labels(said.details) == LABELS
    (port,) = said.outputs
    assert (port.name, port.shape, port.dtype) == ("probabilities", (1, 4), "float32")
    assert port.kind == ("dictionary" if kind in NATIVE else "tensor")


@pytest.mark.parametrize(("kind", "load"), [("coreml", mil.load), ("mlmodel", neuralnetwork.load)])
def test_what_an_app_gets(kind: str, load: Callable[[Path], Any], tmp_path: Path) -> None:
    one = interface()
    path, _ = carried(one, kind, tmp_path)
    ids = torch.arange(12, dtype=torch.int32)[None]
    with torch.no_grad():
        wanted = one.module(ids)[0].numpy()
    got = load(path).predict({"ids": ids.numpy()})
    assert set(got) == {"classLabel", "probabilities"}
    assert got["classLabel"] == LABELS[int(wanted.argmax())]
    assert tuple(got["probabilities"]) == LABELS
    np.testing.assert_allclose(list(got["probabilities"].values()), wanted, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("kind", NATIVE)
def test_names_in_another_order_fail(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = apple.classes

    def permuted(one: Interface) -> Any:
        labels = (LABELS[1], LABELS[0], *LABELS[2:])
        return original(dataclasses.replace(one, task=dataclasses.replace(one.task, labels=labels)))

    monkeypatch.setattr(apple, "classes", permuted)
    _, comparisons = carried(interface(), kind, tmp_path)
    assert comparisons
    assert {one.verdict for one in comparisons} == {"fail"}


@pytest.mark.parametrize("kind", [*NATIVE, "onnx"])
def test_names_of_another_task_fail(kind: str, tmp_path: Path) -> None:
    """The whole artifact with two names exchanged, in its notes too: only the task can tell."""
    one = interface()
    path, _ = carried(one, kind, tmp_path)
    artifact = format_named(kind).open(path)
    other = dataclasses.replace(one.task, labels=(LABELS[1], LABELS[0], *LABELS[2:]))
    comparisons = judged(artifact, artifact.record, dataclasses.replace(one, task=other))
    assert comparisons
    for comparison in comparisons:
        assert comparison.verdict == "fail"
        assert comparison.reason == (
            "the artifact's class names are ru, en, he, de; the original's are en, ru, he, de"
        )


# ----------------------------------------------------------------------------------- the request
def test_what_is_no_classification() -> None:
    with pytest.raises(RequestError) as caught:
        segmenter(Options(classifier=True))
    assert str(caught.value) == (
        "--classifier\n"
        "  found     a segmentation network with output logits [1, 3, 16, 16]\n"
        "  expected  a network that gives a sample one of several named classes\n"
        "  remedy    leave --classifier out"
    )


@pytest.mark.parametrize("change", [{"labels": ()}, {"labels": ("a", "a", "b", "c")},
                                    {"activation": "sigmoid"}])  # fmt: skip
def test_classes_without_names_or_several_at_once(change: Any) -> None:
    task = dataclasses.replace(interface().task, **change)
    with pytest.raises(RequestError, match="--classifier"):
        wrap(nn.Identity(), task, Options(classifier=True))
    assert segmentation().kind == "segmentation"


def test_the_class_asked_for_twice() -> None:
    with pytest.raises(RequestError, match="--classifier --output labels"):
        interface(output="labels")


def test_its_output_is_probabilities() -> None:
    assert Options(classifier=True).output == "probabilities"
    assert interface().outputs[0].name == "probabilities"
