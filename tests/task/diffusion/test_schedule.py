"""Schedules: published values, identities that hold for all of them, and diffusers' tables."""

import numpy as np
import pytest
from diffusers import DDPMScheduler
from hypothesis import given
from hypothesis import strategies as st

from lading.errors import RequestError
from lading.task.diffusion.schedule import Schedule, betas, spaced

NAMES = ("linear", "cosine")


@pytest.mark.parametrize(
    ("name", "theirs"), [("linear", "linear"), ("cosine", "squaredcos_cap_v2")]
)
def test_the_tables_are_diffusers_tables(name, theirs):
    """diffusers keeps them in float32, whose rounding over 1000 products is below 1e-5."""
    schedule = Schedule.of(name, 1000)
    scheduler = DDPMScheduler(1000, beta_schedule=theirs)
    np.testing.assert_allclose(schedule.betas, scheduler.betas.numpy(), rtol=1e-4)
    np.testing.assert_allclose(schedule.kept, scheduler.alphas_cumprod.numpy(), rtol=2e-4)


def test_the_linear_schedule_is_scaled_to_the_number_of_steps():
    assert betas("linear", 4000)[[0, -1]] == pytest.approx([0.25e-4, 0.005], rel=1e-12)
    # The same process in finer steps: about as much of the signal is left at the end.
    left = [Schedule.of("linear", steps).kept[-1] for steps in (1000, 4000)]
    assert left[0] == pytest.approx(left[1], rel=0.1)


def test_the_cosine_schedule_is_the_papers_function():
    steps = 100
    t = (np.arange(1, steps + 1) / steps + 0.008) / 1.008
    f = np.cos(t * np.pi / 2) ** 2 / np.cos(0.008 / 1.008 * np.pi / 2) ** 2
    kept = Schedule.of("cosine", steps).kept
    # Up to the last steps, whose variance is capped.
    np.testing.assert_allclose(kept[:-1], f[:-1], rtol=1e-9)
    assert betas("cosine", steps)[-1] == 0.999


@pytest.mark.parametrize("name", NAMES)
def test_the_posterior_is_bayes_rule(name):
    """Precisions of x before the step, from the picture and from x after it, add up."""
    schedule = Schedule.of(name, 200)
    beta, before = schedule.betas[1:], schedule.before[1:]
    from_picture, from_now = 1 / (1 - before), (1 - beta) / beta
    variance = 1 / (from_picture + from_now)
    np.testing.assert_allclose(schedule.posterior_variance[1:], variance, rtol=1e-9)
    np.testing.assert_allclose(
        schedule.posterior_of_picture[1:], variance * from_picture * np.sqrt(before), rtol=1e-9
    )
    np.testing.assert_allclose(
        schedule.posterior_of_now[1:], variance * from_now / np.sqrt(1 - beta), rtol=1e-9
    )
    assert schedule.posterior_variance[0] == 0
    assert schedule.posterior_log_variance[0] == schedule.posterior_log_variance[1]
    assert schedule.large_log_variance[0] == schedule.posterior_log_variance[0]
    assert schedule.posterior_of_picture[0] == pytest.approx(1)


@given(
    name=st.sampled_from(NAMES),
    trained=st.integers(20, 1000),
    count=st.integers(1, 20),
)
def test_respacing_leaves_of_the_signal_what_the_trained_process_leaves(name, trained, count):
    whole, short = Schedule.of(name, trained), Schedule.of(name, trained, str(count))
    assert short.steps == count
    # A variance next to 1 has an absolute rounding of 1.1e-16, and so has what it leaves.
    np.testing.assert_allclose(short.kept, whole.kept[short.timesteps], rtol=1e-9, atol=1e-15)
    assert (np.diff(short.timesteps) > 0).all()
    assert short.timesteps[0] == 0
    if count > 1:
        assert short.timesteps[-1] == trained - 1


@given(counts=st.lists(st.integers(1, 30), min_size=1, max_size=5), more=st.integers(0, 90))
def test_sections_each_get_their_number(counts, more):
    trained = len(counts) * 30 + more
    steps = spaced(trained, ",".join(map(str, counts)))
    assert len(steps) == sum(counts)
    assert (np.diff(steps) > 0).all()
    size, longer = divmod(trained, len(counts))
    edges = np.cumsum([0] + [size + (i < longer) for i in range(len(counts))])
    assert np.histogram(steps, edges)[0].tolist() == counts


@pytest.mark.parametrize(
    ("text", "beginning"),
    [
        ("250", [0, 4, 8, 12]),
        ("ddim50", [0, 20, 40, 60]),
        ("10,10,20", [0, 37, 74, 111]),
        ("", [0, 1, 2, 3]),
    ],
)
def test_known_spacings_of_a_thousand(text, beginning):
    assert spaced(1000, text)[:4].tolist() == beginning


def test_all_steps_are_the_trained_process_to_the_bit():
    whole = Schedule.of("cosine", 500)
    assert Schedule.of("cosine", 500, "500").betas.tobytes() == whole.betas.tobytes()
    assert whole.betas.tobytes() == betas("cosine", 500).tobytes()


def test_the_network_is_told_the_trained_step_or_its_thousandth():
    assert Schedule.of("linear", 1000, "ddim50").timestep(49) == 980
    assert Schedule.of("linear", 4000, "4").timestep(3) == 3999
    assert Schedule.of("linear", 4000, "4", rescaled=True).timestep(3) == 999.75


@pytest.mark.parametrize(
    ("text", "found", "expected"),
    [
        ("1001", "1001 steps", "1 to 1000: the network was trained with 1000 steps"),
        ("0", "0 steps", "1 to 1000"),
        ("ddim1001", "1001 steps", "1 to 1000"),
        ("500,501", "501 steps", "a section of 500 of the 1000 steps"),
        ("ddim60", "no whole stride", "such as ddim59 or ddim63"),
        ("fast", "'fast'", "a number of steps such as 250"),
        ("10,,20", "'10,,20'", "sections such as 10,10,20"),
        ("-5", "'-5'", "a number of steps"),
    ],
)
def test_respacings_that_cannot_be(text, found, expected):
    with pytest.raises(RequestError) as caught:
        spaced(1000, text)
    assert found in caught.value.found
    assert expected in caught.value.expected


def test_unknown_schedules_and_numbers_of_steps():
    with pytest.raises(RequestError) as caught:
        Schedule.of("sigmoid", 1000)
    assert caught.value.expected == "linear or cosine"
    for steps in (0, -1, 10):  # 10 steps of the scaled linear schedule end at a variance of 2
        with pytest.raises(RequestError) as caught:
            Schedule.of("linear", steps)
        assert "usually 1000" in caught.value.remedy


def test_steps_out_of_range():
    schedule = Schedule.of("linear", 1000, "25")
    for index in (-1, 25):
        with pytest.raises(RequestError) as caught:
            schedule.timestep(index)
        assert caught.value.expected == "0 to 24"
