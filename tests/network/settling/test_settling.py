"""Small networks whose truth is known: it is found or left open, and never missed with confidence.

`recipes/camus_diffusion/settling.py` made the checkpoints; the weights do not say how.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lading import checkpoint as checkpoints
from lading.errors import InputError, RequestError
from lading.network.families import recognise
from lading.network.settling import LEVELS, linear_error, moments, settle, settled
from lading.record import Recognition, Settling, from_json, to_json

recipe = importlib.import_module("recipes.camus_diffusion.settling")
TRUTHS = Path(__file__).parent / "truths"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Sixteen pictures that no network was trained on."""
    folder = tmp_path_factory.mktemp("pictures")
    paths = []
    for number, picture in enumerate(recipe.pictures(16, np.random.default_rng(99))):
        paths.append(folder / f"{number:02}.npy")
        np.save(paths[-1], picture)
    return paths


def silent(stage: str, detail: str) -> None:
    return None


def measure(name: str, files: Sequence[Path], **given: str) -> Recognition:
    torch.set_num_threads(1)
    checkpoint = checkpoints.read(TRUTHS / f"{name}.pt")
    family, recognition = recognise(checkpoint, {"image_size": "8", **given})
    return settled(checkpoint, family, recognition, files, silent)


def truth(name: str) -> dict[str, Any]:
    one = recipe.TRUTHS[name]
    return {
        "num_heads": one.heads,
        "num_head_channels": -1,
        "num_heads_upsample": -1,
        "use_new_attention_order": one.new_order,
        "noise_schedule": one.schedule,
        "diffusion_steps": 1000,
        "rescale_timesteps": False,
        "predict_xstart": False,
    }


def of(recognition: Recognition, evidence: str) -> dict[str, Any]:
    return {o.name: o.value for o in recognition.hyperparameters if o.evidence == evidence}


def table(recognition: Recognition, kind: str) -> Settling:
    return next(one for one in recognition.settlings if one.kind == kind)


#: What the sixteen pictures suffice for. Steps and rescaling no run can tell.
FOUND = {
    "legacy_4_linear": {"num_heads", "use_new_attention_order", "noise_schedule",
                        "predict_xstart", "num_heads_upsample", "num_head_channels"},
    "new_2_cosine": {"noise_schedule", "predict_xstart", "num_head_channels"},
    "new_8_linear": {"noise_schedule", "predict_xstart", "num_head_channels"},
    "one_cosine": {"num_heads", "noise_schedule", "predict_xstart", "num_head_channels"},
}  # fmt: skip


STEPS = {"diffusion_steps": "1000", "rescale_timesteps": "false"}


@pytest.mark.parametrize("name", FOUND)
def test_the_truth_is_found_or_left_open(name: str, files: list[Path]) -> None:
    # one of the four has to find its time among all that are possible
    given = {} if name == "new_2_cosine" else STEPS
    found, known = measure(name, files, **given), truth(name)
    measured = of(found, "measured")
    assert measured.items() <= known.items()
    assert set(measured) >= FOUND[name]
    assert {"diffusion_steps", "rescale_timesteps"}.isdisjoint(measured)
    for record in found.settlings:
        plausible = [one for one in record.candidates if one.plausible]
        assert record.candidates[0].plausible
        assert all(one.low > 0 for one in record.candidates if not one.plausible)
        assert all(one.samples >= 16 for one in record.candidates)
        # the truth is among those that are not called worse
        wanted = {name: known[name] for name in record.candidates[0].values}
        shown = {name: str(value).lower() for name, value in wanted.items()}
        told = ", ".join(f"{name} {value}" for name, value in shown.items())
        assert any(one.values == shown or told in one.also for one in plausible)
    assert from_json(Recognition, to_json(found)) == found


def test_what_is_undecided_says_why_and_what_else(files: list[Path]) -> None:
    found = measure("legacy_4_linear", files, num_heads="4", noise_schedule="linear")
    steps = next(one for one in found.hyperparameters if one.name == "diffusion_steps")
    assert (steps.value, steps.evidence) == (1000, "assumed")
    assert "no run tells them apart" in steps.source
    assert "4000" in steps.alternatives
    heads = next(one for one in found.hyperparameters if one.name == "num_heads")
    assert heads.evidence == "user"
    order = next(one for one in found.hyperparameters if one.name == "use_new_attention_order")
    assert (order.value, order.evidence) == (False, "measured")
    assert "16 pictures" in order.source
    assert len(table(found, "attention").candidates) == 2


def test_a_wrong_schedule_from_the_user_settles_no_time(files: list[Path]) -> None:
    found = measure(
        "one_cosine", files, noise_schedule="linear", num_heads="1", use_new_attention_order="false"
    )
    assert table(found, "time").outcome.startswith("none of the candidates: at a level of ")
    assert not table(found, "time").settled
    assert of(found, "assumed")["diffusion_steps"] in (100, 250, 500, 1000, 2000, 4000)


def test_a_network_that_never_saw_such_pictures_settles_nothing(files: list[Path]) -> None:
    torch.manual_seed(0)
    checkpoint = checkpoints.read(TRUTHS / "one_cosine.pt")
    random = {name: torch.randn_like(v.float()) * 0.05 for name, v in checkpoint.tensors.items()}
    checkpoint = replace(checkpoint, tensors=random)
    given = STEPS | {"image_size": "8", "num_heads": "1", "num_head_channels": "-1"}
    family, recognition = recognise(checkpoint, given)
    found = settled(checkpoint, family, recognition, files, silent)
    assert not of(found, "measured")
    assert all("no better than a multiple of the picture" in one.outcome for one in found.settlings)


def test_the_linear_guess_s_error_is_the_least_of_its_kind(files: list[Path]) -> None:
    clean = np.stack([np.load(path) for path in files])
    generator = np.random.default_rng(0)
    least = linear_error(clean)
    for place, kept in enumerate(LEVELS):
        noise = generator.standard_normal((400, *clean.shape))
        noisy = kept**0.5 * clean + (1 - kept) ** 0.5 * noise
        by_fit = ((noise - noisy * (noise * noisy).sum() / (noisy**2).sum()) ** 2).mean()
        assert by_fit == pytest.approx(least[place], rel=0.01)  # 400k draws: 0.3 %


def test_the_time_of_a_level() -> None:
    values = {"noise_schedule": "linear", "diffusion_steps": 1000, "rescale_timesteps": False}
    # by hand: what is kept of the linear schedule passes a half between its steps 258 and 259
    assert 256 <= moments(values)[2] <= 261
    long = {**values, "diffusion_steps": 4000}
    assert moments(long)[2] == pytest.approx(4 * moments(values)[2], abs=4)
    assert moments({**long, "rescale_timesteps": True})[2] == moments(long)[2] / 4


# --------------------------------------------------------------------------------------- refusals
def test_too_few_pictures(files: list[Path]) -> None:
    with pytest.raises(RequestError) as refused:
        measure("one_cosine", files[:3])
    assert refused.value.found == "3 pictures"
    assert refused.value.expected == "at least 4; 16 or more tell better"


def test_pictures_of_other_channels(files: list[Path], tmp_path: Path) -> None:
    np.save(tmp_path / "rgb.npy", np.zeros((3, 8, 8), np.float32))
    with pytest.raises(InputError, match=r"rgb\.npy"):
        measure("one_cosine", [*files[:4], tmp_path / "rgb.npy"])


def test_networks_that_pictures_alone_do_not_settle(files: list[Path]) -> None:
    from lading.checkpoint import Checkpoint
    from lading.network.families.guided_diffusion.network import UNet
    from lading.record import CheckpointRecord

    record = CheckpointRecord("unet.pt", "0" * 64, 1, "torch zip")
    for shape, said in (
        (replace(recipe.NETWORK, num_classes=3), "a class-conditional network"),
        (replace(recipe.NETWORK, dims=1), "1-D"),
    ):
        _, recognition = recognise(Checkpoint(record, UNet(shape).state_dict()), {})
        with pytest.raises(RequestError) as refused:
            settle(recognition, lambda values: nn.Identity(), files, silent)
        assert refused.value.found == said
