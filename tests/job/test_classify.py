"""`lading classify`: text to class, by an artifact of any format and by the checkpoint itself."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from lading import api, cli
from lading.errors import InputError, RequestError
from lading.job.classify import classifier
from lading.job.request import Classify
from lading.network.families.keyboard_layout import alphabet, network
from lading.network.source import Source, load

PLAN = network.BasicPlan(
    vocabulary=189, width=12, filters=(10, 8), kernels=(3, 3), padding=1, classes=9
)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    module = network.BasicCNN(PLAN)
    with torch.no_grad():
        module.fc.weight.mul_(20)
    path = tmp_path_factory.mktemp("classify") / "basic.pth"
    torch.save(module.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def made(checkpoint: Path) -> Path:
    """Every format, in two forms of output each."""
    out = checkpoint.parent / "out"
    bill = api.convert(checkpoint, out, to=("coreml", "onnx", "mlmodel"), name="Small")
    assert bill.verdict == "pass", [one.reason for one in bill.comparisons]
    for form in ("probabilities", "labels"):
        api.convert(checkpoint, checkpoint.parent / form, to=("onnx",), name="Small", output=form)
    return out


def expected(checkpoint: Path, text: str) -> np.ndarray:
    ids = torch.tensor([alphabet.encode(text)])
    with torch.inference_mode():
        shares: np.ndarray = load(Source(checkpoint)).network(ids).softmax(1)[0].numpy()
    return shares


@pytest.mark.parametrize("suffix", [".onnx", ".mlpackage", ".mlmodel"])
def test_every_artifact_says_what_the_original_says(
    checkpoint: Path, made: Path, suffix: str
) -> None:
    one = classifier(Classify(made / f"Small{suffix}"))
    for text in ("ghbdtn", "привет", "akuo", "Ё"):
        answer = one(text)
        shares = expected(checkpoint, text)
        assert answer.label == alphabet.LABELS[shares.argmax()]
        assert list(answer.probabilities) == list(alphabet.LABELS)
        # fp16 rounding of scores of about ten
        np.testing.assert_allclose(list(answer.probabilities.values()), shares, atol=1e-2)


def test_the_checkpoint_itself_answers(checkpoint: Path) -> None:
    answer = classifier(Classify(checkpoint))("ghbdtn")
    np.testing.assert_allclose(
        list(answer.probabilities.values()), expected(checkpoint, "ghbdtn"), atol=1e-6
    )


def test_an_artifact_that_gives_probabilities(checkpoint: Path, made: Path) -> None:
    answer = classifier(Classify(checkpoint.parent / "probabilities" / "Small.onnx"))("ghbdtn")
    np.testing.assert_allclose(
        list(answer.probabilities.values()), expected(checkpoint, "ghbdtn"), atol=1e-5
    )


def test_an_artifact_that_gives_the_class_only(checkpoint: Path, made: Path) -> None:
    answer = classifier(Classify(checkpoint.parent / "labels" / "Small.onnx"))("ghbdtn")
    assert answer.label == alphabet.LABELS[expected(checkpoint, "ghbdtn").argmax()]
    assert answer.probabilities == {}


def test_a_core_ml_classifier(checkpoint: Path) -> None:
    out = checkpoint.parent / "named"
    bill = api.convert(checkpoint, out, to=("coreml",), name="Small", classifier=True)
    assert bill.verdict == "pass", [one.reason for one in bill.comparisons]
    answer = classifier(Classify(out / "Small.mlpackage"))("ghbdtn")
    np.testing.assert_allclose(
        list(answer.probabilities.values()), expected(checkpoint, "ghbdtn"), atol=1e-2
    )


def test_what_the_network_does_not_see_is_said(checkpoint: Path) -> None:
    one = classifier(Classify(checkpoint))
    assert one("abc").notes == ()
    assert one("a漢b字漢" + "x" * 20).notes == (
        "the first 20 of 25 characters were looked at",
        "characters that the network does not know: '漢字'",
    )


# ----------------------------------------------------------------------------------------- refusals
def test_a_runtime_of_another_format(made: Path, checkpoint: Path) -> None:
    with pytest.raises(RequestError) as refused:
        classifier(Classify(made / "Small.onnx", runtime="mil"))
    assert refused.value.found == "an artifact of format onnx"
    with pytest.raises(RequestError) as refused:
        classifier(Classify(checkpoint, runtime="onnxruntime"))
    assert "a checkpoint runs in torch" in refused.value.expected


def test_settings_of_an_artifact(made: Path) -> None:
    with pytest.raises(RequestError) as refused:
        classifier(Classify(made / "Small.onnx", set={"heads": "4"}))
    assert refused.value.subject == "--set"


def test_an_artifact_that_is_no_text_classifier(tmp_path: Path) -> None:
    with torch.no_grad():
        torch.onnx.export(
            nn.Linear(3, 2), (torch.zeros(1, 3),), str(tmp_path / "a.onnx"), dynamo=False
        )
    with pytest.raises(InputError) as refused:
        classifier(Classify(tmp_path / "a.onnx"))
    assert refused.value.found.startswith("no word of lading's; inputs: ")
    assert refused.value.expected.startswith("a classifier")


def test_a_segmentation_network_is_no_classifier(small_checkpoint: Path) -> None:
    with pytest.raises(InputError) as refused:
        classifier(Classify(small_checkpoint))
    assert refused.value.found == "a segmentation network"


# ------------------------------------------------------------------------------------- command line
def run(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> tuple[int, list[str], list[str]]:
    status = cli.main(["classify", *arguments])
    said = capsys.readouterr()
    return status, said.out.splitlines(), said.err.splitlines()


def fed(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content), encoding="utf-8"))


def test_one_text_on_the_command_line(
    made: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = run([str(made / "Small.onnx"), "ghbdtn"], capsys)
    shares = expected(checkpoint, "ghbdtn")
    best = alphabet.LABELS[shares.argmax()]
    assert status == 0
    assert out[0] == f"{best} 'ghbdtn'"
    assert out[1].split() == [f"{100 * shares.max():.4f}", "%", best]
    assert len(out) == 10


def test_json_is_an_object_a_line(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run([str(made / "Small.onnx"), "ghbdtn", "привет", "--json"], capsys)
    assert (status, err) == (0, [])
    first, second = map(json.loads, out)
    assert (first["text"], second["text"]) == ("ghbdtn", "привет")
    assert set(first) == {"text", "label", "probabilities", "notes", "runtime"}
    assert sum(first["probabilities"].values()) == pytest.approx(1.0)


def test_lines_of_standard_input(
    made: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fed(monkeypatch, "ghbdtn\r\nпривет\n".encode())
    status, out, err = run([str(made / "Small.onnx")], capsys)
    assert (status, err) == (0, [])
    assert [line.split("\t")[2] for line in out] == ["ghbdtn", "привет"]
    assert all(line.split("\t")[0] in alphabet.LABELS for line in out)


def test_a_bad_line_is_told_and_the_others_go_on(
    made: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = b"ghbdtn\n\n" + b"\xff\n" + "漢字\nпривет".encode()
    fed(monkeypatch, content)
    status, out, err = run([str(made / "Small.onnx")], capsys)
    assert status == 2
    assert [line.split("\t")[2] for line in out] == ["ghbdtn", "привет"]
    told = [line for line in err if line.startswith("lading: ")]
    assert told == [
        "lading: line 2: text ''",
        "lading: line 3: text",
        "lading: line 4: text '漢字'",
    ]
    fed(monkeypatch, content)
    status, out, err = run([str(made / "Small.onnx"), "--json"], capsys)
    assert (status, err) == (2, [])
    assert [json.loads(line).get("line") for line in out] == [None, 2, 3, 4, None]


@pytest.mark.parametrize(
    ("text", "found"),
    [("", "an empty text"), ("漢", "no character that the network knows, in the first 1: '漢'")],
)
def test_texts_of_which_nothing_is_seen(
    made: Path, capsys: pytest.CaptureFixture[str], text: str, found: str
) -> None:
    status, out, err = run([str(made / "Small.onnx"), text], capsys)
    assert (status, out) == (2, [])
    assert err[1].split(maxsplit=1) == ["found", found]
    assert "any of the 188 characters space to ~" in err[2]


def test_quiet_prints_nothing_but_errors(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([str(made / "Small.onnx"), "abc", "--quiet"], capsys) == (0, [], [])


def test_a_checkpoint_with_another_vocabulary_is_one_clear_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = network.BasicCNN(PLAN).state_dict()
    state["embedding.weight"] = torch.zeros(120, 12)
    torch.save(state, tmp_path / "other.pth")
    status, _, err = run([str(tmp_path / "other.pth"), "abc", "--quiet"], capsys)
    text = " ".join(" ".join(err).split())
    assert status == 2
    assert "2 of 3 signs of Keyboard layout classifier" in text
    assert "an embedding of 189 characters (found 120)" in text
    assert text.count("lading:") == 1
