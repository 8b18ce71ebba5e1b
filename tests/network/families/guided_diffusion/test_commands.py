"""The family from the command line: --config, --set, --settle-with, and what they print."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lading import cli
from lading.network.families.guided_diffusion.network import Config, UNet

SHAPE = Config(1, 2, 32, 1, (2,), (1, 2), num_heads=2)
CONFIGURATION = "noise_schedule: cosine\nnum_heads: 2\nimage_size: 8\ndiffusion_steps: 400\n"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("unet") / "ema_0.9999.pt"
    torch.save(UNet(SHAPE).state_dict(), path)
    return path


def inspected(capsys: pytest.CaptureFixture[str], *arguments: object, status: int = 0) -> Any:
    assert cli.main(["inspect", "--json", *map(str, arguments)]) == status
    return json.loads(capsys.readouterr().out)


def values(shown: Any) -> dict[str, tuple[Any, str]]:
    return {one["name"]: (one["value"], one["evidence"]) for one in shown["hyperparameters"]}


def test_inspect_with_a_configuration(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "conf.yml").write_text(CONFIGURATION, encoding="utf-8")
    shown = inspected(capsys, checkpoint, "--config", tmp_path / "conf.yml")
    found = values(shown)
    assert found["noise_schedule"] == ("cosine", "side file")
    assert found["num_heads"] == (2, "side file")
    assert found["model_channels"] == (32, "tensors")
    assert found["use_new_attention_order"] == (False, "assumed")
    assert any("read the configuration" in step for step in shown["checkpoint"]["steps"])


def test_a_contradiction_stops_every_command_and_quotes_both(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "conf.yml").write_text("num_res_blocks: 2\n", encoding="utf-8")
    shown = inspected(capsys, checkpoint, "--config", tmp_path / "conf.yml", status=2)
    assert "tensors say 1 (" in shown["refused"]
    assert "side file says 2 (conf.yml: num_res_blocks)" in shown["refused"]
    with_it = ["convert", checkpoint, "--config", tmp_path / "conf.yml", "-o", tmp_path / "out"]
    assert cli.main([*map(str, with_it), "--quiet"]) == 2
    assert "num_res_blocks" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_configuration_that_is_not_there(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["inspect", str(checkpoint), "--config", str(tmp_path / "none.yml")]) == 2
    told = capsys.readouterr().err
    assert "none.yml" in told
    assert "No such file or directory" in told


def test_inspect_settles_with_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A network of known truth, of which all but the order of attention is told."""
    recipe = importlib.import_module("recipes.camus_diffusion.settling")
    trained = Path(__file__).parents[2] / "settling" / "truths" / "legacy_4_linear.pt"
    for number, picture in enumerate(recipe.pictures(16, np.random.default_rng(7))):
        np.save(tmp_path / f"{number}.npy", picture)
    fixed = {
        "image_size": 8, "diffusion_steps": 1000, "rescale_timesteps": "false", "num_heads": 4,
        "predict_xstart": "false", "num_heads_upsample": -1, "noise_schedule": "linear",
    }  # fmt: skip
    given = [word for name, value in fixed.items() for word in ("--set", f"{name}={value}")]
    shown = inspected(capsys, trained, "--settle-with", tmp_path, *given)
    (table,) = shown["settlings"]
    assert (table["kind"], table["pictures"], len(table["candidates"])) == ("attention", 16, 2)
    assert table["settled"] == {"use_new_attention_order": "false"}
    assert values(shown)["use_new_attention_order"] == (False, "measured")
    assert cli.main(["inspect", str(trained), "--settle-with", str(tmp_path), *given]) == 0
    told = capsys.readouterr().out
    assert "settled by noise prediction: attention, on 16 pictures" in told
    assert "measured: use_new_attention_order false" in told


def test_an_empty_folder_settles_nothing(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["inspect", str(checkpoint), "--settle-with", str(tmp_path)]) == 2
    assert "no picture or array in it" in capsys.readouterr().err
