"""Configurations: guided-diffusion's and RePaint's names, where sources disagree, and bad files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from lading import checkpoint as checkpoints
from lading.checkpoint import Checkpoint, read_config, with_config
from lading.errors import ConflictError, RecognitionError, RequestError
from lading.network.families import recognise, require_settled
from lading.network.families.guided_diffusion import FAMILY, config
from lading.network.families.guided_diffusion.network import Config, UNet
from lading.record import CheckpointRecord, Recognition

RECORD = CheckpointRecord("unet.pt", "0" * 64, 1, "torch zip")
#: As RePaint's are: flat names, texts as on a command line, and sections about other things.
REPAINT = """
attention_resolutions: 16,8
class_cond: false
diffusion_steps: 1000
learn_sigma: true
noise_schedule: cosine
num_channels: 64
num_head_channels: 64
num_heads: 4
num_res_blocks: 3
resblock_updown: false
use_fp16: false
use_scale_shift_norm: true
classifier_scale: 4.0
lr_kernel_n_std: 2
num_samples: 100
show_progress: true
timestep_respacing: '250'
use_kl: false
predict_xstart: false
rescale_timesteps: true
rescale_learned_sigmas: false
classifier_pool: attention
num_heads_upsample: -1
channel_mult: ''
dropout: 0.0
use_new_attention_order: true
image_size: 256
model_path: CAMUS_diffusion_model.pt
name: test
inpa_inj_sched_prev: true
schedule_jump_params:
  t_T: 250
  n_sample: 1
  jump_length: 10
  jump_n_sample: 10
data:
  eval:
    paper:
      image_size: 64
"""


def described(shape: Config, **metadata: Any) -> Checkpoint:
    with torch.device("meta"):
        return Checkpoint(RECORD, UNet(shape).state_dict(), metadata=metadata)


@pytest.fixture(scope="module")
def full() -> Checkpoint:
    return described(Config())


def told(checkpoint: Checkpoint, text: str, folder: Path, **given: str) -> Recognition:
    path = folder / "conf.yml"
    path.write_text(text, encoding="utf-8")
    return recognise(with_config(checkpoint, path), given)[1]


def evidence(recognition: Recognition, name: str) -> tuple[Any, str, str]:
    one = next(one for one in recognition.hyperparameters if one.name == name)
    return one.value, one.evidence, one.source


# ----------------------------------------------------------------------------------- what it says
def test_a_configuration_of_repaint(full: Checkpoint, tmp_path: Path) -> None:
    found = told(full, REPAINT, tmp_path)
    assert not found.conflicts
    assert config(found) == replace(Config(), num_head_channels=64, use_new_attention_order=True)
    assert evidence(found, "noise_schedule") == (
        "cosine", "side file", "conf.yml: noise_schedule",
    )  # fmt: skip
    assert evidence(found, "image_size") == ([256, 256], "side file", "conf.yml: image_size")
    assert evidence(found, "timestep_respacing")[0] == "250"
    assert evidence(found, "rescale_timesteps")[:2] == (True, "side file")
    assert evidence(found, "channel_mult")[1] == "tensors"
    assumed = [one.name for one in found.hyperparameters if one.evidence == "assumed"]
    assert assumed == ["norm_groups", "norm_eps"]
    assert FAMILY.build(found).task.notes["timestep_respacing"] == "250"


def test_the_same_names_in_sections_and_in_json(full: Checkpoint, tmp_path: Path) -> None:
    flat = yaml.safe_load(REPAINT)
    nested = {
        "model": {name: flat[name] for name in ("num_head_channels", "use_new_attention_order")},
        "process": {"diffusion": {"noise_schedule": "cosine"}},
        "wandb": {"project": "x"},
    }
    (tmp_path / "conf.json").write_text(json.dumps(nested), encoding="utf-8")
    found = recognise(with_config(full, tmp_path / "conf.json"), {})[1]
    assert found["num_head_channels"] == 64
    assert found["use_new_attention_order"] is True
    assert found["noise_schedule"] == "cosine"
    assert evidence(found, "config_unread") == (["wandb.project"], "side file", "conf.json")


def test_the_file_and_its_digest_are_noted(full: Checkpoint, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("num_heads: 2\n", encoding="utf-8")
    steps = with_config(full, tmp_path / "c.yaml").record.steps
    assert steps[-1].startswith(f"read the configuration {tmp_path / 'c.yaml'} (sha256 ")


def test_resolutions_beside_the_tensors_say_the_image_size(
    full: Checkpoint, tmp_path: Path
) -> None:
    found = told(full, "attention_resolutions: 32,16", tmp_path)
    value, kind, source = evidence(found, "image_size")
    assert (value, kind) == ([512, 512], "side file")
    assert source == "conf.yml: attention_resolutions 32,16 beside the tensors"
    assert not found.conflicts


def test_super_resolution_by_its_sizes(tmp_path: Path) -> None:
    shape = Config(1, 2, 32, 1, (2,), (1, 2), super_resolution=True)
    found = told(described(shape), "large_size: 64\nsmall_size: 16\n", tmp_path)
    assert config(found) == shape
    assert (found["image_size"], found["small_size"]) == ([64, 64], [16, 16])
    assert found["learn_sigma"] is True


@pytest.mark.parametrize("section", ["args", "config", ""])
def test_the_trainer_s_own_arguments_in_the_file(section: str, tmp_path: Path) -> None:
    said = {"noise_schedule": "cosine", "num_heads": 2, "lr": 1e-4, "image_size": 64}
    with_them = {section: said} if section else said
    checkpoint = described(Config(), **with_them)
    found = recognise(checkpoint, {})[1]
    where = f"{section}.num_heads" if section else "num_heads"
    assert evidence(found, "num_heads") == (2, "embedded", where)
    assert found["noise_schedule"] == "cosine"
    assert found["image_size"] == [64, 64]


def test_a_namespace_pickled_beside_the_tensors(tmp_path: Path) -> None:
    import argparse

    shape = Config(1, 2, 32, 1, (2,), (1, 2))
    arguments = argparse.Namespace(noise_schedule="cosine", num_heads=2)
    torch.save({"state_dict": UNet(shape).state_dict(), "args": arguments}, tmp_path / "m.pt")
    found = recognise(checkpoints.read(tmp_path / "m.pt"), {})[1]
    assert evidence(found, "noise_schedule") == ("cosine", "embedded", "args.noise_schedule")


# ----------------------------------------------------------------------------------- disagreement
@pytest.mark.parametrize(
    ("line", "name", "theirs", "proven"),
    [
        ("num_res_blocks: 2", "num_res_blocks", "2", "3"),
        ("num_channels: 128", "model_channels", "128", "64"),
        ("channel_mult: 1,2,3,4", "channel_mult", "1,2,3,4", "1,1,2,2,4,4"),
        ("image_size: 64\nchannel_mult: ''", "channel_mult", "1,2,3,4", "1,1,2,2,4,4"),
        ("image_size: 256\nattention_resolutions: 32,16,8", "attention_resolutions", "8,16,32",
         "16,32"),
        ("class_cond: true", "class_cond", "true", "false"),
        ("learn_sigma: false", "learn_sigma", "false", "true"),
        ("in_channels: 1", "in_channels", "1", "3"),
        ("use_scale_shift_norm: false", "use_scale_shift_norm", "false", "true"),
        ("resblock_updown: true", "resblock_updown", "true", "false"),
        ("large_size: 256\nsmall_size: 64", "super_resolution", "true", "false"),
    ],
)  # fmt: skip
def test_a_configuration_that_contradicts_the_tensors_stops_the_run(
    full: Checkpoint, tmp_path: Path, line: str, name: str, theirs: str, proven: str
) -> None:
    found = told(full, line, tmp_path)
    assert [one.name for one in found.conflicts] == [name]
    with pytest.raises(ConflictError) as stopped:
        require_settled(found)
    assert f"{name}: tensors say {proven} (" in stopped.value.found
    assert f"but side file says {theirs} (conf.yml: " in stopped.value.found
    assert f"--set {name}={proven}" in stopped.value.remedy
    settled = told(full, line, tmp_path, **{name: proven})
    require_settled(settled)
    assert settled[name] == next(o.value for o in found.hyperparameters if o.name == name)


def test_a_configuration_against_the_file_s_own_words(tmp_path: Path) -> None:
    checkpoint = described(Config(), args={"noise_schedule": "cosine", "num_heads": 4})
    found = told(checkpoint, "noise_schedule: linear\nnum_heads: 4", tmp_path)
    with pytest.raises(ConflictError) as stopped:
        require_settled(found)
    assert stopped.value.found == (
        "noise_schedule: embedded says cosine (args.noise_schedule), "
        "but side file says linear (conf.yml: noise_schedule)"
    )
    chosen = told(checkpoint, "noise_schedule: linear", tmp_path, noise_schedule="linear")
    require_settled(chosen)
    assert chosen["noise_schedule"] == "linear"
    assert chosen.conflicts[0].settled == "side file"


def test_a_setting_over_a_configuration_is_told(full: Checkpoint, tmp_path: Path) -> None:
    found = told(full, "noise_schedule: linear", tmp_path, noise_schedule="cosine")
    require_settled(found)
    assert evidence(found, "noise_schedule")[:2] == ("cosine", "user")
    assert [c.value for c in found.conflicts[0].claims] == ["linear", "cosine"]


# --------------------------------------------------------------------------------------- bad files
def refused(checkpoint: Checkpoint, text: str, folder: Path) -> RequestError:
    with pytest.raises(RequestError) as error:
        told(checkpoint, text, folder)
    return error.value


def test_an_unknown_name_close_to_a_known_one(full: Checkpoint, tmp_path: Path) -> None:
    error = refused(full, "model:\n  noise_shedule: linear\n", tmp_path)
    assert error.subject == "--config conf.yml: model.noise_shedule"
    assert error.found == "the unknown name 'noise_shedule'"
    assert error.remedy == "did you mean noise_schedule?"


def test_two_values_for_one_name(full: Checkpoint, tmp_path: Path) -> None:
    error = refused(full, "num_channels: 64\nmodel:\n  model_channels: 32\n", tmp_path)
    assert error.found == "32, and 64 elsewhere in the file"
    assert "'num_heads' twice" in refused(full, "num_heads: 1\nnum_heads: 2", tmp_path).found


def test_a_file_of_something_else(full: Checkpoint, tmp_path: Path) -> None:
    error = refused(full, "learning: 1\nepochs: 2\n", tmp_path)
    assert error.found == "no name that describes a diffusion UNet, but learning, epochs"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("num_heads: [1, 2", "while parsing a flow sequence"),
        ("", "an empty file"),
        ("- 1\n- 2", "a list at its top"),
        ("just words", "a str at its top"),
        ("1: 2", "names that are no texts"),
        ("x: !!python/object/apply:os.system ['true']", "could not determine a constructor"),
        ("[" * 5000, "too deep"),
    ],
)
def test_a_file_that_is_no_configuration(
    full: Checkpoint, tmp_path: Path, text: str, found: str
) -> None:
    error = refused(full, text, tmp_path)
    assert found in error.found
    assert error.subject == f"--config {tmp_path / 'conf.yml'}"
    assert error.expected == "a configuration in YAML or JSON: names with their values"


def test_a_file_that_is_not_there(full: Checkpoint, tmp_path: Path) -> None:
    with pytest.raises(RequestError) as error:
        read_config(tmp_path / "none.yml")
    assert error.value.found == "No such file or directory"
    (tmp_path / "w.pt").write_bytes(b"\x80\x02\xff")
    with pytest.raises(RequestError, match=r"w\.pt") as error:
        read_config(tmp_path / "w.pt")
    assert error.value.found == "bytes that are no UTF-8 text"


def test_sections_without_end_are_refused(full: Checkpoint, tmp_path: Path) -> None:
    error = refused(full, "a: &a\n  num_heads: 2\n  b: *a\n", tmp_path)
    assert error.found == "something that holds itself"


def test_sections_that_multiply(full: Checkpoint, tmp_path: Path) -> None:
    rows = ["a0: &a0 {num_heads: 2}"]
    rows += [
        f"a{n}: &a{n} {{" + ", ".join(f"k{i}: *a{n - 1}" for i in range(9)) + "}"
        for n in range(1, 10)
    ]
    assert "counted wherever they are shared" in refused(full, "\n".join(rows), tmp_path).found


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("noise_schedule: squaredcos_cap_v2", "one of linear, cosine"),
        ("num_heads: four", "a whole number of at least 1"),
        ("use_new_attention_order: maybe", "true or false"),
        ("num_head_channels: 0", "a whole number of at least 1, or -1 for the default"),
        ("timestep_respacing: often", "'' for every step, 250, ddim50"),
    ],
)
def test_values_that_cannot_be(full: Checkpoint, tmp_path: Path, line: str, expected: str) -> None:
    with pytest.raises(RecognitionError) as error:
        told(full, line, tmp_path)
    assert expected in error.value.expected
    assert "conf.yml" in error.value.subject


def test_an_image_that_the_network_cannot_halve(full: Checkpoint, tmp_path: Path) -> None:
    error = refused(full, "image_size: 200", tmp_path)
    assert error.subject == "image_size: conf.yml: image_size"
    assert error.remedy == "use 192 or 224"


def test_a_family_without_a_configuration_says_so(tmp_path: Path) -> None:
    import importlib

    author = importlib.import_module("recipes.keyboard_layout.network")
    (tmp_path / "c.yml").write_text("num_heads: 2\n", encoding="utf-8")
    checkpoint = Checkpoint(RECORD, author.LayoutCNN().state_dict())
    with pytest.raises(RequestError, match=r"--config c\.yml"):
        recognise(with_config(checkpoint, tmp_path / "c.yml"), {})
