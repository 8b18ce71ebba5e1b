"""Recognition from tensors: any network of the family, built, reduced to its tensors, read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lading import checkpoint as checkpoints
from lading.checkpoint import Checkpoint, ledger
from lading.errors import LedgerError, RecognitionError, RequestError
from lading.network.families import Rebuilt, recognise
from lading.network.families.guided_diffusion import FAMILY, config
from lading.network.families.guided_diffusion.network import Config, UNet
from lading.record import CheckpointRecord

RECORD = CheckpointRecord("unet.pt", "0" * 64, 1, "torch zip")
SMALL = Config(1, 2, 32, 1, (2,), (1, 2))


def of(tensors: Mapping[str, torch.Tensor], **more: Any) -> Checkpoint:
    return Checkpoint(RECORD, dict(tensors), **more)


def described(shape: Config) -> Checkpoint:
    with torch.device("meta"):
        return of(UNet(shape).state_dict())


def drawn(shape: Config, seed: int = 0) -> UNet:
    """Every value random; the last layers of the blocks would else be zeros."""
    module = UNet(shape).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in module.parameters():
            value.copy_(0.1 * torch.randn(value.shape, generator=generator))
    return module


def rebuild(
    checkpoint: Checkpoint, given: Mapping[str, str] | None = None
) -> tuple[Rebuilt, ledger.Ledger]:
    family, recognition = recognise(checkpoint, given or {})
    assert family is FAMILY
    rebuilt = family.build(recognition)
    return rebuilt, ledger.close(rebuilt.module, checkpoint, rebuilt.unused, rebuilt.spellings)


# ------------------------------------------------------------------------------------ round trips
@st.composite
def configs(draw: st.DrawFn) -> Config:
    """Any network that the tensors describe; what they leave open has its default."""
    levels = draw(st.integers(1, 4))
    base = draw(st.sampled_from([32, 64]))
    least = [1, 1.5, 2, 3] if base == 32 else [0.5, 1, 1.5, 2]
    widths = [m for m in least if m * base % 32 == 0]
    factors = draw(st.sets(st.sampled_from([2**n for n in range(levels)])))
    updown = levels > 1 and draw(st.booleans())
    conv = levels == 1 or updown or draw(st.booleans())
    upscales = draw(st.booleans())
    own = draw(st.sampled_from([1, 2, 3, 5]))
    learned = draw(st.booleans())
    if upscales and learned:
        own = 3  # other such networks look like plain ones
    elif not upscales and not learned and own == 6:
        own = 3
    return Config(
        in_channels=own,
        out_channels=own * (2 if learned else 1),
        model_channels=base,
        num_res_blocks=draw(st.integers(1, 3)),
        attention_resolutions=tuple(sorted(factors)),
        channel_mult=tuple(draw(st.lists(st.sampled_from(widths), min_size=levels,
                                         max_size=levels))),
        conv_resample=conv,
        dims=draw(st.sampled_from([1, 2, 3])),
        num_classes=draw(st.sampled_from([None, 1, 10])),
        use_scale_shift_norm=draw(st.booleans()),
        resblock_updown=updown,
        super_resolution=upscales,
        num_heads=1,
    )  # fmt: skip


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(configs())
def test_every_configuration_is_read_back(shape: Config) -> None:
    checkpoint = described(shape)
    _, recognition = recognise(checkpoint, {"num_heads": "1"})
    assert config(recognition) == shape
    assert recognition["learn_sigma"] == (shape.out_channels == 2 * shape.in_channels)


def test_the_full_network() -> None:
    _, recognition = recognise(described(Config()), {})
    assert config(recognition) == Config()
    evidence = {one.name: one.evidence for one in recognition.hyperparameters}
    assert {name for name, kind in evidence.items() if kind == "assumed"} == {
        "norm_groups", "norm_eps", "num_heads", "num_head_channels",
        "num_heads_upsample", "use_new_attention_order", "image_size", "diffusion_steps",
        "noise_schedule", "timestep_respacing", "rescale_timesteps", "predict_xstart",
        "rescale_learned_sigmas",
    }  # fmt: skip
    assert recognition["image_size"] == [256, 256]
    assert not recognition.conflicts
    assumed = [one for one in recognition.hyperparameters if one.evidence == "assumed"]
    heads = next(one for one in assumed if one.name == "num_heads")
    assert heads.value == 4
    assert heads.alternatives == ("1", "2", "4", "8", "16", "32", "64", "128", "256")
    assert all(one.source for one in assumed)


@pytest.mark.parametrize(
    ("taken", "given", "expected"),
    [
        ((3, False), 6, (3, False, True)),
        ((3, False), 3, (3, False, False)),
        ((3, True), 6, (3, True, True)),
        ((3, True), 3, (3, True, False)),
        ((2, False), 2, (2, False, False)),
    ],
)
def test_channels_tell_variance_and_super_resolution(
    taken: tuple[int, bool], given: int, expected: tuple[int, bool, bool]
) -> None:
    shape = replace(SMALL, in_channels=taken[0], super_resolution=taken[1], out_channels=given)
    _, found = recognise(described(shape), {})
    assert (found["in_channels"], found["super_resolution"], found["learn_sigma"]) == expected


def test_as_many_channels_out_as_in_is_for_the_user_to_tell() -> None:
    shape = replace(SMALL, in_channels=1, super_resolution=True, out_channels=2)
    _, plain = recognise(described(shape), {})
    told = next(one for one in plain.hyperparameters if one.name == "super_resolution")
    assert (told.value, told.evidence, told.alternatives) == (False, "assumed", ("true",))
    for setting in ("learn_sigma", "super_resolution"):
        _, found = recognise(described(shape), {setting: "true"})
        assert config(found) == replace(shape, num_heads=config(found).num_heads)
        assert found["learn_sigma"]


# ------------------------------------------------------------------------------------------ files
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.module.", "model."])
@pytest.mark.parametrize("container", ["", "state_dict", "ema"])
def test_files_in_every_form_rebuild_to_the_bit(
    tmp_path: Path, prefix: str, container: str
) -> None:
    original = drawn(replace(SMALL, num_classes=3))
    state: Any = {prefix + name: value for name, value in original.state_dict().items()}
    if container:
        state = {container: state, "step": 7, "lr": 1e-4}
    if container == "ema":
        state["model"] = {name: torch.zeros_like(v) for name, v in state["ema"].items()}
    torch.save(state, tmp_path / "ema_0.9999_000007.pt")
    rebuilt, closed = rebuild(checkpoints.read(tmp_path / "ema_0.9999_000007.pt"))
    assert closed.summary.unused == closed.summary.unexplained == 0
    assert closed.summary.parameters == sum(p.numel() for p in original.parameters())
    x, t, y = torch.randn(2, 1, 8, 8), torch.tensor([3, 500]), torch.tensor([0, 2])
    with torch.inference_mode():
        assert torch.equal(rebuilt.module(x, t, y), original(x, t, y))


def test_a_file_in_half_precision_is_read(tmp_path: Path) -> None:
    original = drawn(SMALL)
    torch.save({n: v.half() for n, v in original.state_dict().items()}, tmp_path / "half.pt")
    rebuilt, _ = rebuild(checkpoints.read(tmp_path / "half.pt"))
    assert torch.equal(
        rebuilt.module.out[2].weight, original.out[2].weight.half().float()
    )  # fmt: skip


# ------------------------------------------------------------------------------------------- task
def test_the_task_of_a_class_conditional_network() -> None:
    shape = replace(SMALL, num_classes=3)
    given = {"diffusion_steps": "400", "image_size": "16", "noise_schedule": "cosine"}
    rebuilt, _ = rebuild(of(drawn(shape).state_dict()), given)
    x, t, y = rebuilt.task.inputs
    assert rebuilt.task.kind == "diffusion"
    assert (x.name, x.dtype, x.shape, x.multiples) == ("x", "float32", (1, 1, 16, 16), (1, 1, 2, 2))
    assert (t.name, t.dtype, t.shape, t.value_range) == ("timesteps", "int32", (1,), (0.0, 399.0))
    assert (y.name, y.dtype, y.shape, y.value_range) == ("y", "int32", (1,), (0.0, 2.0))
    (out,) = rebuilt.task.outputs
    assert out.shape == (1, 2, 16, 16)
    assert out.meaning.startswith("predicted noise in channels 0 to 0")
    notes = rebuilt.task.notes
    assert notes["noise_schedule"] == "cosine"
    assert notes["diffusion_steps"] == "400"
    assert notes["learn_sigma"] == "true"
    assert notes["image_size"] == "16,16"


def test_the_task_of_a_super_resolution_network() -> None:
    shape = replace(SMALL, in_channels=3, out_channels=6, super_resolution=True)
    rebuilt, _ = rebuild(of(drawn(shape).state_dict()), {"image_size": "64", "small_size": "16"})
    assert [(p.name, p.shape) for p in rebuilt.task.inputs] == [
        ("x", (1, 3, 64, 64)),
        ("timesteps", (1,)),
        ("low_res", (1, 3, 16, 16)),
    ]


def test_rescaled_timesteps_are_real_numbers() -> None:
    given = {"rescale_timesteps": "true", "diffusion_steps": "4000"}
    rebuilt, _ = rebuild(of(drawn(SMALL).state_dict()), given)
    t = rebuilt.task.inputs[1]
    assert (t.dtype, t.value_range) == ("float32", (0.0, 999.75))
    assert rebuilt.task.notes["timestep_scale"] == "0.25"
    same, _ = rebuild(of(drawn(SMALL).state_dict()), {"rescale_timesteps": "true"})
    assert same.task.inputs[1].dtype == "int32"


def test_a_volume_is_halved_on_its_last_two_axes() -> None:
    shape = replace(SMALL, dims=3)
    rebuilt, _ = rebuild(of(drawn(shape).state_dict()), {"image_size": "5x8x8"})
    assert rebuilt.task.inputs[0].shape == (1, 1, 5, 8, 8)
    assert rebuilt.task.inputs[0].multiples == (1, 1, 1, 2, 2)


# --------------------------------------------------------------------------------------- refusals
def test_a_file_that_lost_a_tensor() -> None:
    state = dict(drawn(SMALL).state_dict())
    del state["input_blocks.1.0.out_layers.3.weight"]
    with pytest.raises(RecognitionError) as refused:
        recognise(of(state), {})
    assert refused.value.found == "no tensor input_blocks.1.0.out_layers.3.weight"
    state = dict(drawn(SMALL).state_dict())
    del state["middle_block.0.out_layers.3.bias"]
    with pytest.raises(LedgerError):
        rebuild(of(state))


def test_a_file_that_lost_a_block() -> None:
    state = {n: v for n, v in drawn(SMALL).state_dict().items() if "output_blocks.3." not in n}
    with pytest.raises(RecognitionError, match=r"unet\.pt") as refused:
        recognise(of(state), {})
    assert "output_blocks 0, 1, 2 beside input_blocks 0, 1, 2, 3" in refused.value.found


def test_attention_in_the_encoder_alone_does_not_pass() -> None:
    state = {
        name: value
        for name, value in drawn(SMALL).state_dict().items()
        if not (name.startswith("output_blocks.0.1."))
    }
    with pytest.raises(LedgerError):
        rebuild(of(state))


@pytest.mark.parametrize(
    ("given", "found", "expected"),
    [
        ({"image_size": "9"}, "9,9", "multiples of 2, as the network halves them down to 1/2"),
        ({"num_heads": "3"}, "3, beside attention over 64 channels", "a number that divides 64"),
        ({"num_head_channels": "48"}, "48, beside attention over 64 channels", "divides 64"),
        ({"noise_schedule": "squared"}, "squared", "one of linear, cosine"),
        ({"model_channels": "64"}, "64", "32, which the tensors prove (time_embed.0.weight)"),
        ({"timestep_respacing": "ddim2000"}, "ddim2000", "of 1000 steps"),
        ({"diffusion_steps": "0"}, "0", "a whole number of at least 1"),
        ({"num_head": "2"}, "no hyper-parameter 'num_head'", "num_heads"),
        (
            {"num_heads": "2", "num_head_channels": "32"},
            "num_head_channels 32 (--set num_head_channels=32)",
            "no channels per head beside it",
        ),
    ],
)
def test_settings_that_cannot_be(given: dict[str, str], found: str, expected: str) -> None:
    with pytest.raises(RequestError) as refused:
        recognise(described(SMALL), given)
    assert found in refused.value.found
    assert expected in refused.value.expected
