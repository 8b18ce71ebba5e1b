"""One picture through one artifact: what is done to it is said, what comes out can be saved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lading.conversion.capture import capture
from lading.errors import InputError, ProgramError, RequestError, RuntimeUnavailableError
from lading.formats import format_named
from lading.interface import Options, Sizes
from lading.interface.original import TorchSide
from lading.interface.settings import Settings
from lading.job.request import Run
from lading.job.run import Applied, run
from lading.job.saved import save
from lading.record import to_json
from lading.task.pictures import normalise
from tests.toys import LABELS, interface

PIXELS = np.random.default_rng(0).integers(0, 256, (16, 16), np.uint8)
KINDS = {
    "bare": Options(),
    "baked": Options(bake=("zscore",)),
    "labels": Options("labels", ("zscore",)),
    "picture": Options("probabilities", ("zscore",), "grayscale"),
}


def artifact(folder: Path, options: Options, kind: str = "onnx", **facts: str) -> Path:
    one = interface(options)
    told = {
        "lading.task": json.dumps(to_json(one.task)),
        "lading.options": json.dumps(to_json(options)),
        **facts,
    }
    path = folder / f"net{format_named(kind).suffix}"
    settings = Settings(precision="fp32", facts={k: v for k, v in told.items() if v})
    captured = capture(one, "trace", axes=format_named(kind).axes(options))
    format_named(kind).convert(captured, settings, path)
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    paths = {}
    for name, options in KINDS.items():
        folder = tmp_path_factory.mktemp(name)
        paths[name] = artifact(folder, options, "coreml" if name == "picture" else "onnx")
        Image.fromarray(PIXELS).save(folder / "a.png")
    return paths


@pytest.mark.parametrize("name", KINDS)
def test_a_picture_goes_through(made: dict[str, Path], name: str) -> None:
    applied = run(Run(made[name], input=[str(made[name].parent / "a.png")]))
    x = PIXELS[None].astype(np.float32)
    fed = normalise(x) if name == "bare" else x
    expected = TorchSide(interface(KINDS[name])).run({"image": fed[None]})[applied.port.name]
    np.testing.assert_allclose(applied.output, expected, rtol=1e-4, atol=1e-4)
    assert applied.labels == LABELS
    assert applied.notes == (("normalised: zscore",) if name == "bare" else ())
    wanted = expected[0] if name == "labels" else expected[0].argmax(axis=0)
    assert (applied.label_map == wanted).mean() > 0.99  # ties aside
    assert [one.name for one in applied.classes] == list(LABELS)
    assert sum(one.share for one in applied.classes) == pytest.approx(1)


def test_an_array_of_the_exact_shape_is_fed_as_it_is(made: dict[str, Path], tmp_path: Path) -> None:
    x = np.random.default_rng(1).standard_normal((1, 1, 16, 16))
    np.save(tmp_path / "a.npy", x)
    applied = run(Run(made["bare"], input=[str(tmp_path / "a.npy")]))
    assert applied.notes == ("fed as it is",)
    expected = TorchSide(interface()).run({"image": x.astype(np.float32)})["logits"]
    np.testing.assert_allclose(applied.output, expected, rtol=1e-4, atol=1e-4)


def test_another_size_is_resampled_and_said(made: dict[str, Path], tmp_path: Path) -> None:
    Image.fromarray(PIXELS[:12, :10]).save(tmp_path / "a.png")
    applied = run(Run(made["baked"], input=[str(tmp_path / "a.png")]))
    assert applied.notes == (
        "resampled from 12x10 to 16x16, bilinear", "labels put back to 12x10: scores resampled"
    )  # fmt: skip
    assert applied.label_map is not None
    assert applied.label_map.shape == (12, 10)


def test_where_the_size_is_open_a_picture_keeps_its_own(tmp_path: Path) -> None:
    path = artifact(tmp_path, Options(dynamic=("size",)))
    Image.fromarray(PIXELS[:13, :10]).save(tmp_path / "a.png")
    applied = run(Run(path, input=[str(tmp_path / "a.png")]))
    assert applied.output.shape == (1, 3, 12, 10)
    assert applied.notes[0] == "resampled from 13x10 to 12x10, bilinear"


def test_wrong_requests(made: dict[str, Path]) -> None:
    picture = made["bare"].parent / "a.png"
    with pytest.raises(RequestError) as caught:
        run(Run(made["bare"], input=[str(picture)], runtime="mil"))
    assert caught.value.found == "an artifact of format onnx"
    assert caught.value.expected == "onnxruntime"
    with pytest.raises(InputError):
        run(Run(made["bare"], input=[str(picture.with_name("none.png"))]))
    with pytest.raises(RequestError):
        run(Run(picture, input=[str(picture)]))


def test_core_ml_off_a_mac_is_not_there(
    made: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    import platform

    monkeypatch.setattr(platform, "system", lambda: "Linux")
    with pytest.raises(RuntimeUnavailableError):
        run(Run(made["picture"], input=[str(made["picture"].parent / "a.png")], runtime="coreml"))


@pytest.mark.parametrize("noted", ["no json", "[]", '{"kind": 3}', '{"colour": "red"}'])
def test_notes_that_cannot_be_read(tmp_path: Path, noted: str) -> None:
    path = artifact(tmp_path, Options(), **{"lading.task": noted})
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    with pytest.raises(ProgramError) as caught:
        run(Run(path, input=[str(tmp_path / "a.png")]))
    assert caught.value.found.startswith("notes of lading's that cannot be read: ")


def test_an_artifact_of_somebody_else(tmp_path: Path) -> None:
    path = artifact(tmp_path, Options(), **{"lading.task": "", "lading.options": ""})
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    applied = run(Run(path, input=[str(tmp_path / "a.png")]))
    assert (applied.labels, applied.label_map, applied.classes) == ((), None, ())


class Several(torch.nn.Module):
    """Two inputs, two outputs, and something that is remembered."""

    seen: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(2, dtype=torch.float16))

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.seen.add_(x)
        return self.seen * t, x - t


def test_several_inputs_and_outputs_and_a_state(tmp_path: Path) -> None:
    import coremltools as ct

    pair = (torch.zeros(2), torch.zeros(1))
    traced = torch.jit.trace(Several(), pair)  # type: ignore[no-untyped-call]
    model = ct.convert(
        traced,
        inputs=[ct.TensorType("x", (2,), np.float16), ct.TensorType("t", (1,), np.float16)],
        outputs=[ct.TensorType("held"), ct.TensorType("less")],
        states=[ct.StateType(ct.TensorType(shape=(2,), dtype=np.float16), "seen")],
        minimum_deployment_target=ct.target.iOS18, skip_model_load=True,
    )  # fmt: skip
    model.save(str(tmp_path / "net.mlpackage"))
    for _ in range(2):  # each run from a fresh state
        applied = run(Run(tmp_path / "net.mlpackage", input=["x=1,2", "t=4"]))
        assert {name: one.tolist() for name, one in applied.outputs.items()} == {
            "held": [4.0, 8.0], "less": [-3.0, -2.0]
        }  # fmt: skip
    save(applied, Run("net.mlpackage", out=tmp_path / "all.npz"))
    with np.load(tmp_path / "all.npz") as kept:
        assert {name: kept[name].tolist() for name in kept.files} == {
            "held": [4.0, 8.0], "less": [-3.0, -2.0]
        }  # fmt: skip
    with pytest.raises(InputError) as caught:
        run(Run(tmp_path / "net.mlpackage", input=["x=1,2"]))
    assert caught.value.remedy == "give 't' a value"


# ------------------------------------------------------------------------ sizes, and the way back
@pytest.mark.parametrize("kind", ["coreml", "onnx"])
def test_a_flexible_file_takes_the_picture_at_the_size_it_has(kind: str, tmp_path: Path) -> None:
    path = artifact(tmp_path, Options(sizes=Sizes.parse("16..32x16..32")), kind)
    Image.fromarray(np.tile(PIXELS, (2, 2))[:26, :21]).save(tmp_path / "a.png")
    applied = run(Run(path, input=[str(tmp_path / "a.png")]))
    # its own size: as far as the multiple of 2 allows, or the one of the list that is nearest
    assert applied.output.shape == (1, 3, 26, 22 if kind == "coreml" else 20)
    assert applied.label_map is not None
    assert applied.label_map.shape == (26, 21)


def test_of_listed_sizes_the_nearest_is_taken(tmp_path: Path) -> None:
    path = artifact(tmp_path, Options(sizes=Sizes.parse("16x16,32x24")), "coreml")
    Image.fromarray(np.tile(PIXELS, (2, 2))[:30, :22]).save(tmp_path / "a.png")
    assert run(Run(path, input=[str(tmp_path / "a.png")])).output.shape == (1, 3, 32, 24)


def applied_with(output: Any, label_map: Any, **more: Any) -> Applied:
    return Applied(output, interface().outputs[0], LABELS, label_map, (), "some", **more)


def test_the_legend_has_every_class_and_those_without_a_name() -> None:
    told = applied_with(np.zeros(1), np.array([[0, 4]])).classes
    assert {one.name: one.share for one in told} == {
        "background": 0.5, "ventricle": 0, "muscle": 0, "class 3": 0, "class 4": 0.5
    }  # fmt: skip
    assert told[1].colour == "#e69f00"


def test_of_a_whole_sample_the_likeliest_class_comes_first() -> None:
    probabilities = np.array([0.25, 0.5, 0.25])
    told = applied_with(np.zeros(1), None, label=1, probabilities=probabilities).classes
    assert [(one.name, one.share) for one in told] == [
        ("ventricle", 0.5), ("background", 0.25), ("muscle", 0.25)
    ]  # fmt: skip
