"""What may be, and what no run tells apart."""

from __future__ import annotations

from typing import Any

import pytest

from lading.network.settling.candidates import attention, decoder, times

KNOWN: dict[str, Any] = {
    "model_channels": 64,
    "channel_mult": [1, 2],
    "attention_resolutions": [2],
    "num_heads": 4,
    "num_head_channels": -1,
    "num_heads_upsample": -1,
    "use_new_attention_order": False,
    "noise_schedule": "linear",
    "diffusion_steps": 1000,
    "rescale_timesteps": False,
    "predict_xstart": False,
}
ALL = set(KNOWN)


def test_one_width_has_each_number_of_heads_in_two_orders_and_one_head_in_none() -> None:
    options = attention(KNOWN, ALL)
    heads = [option.values["num_heads"] for option in options]
    assert sorted(heads) == sorted([1, *[n for n in (2, 4, 8, 16, 32, 64, 128) for _ in range(2)]])
    assert {option.values["num_head_channels"] for option in options} == {-1}
    (one,) = [option for option in options if option.values["num_heads"] == 1]
    assert [dict(same)["use_new_attention_order"] for same in one.same] == [False, True]


def test_two_widths_have_heads_by_count_and_by_width() -> None:
    options = attention({**KNOWN, "attention_resolutions": [1, 2]}, ALL)
    by_width = [o.values["num_head_channels"] for o in options]
    assert set(by_width) == {-1, 1, 2, 4, 8, 16, 32, 64}
    assert len(options) == 13 + 2 * 7  # 64 channels a head: 1 head over 64, 2 over 128


def test_what_is_known_is_no_candidate() -> None:
    assert [o.values for o in attention(KNOWN, {"use_new_attention_order"})] == [
        {"use_new_attention_order": False},
        {"use_new_attention_order": True},
    ]
    heads = attention({**KNOWN, "num_head_channels": 32}, {"num_heads"})
    assert len(heads) < 2
    assert {o.values["noise_schedule"] for o in times(KNOWN, {"noise_schedule"})} == {
        "linear",
        "cosine",
    }


def test_more_steps_rescaled_are_the_same_time() -> None:
    options = times(KNOWN, {"diffusion_steps", "rescale_timesteps"})
    assert len(options) == 6
    (usual,) = [o for o in options if o.values["diffusion_steps"] == 1000]
    assert usual.values == {"diffusion_steps": 1000, "rescale_timesteps": False}
    assert {dict(same)["diffusion_steps"] for same in usual.same} == {
        100, 250, 500, 1000, 2000, 4000,
    }  # fmt: skip
    assert all(
        dict(same)["rescale_timesteps"] or dict(same)["diffusion_steps"] == 1000
        for same in usual.same
    )
    assert len(times({**KNOWN, "diffusion_steps": 4000}, {"rescale_timesteps"})) == 2
    assert len(times(KNOWN, {"rescale_timesteps"})) == 1


@pytest.mark.parametrize(("levels", "count"), [([2], 8), ([], 0)])
def test_the_decoder_s_heads(levels: list[int], count: int) -> None:
    options = decoder({**KNOWN, "attention_resolutions": levels}, ALL)
    assert len(options) == count
    assert all(o.values["num_heads_upsample"] != 4 for o in options)  # as many as now is -1
    assert not decoder({**KNOWN, "num_head_channels": 32}, ALL)
