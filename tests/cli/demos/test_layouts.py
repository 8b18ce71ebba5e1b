"""`lading demo layouts`: the repository's ensemble in every runtime, and what each says."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest
from PIL import Image

from lading import cli
from lading.base.drawing import gallery
from lading.cli.demos import layouts
from lading.formats import format_named
from lading.job.classify import Answer, classifier
from lading.job.request import Classify
from lading.network.families.keyboard_layout import alphabet

KEYS = importlib.import_module("recipes.keyboard_layout.layouts")


def test_every_class_has_a_phrase_made_of_its_keys() -> None:
    assert tuple(one.label for one in layouts.PHRASES) == alphabet.LABELS
    for one in layouts.PHRASES:
        meant, _, layout = one.label.partition("_from_")
        assert KEYS.press(KEYS.keys_of(one.keys, "en"), layout or meant) == one.text


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    import contextlib
    import io

    out = tmp_path_factory.mktemp("demo") / "out"
    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.redirect_stderr(said):
        assert cli.main(["demo", "layouts", "-o", str(out)]) == 0
    return out, said.getvalue()


def test_every_artifact_in_every_runtime_that_is_here(shown: tuple[Path, str]) -> None:
    out, said = shown
    bill = json.loads((out / "lading.json").read_text())
    assert bill["verdict"] == "pass"
    assert {one["format"] for one in bill["artifacts"]} == {"coreml", "onnx", "mlmodel"}
    ran = [one["runtime"] for one in bill["comparisons"] if one["verdict"] == "pass"]
    heads = next(line for line in said.splitlines() if line.startswith("class ")).split("  ")
    columns = [one.strip() for one in heads if one.strip()]
    assert len(columns) == 2 + 1 + len(ran)
    for phrase in layouts.PHRASES:
        (line,) = [one for one in said.splitlines() if one.endswith(f"   {phrase.text}")]
        assert line.split()[0] == phrase.label
        assert line.count(" %") == 1 + len(ran)  # every runtime names the class that is right


def test_the_artifacts_answer_with_their_own_vocabulary(shown: tuple[Path, str]) -> None:
    out, _ = shown
    for artifact in json.loads((out / "lading.json").read_text())["artifacts"]:
        for runtime in format_named(artifact["format"]).runtimes:
            if not runtime.unavailable():
                answer = classifier(Classify(out / artifact["path"], runtime=runtime.name))(
                    "ghbdtn"
                )
                assert answer.label == "ru_from_en"
                assert sum(answer.probabilities.values()) == pytest.approx(1.0, abs=1e-6)


def test_the_picture_has_a_column_for_each(shown: tuple[Path, str]) -> None:
    with Image.open(shown[0] / layouts.PICTURE) as page:
        found = page.convert("RGB").getcolors(1 << 20)
    assert found is not None
    colours = {colour for _, colour in found}
    assert gallery.RIGHT in colours
    assert gallery.WRONG not in colours


def test_a_wrong_answer_is_named_and_red() -> None:
    labels = alphabet.LABELS
    right = [Answer(one.text, one.label, dict.fromkeys(labels, 0.1)) for one in layouts.PHRASES]
    wrong = [*right[:3], Answer("x", "he_from_ru", dict.fromkeys(labels, 0.1)), *right[4:]]
    lines = layouts.table({"torch": right, "mil": wrong})
    assert lines[4].split()[:4] == ["ru_from_en", "10.000", "%", "he_from_ru"]
    bars = layouts._bars(Answer("x", "en", dict.fromkeys(labels, 0.5)), "ru")
    found = bars.getcolors(1 << 20)
    assert found is not None
    assert gallery.WRONG in {colour for _, colour in found}
