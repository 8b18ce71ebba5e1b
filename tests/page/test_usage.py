"""What the page tells to run is run: the Python beside each artifact."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lading import cli
from lading import page as report
from lading.formats import format_named, formats
from lading.job.request import Run
from lading.job.run import run
from lading.record import ArtifactRecord, Bill, Port, Snippet, Task
from tests import bills
from tests.page.test_page import text_of


# ------------------------------------------------------------------------------------ the Python
@pytest.fixture(scope="module", params=["plain", "picture"])
def converted(
    request: pytest.FixtureRequest, small_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    out = tmp_path_factory.mktemp("usage") / "out"
    extra = [] if request.param == "plain" else [
        "--input-image", "grayscale", "--bake", "zscore", "--output", "labels",
    ]  # fmt: skip
    words = ["convert", str(small_checkpoint), "-o", str(out), "--quiet", *extra]
    words += [word for name in formats() for word in ("--to", name)]
    assert cli.main(words) == 0
    pixels = np.random.default_rng(1).integers(0, 256, (41, 37), dtype=np.uint8)
    Image.fromarray(pixels).save(out / "picture.png")
    return out


def test_the_python_runs_and_sees_what_lading_sees(
    converted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(converted)
    bill = report.read(converted)
    page = text_of(report.render(bill))
    ran = 0
    for snippet in bill.snippets:
        assert " ".join(snippet.code.split()) in " ".join(page.split())
        if snippet.language != "python":
            continue
        names: dict[str, Any] = {}
        exec(compile(snippet.code, snippet.artifact, "exec"), names)
        expected = run(Run(snippet.artifact, input="picture.png")).label_map
        assert names["labels"].shape == (32, 32)
        # The picture is resampled here in float and there as 8-bit grey levels.
        assert np.mean(names["labels"] == expected) > 0.98
        ran += 1
    assert ran == len(bill.artifacts) == 3


def test_the_swift_names_the_ports(converted: Path) -> None:
    bill = report.read(converted)
    artifact = next(one for one in bill.artifacts if one.format == "coreml")
    swift, _, package = (one for one in bill.snippets if one.artifact == artifact.path)
    assert (swift.language, package.language) == ("swift", "swift")
    assert package.title == "Swift with the package that lading swift writes"
    assert package.code.startswith("import Dataset001_CAMUS\n")
    assert 'forResource: "Dataset001_CAMUS"' in swift.code
    for port in (*artifact.inputs, *artifact.outputs):
        assert f'"{port.name}"' in swift.code
    assert swift.code.count("{") == swift.code.count("}")
    assert swift.code.count("(") == swift.code.count(")")


def snippets(artifact: ArtifactRecord, task: Task) -> tuple[Snippet, ...]:
    return format_named(artifact.format).snippets(artifact, task)


def layout() -> Bill:
    from lading.network.families.keyboard_layout import alphabet

    one = bills.full()
    task = alphabet.task(20)
    artifact = replace(one.artifacts[1], inputs=task.inputs, outputs=task.outputs)
    return replace(one, task=task, artifacts=(artifact,))


def test_a_text_is_encoded_as_the_family_does(monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    from lading.network.families.keyboard_layout import alphabet

    fed = {}

    class Session:
        def __init__(self, path: str) -> None:
            assert path == "CAMUS.onnx"

        def run(self, names: list[str], inputs: dict[str, Any]) -> list[Any]:
            fed.update(inputs)
            return [np.eye(9, dtype=np.float32)[None, 3]]

    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    bill = layout()
    (snippet,) = snippets(bill.artifacts[0], bill.task)
    exec(compile(snippet.code, "x", "exec"), {})
    assert fed["input_ids"].tolist() == [alphabet.encode("ghbdtn")]
    assert fed["input_ids"].dtype == np.int32


def test_several_inputs_of_a_diffusion_network() -> None:
    one = bills.full()
    ports = (
        Port("x", "tensor", "float32", (1, 3, 8, 8), meaning="noisy picture"),
        Port("timesteps", "tensor", "int32", (1,), value_range=(0, 999)),
    )
    out = (Port("noise", "tensor", "float32", (1, 3, 8, 8)),)
    task = replace(one.task, kind="diffusion", inputs=ports, outputs=out, labels=(), activation="")
    artifact = replace(one.artifacts[0], inputs=ports, outputs=out)
    swift, python = snippets(artifact, task)
    compile(python.code, "x", "exec")
    assert 'predict({"x": x, "timesteps": timesteps})' in python.code
    assert '"timesteps": timesteps' in swift.code


def test_a_strangers_names_stay_within_their_quotes() -> None:
    bill = bills.hostile()
    for snippet in snippets(bill.artifacts[0], bill.task):
        if snippet.language == "python":
            tree = compile(snippet.code, "x", "exec", flags=0x400)
            calls = {type(node).__name__ for node in tree.body}
            assert calls <= {"Import", "ImportFrom", "Assign"}
        assert "\u202e" not in snippet.code
