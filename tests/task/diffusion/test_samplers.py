"""Samplers against closed forms: data that are Gaussian, where every step is known exactly."""

import numpy as np
import pytest

from lading.errors import InputError, RequestError
from lading.task.diffusion.noise import normal
from lading.task.diffusion.samplers import (
    DDIM,
    DDPM,
    LEARNED,
    Process,
    RePaint,
    ancestral,
    coefficients,
    deviation,
    diffused,
    implicit,
    inverted,
    walk,
)
from lading.task.diffusion.schedule import Schedule

MEAN, SPREAD = 0.3, 0.5


def index_of(schedule, t):
    return int(np.searchsorted(schedule.timesteps, t[0]))


def gaussian(schedule):
    """The exact noise for data ~ N(MEAN, SPREAD²): x less its expected picture. Bayes' rule."""

    def model(x, t):
        kept = schedule.kept[index_of(schedule, t)]
        total = kept * SPREAD**2 + 1 - kept
        picture = MEAN + SPREAD**2 * np.sqrt(kept) * (x - np.sqrt(kept) * MEAN) / total
        return (x - np.sqrt(kept) * picture) / np.sqrt(1 - kept)

    return model


def true_log_variance(schedule, index):
    """Of x before a step given x after it, for the same data: β̃ and what the picture adds."""
    kept = schedule.kept[index]
    of_picture = SPREAD**2 * (1 - kept) / (kept * SPREAD**2 + 1 - kept)
    return np.log(
        schedule.posterior_variance[index] + schedule.posterior_of_picture[index] ** 2 * of_picture
    )


def process(schedule, variance="fixed small", clip=False, dtype=np.float64, gives="noise"):
    return Process(schedule, gives, variance, clip, dtype)


def last(steps):
    return list(steps)[-1].x


def wide(model):
    """The network's side of a walk is float32; a closed form may keep what it is given."""
    return lambda x, t: model(np.asarray(x, dtype=np.float64), t)


@pytest.mark.parametrize("name", ["linear", "cosine"])
@pytest.mark.parametrize("steps", ["5", "40", ""])
@pytest.mark.parametrize("variance", LEARNED)
def test_with_the_true_variance_any_number_of_steps_samples_the_data(name, steps, variance):
    """Each step is then the exact posterior; the last one gives its mean, which spreads by
    SPREAD² less what the last x leaves open."""
    schedule = Schedule.of(name, 200, steps)
    exact = gaussian(schedule)

    def model(x, t):
        index = index_of(schedule, t)
        # At the first step the true variance is never used, and may lie outside of the bounds.
        wanted = true_log_variance(schedule, index)
        if variance == "learned range":
            low, high = schedule.posterior_log_variance[index], np.log(schedule.betas[index])
            wanted = 2 * (wanted - low) / (high - low) - 1 if index else 0.0
        return np.concatenate([exact(x, t), np.full_like(x, wanted)], axis=1)

    count = 15_000
    kept = schedule.kept[-1]
    start = np.random.default_rng(0).standard_normal((1, 1, count))
    start = np.sqrt(kept) * MEAN + np.sqrt(kept * SPREAD**2 + 1 - kept) * start
    x = last(walk(wide(model), process(schedule, variance), DDPM(), start.shape, 5, start=start))
    first = schedule.kept[0]
    left = SPREAD**2 * (1 - first) / (first * SPREAD**2 + 1 - first)
    variance_wanted = SPREAD**2 - left
    # Four standard errors of a mean and of a variance of `count` normal values.
    assert abs(x.mean() - MEAN) < 4 * np.sqrt(variance_wanted / count)
    assert abs(x.var() / variance_wanted - 1) < 4 * np.sqrt(2 / count)


def test_a_fixed_variance_is_right_in_many_steps_and_too_small_in_few():
    """Ho's lower bound is exact as steps become small; the error is known in advance."""
    found = {}
    for steps in ("10", "1000"):
        schedule = Schedule.of("linear", 1000, steps)
        x = last(walk(wide(gaussian(schedule)), process(schedule), DDPM(), (1, 1, 6_000), 2))
        found[steps] = x.var() / SPREAD**2
    assert abs(found["1000"] - 1) < 4 * np.sqrt(2 / 6_000)
    assert found["10"] < 0.9


def transported(schedule, x):
    """Where the deterministic process carries x: it keeps the number of standard deviations."""
    kept = schedule.kept[-1]
    z = (x - np.sqrt(kept) * MEAN) / np.sqrt(kept * SPREAD**2 + 1 - kept)
    return MEAN + SPREAD * z


def test_the_implicit_process_converges_to_the_transport_at_first_order():
    """An Euler scheme (Song 2021, section 4.3): half the step, half the error."""
    x = np.linspace(-2, 2, 41).reshape(1, 1, -1)
    errors = []
    for steps in (100, 200, 400):
        schedule = Schedule.of("cosine", 2000, str(steps))
        made = last(walk(wide(gaussian(schedule)), process(schedule), DDIM(), x.shape, 0, start=x))
        errors.append(np.abs(made - transported(schedule, x)).max())
    assert errors[0] < 0.05
    assert 1.7 < errors[0] / errors[1] < 2.3
    assert 1.7 < errors[1] / errors[2] < 2.3


def test_inversion_leads_back_to_where_a_walk_began():
    """Both ways are first order, and so is the way there and back: half the step, half of what is
    missing at the end."""
    picture = np.linspace(-1, 1, 21).reshape(1, 1, -1)
    missing = {}
    for steps in (250, 500, 1000):
        schedule = Schedule.of("linear", 1000, str(steps))
        model, how = gaussian(schedule), process(schedule)
        x = picture
        for index in range(schedule.steps - 1):
            answer = model(x, [schedule.timestep(index)])
            x = inverted(how, how.read(answer, x, index), index)
        again = last(walk(wide(model), how, DDIM(), x.shape, 0, start=x))
        missing[steps] = np.abs(again - picture).max()
    assert np.abs(x - picture).max() > 0.3
    assert missing[1000] < 0.01
    assert 1.7 < missing[250] / missing[500] < 2.3
    assert 1.7 < missing[500] / missing[1000] < 2.3


@pytest.mark.parametrize("index", [1, 7, 19])
def test_the_implicit_process_with_eta_1_is_the_ancestral_one(index):
    """Song 2021, section 4.1: with Ho's smaller variance the two are the same."""
    how = process(Schedule.of("cosine", 1000, "20"))
    rng = np.random.default_rng(index)
    x, answer, noise = rng.standard_normal((3, 2, 3, 4, 5))
    read = how.read(answer, x, index)
    np.testing.assert_allclose(
        implicit(how, read, index, noise, 1.0), ancestral(how, read, x, index, noise), rtol=1e-10
    )
    assert deviation(how.schedule, 1.0)[index] ** 2 == pytest.approx(
        how.schedule.posterior_variance[index], rel=1e-10
    )


def test_eta_0_draws_nothing_and_eta_between_keeps_the_spread():
    schedule = Schedule.of("linear", 1000, "200")
    how, model = process(schedule), wide(gaussian(schedule))
    shape = (1, 1, 10_000)
    one, two = (last(walk(model, how, DDIM(), shape, s, start=np.ones(shape))) for s in (1, 2))
    assert (one == two).all()
    x = last(walk(model, how, DDIM(0.5), shape, 3))
    # Four standard errors, and for the spread what 200 steps in place of many leave out.
    assert abs(x.mean() - MEAN) < 4 * SPREAD / np.sqrt(x.size)
    assert abs(x.var() / SPREAD**2 - 1) < 4 * np.sqrt(2 / x.size) + 0.02


def test_clipping_keeps_the_picture_within_and_the_noise_consistent():
    schedule = Schedule.of("linear", 1000, "20")
    how = process(schedule, clip=True)
    rng = np.random.default_rng(0)
    x, answer = 2 * rng.standard_normal((2, 1, 3, 8, 8))
    read = how.read(answer, x, 12)
    kept = schedule.kept[12]
    assert np.abs(read.picture).max() == 1.0
    np.testing.assert_allclose(np.sqrt(kept) * read.picture + np.sqrt(1 - kept) * read.noise, x)
    inside = np.abs(process(schedule).read(answer, x, 12).picture) <= 1
    assert (read.noise[inside] == answer[inside]).all()


def test_a_network_that_gives_the_picture():
    schedule = Schedule.of("cosine", 100)
    x, picture = np.random.default_rng(0).standard_normal((2, 1, 1, 4, 4))
    read = process(schedule, gives="picture").read(picture, x, 50)
    assert (read.picture == picture).all()
    kept = schedule.kept[50]
    np.testing.assert_allclose(np.sqrt(kept) * read.picture + np.sqrt(1 - kept) * read.noise, x)


def test_the_learned_range_runs_from_the_posteriors_variance_to_betas():
    schedule = Schedule.of("linear", 1000, "50")
    how = process(schedule, "learned range")
    x = np.zeros((1, 1, 3))
    answer = np.concatenate([np.zeros((1, 1, 3)), [[[-1.0, 0.0, 1.0]]]], axis=1)
    low, middle, high = np.asarray(how.read(answer, x, 10).log_variance).ravel()
    assert low == pytest.approx(np.log(schedule.posterior_variance[10]))
    assert high == pytest.approx(np.log(schedule.betas[10]))
    assert middle == pytest.approx((low + high) / 2)
    assert process(schedule, "fixed small").read(x, x, 10).log_variance == low
    assert process(schedule, "fixed large").read(x, x, 10).log_variance == pytest.approx(high)


def test_float32_walks_stay_float32_and_close_to_float64():
    schedule = Schedule.of("linear", 1000, "25")
    model = gaussian(schedule)
    for sampler in (DDPM(), DDIM(), DDIM(1.0)):
        narrow = list(walk(model, process(schedule, dtype=np.float32), sampler, (1, 1, 500), 1))
        assert {step.x.dtype for step in narrow} == {np.dtype(np.float32)}
        # About 25 roundings of 6e-8 each, in values up to 5.
        exact = last(walk(wide(model), process(schedule), sampler, (1, 1, 500), 1))
        assert np.abs(narrow[-1].x - exact).max() < 1e-5


# ------------------------------------------------------------------------------------------ RePaint
def test_the_default_repaint_calls_the_network_2410_times():
    calls = []

    def model(x, t):
        calls.append(int(t[0]))
        return np.zeros_like(x)

    schedule = Schedule.of("linear", 1000, "250")
    known, mask = np.zeros((1, 1, 2, 2)), np.eye(2).reshape(1, 1, 2, 2)
    steps = list(walk(model, process(schedule), RePaint(known, mask), (1, 1, 2, 2), 0))
    assert len(calls) == 2410 == sum(step.timestep is not None for step in steps)
    assert calls[0] == 999
    assert calls[-1] == 0
    assert calls.count(999) == 1  # nothing goes forth again to where the noise is all
    assert calls.count(int(schedule.timesteps[5])) == 10
    assert [steps[-1].number, steps[-1].of] == [4570, 4570]


def test_without_jumps_and_with_nothing_known_repaint_is_ddpm_to_the_bit():
    schedule = Schedule.of("cosine", 1000, "20")
    how, model, shape = process(schedule, dtype=np.float32), gaussian(schedule), (1, 1, 8, 8)
    free = RePaint(np.zeros(shape), np.zeros(shape), repeats=1)
    a, b = (last(walk(model, how, one, shape, 4)) for one in (free, DDPM()))
    assert a.tobytes() == b.tobytes()


def test_what_is_known_arrives_unchanged():
    schedule = Schedule.of("linear", 1000, "20")
    shape = (1, 2, 6, 6)
    known = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    mask = np.zeros((1, 1, 6, 6))
    mask[..., :3] = 1
    sampler = RePaint(known, mask, jump=5, repeats=3)
    x = last(walk(gaussian(schedule), process(schedule, dtype=np.float32), sampler, shape, 0))
    assert (x[..., :3] == known[..., :3]).all()
    assert (x[..., 3:] != known[..., 3:]).all()


def test_the_known_part_has_noise_of_its_own():
    """Else the two halves of a picture would be drawn of one noise, and fit for no reason."""
    schedule = Schedule.of("linear", 1000, "20")
    shape = (1, 1, 4, 4)
    known = np.random.default_rng(0).uniform(-1, 1, shape)
    sampler = RePaint(known, np.ones(shape), repeats=1)
    for step in walk(gaussian(schedule), process(schedule), sampler, shape, 5, picture=2):
        before = schedule.before[step.index]
        drawn = normal(5, 2, 2 * step.number + 1, shape).astype(np.float64)
        np.testing.assert_allclose(
            step.x, np.sqrt(before) * known + np.sqrt(1 - before) * drawn, rtol=0, atol=1e-12
        )


def test_going_to_and_fro_brings_the_painted_part_to_what_the_known_part_implies():
    """Two pixels, correlated by 0.9; one is known. The painted one ought to follow; without
    jumps it follows too little, which is what the paper's resampling is for."""
    schedule = Schedule.of("cosine", 1000, "40")
    covariance = SPREAD**2 * np.array([[1.0, 0.9], [0.9, 1.0]])

    def model(x, t):
        kept = schedule.kept[index_of(schedule, t)]
        gain = (
            np.sqrt(kept) * covariance @ np.linalg.inv(kept * covariance + (1 - kept) * np.eye(2))
        )
        picture = np.einsum("ij,njk->nik", gain, x)
        return (x - np.sqrt(kept) * picture) / np.sqrt(1 - kept)

    count = 4_000
    known, mask = np.full((1, 2, count), 0.8), np.zeros((1, 2, count))
    mask[:, 0] = 1
    means = {}
    for repeats in (1, 10):
        sampler = RePaint(known, mask, jump=5, repeats=repeats)
        x = last(walk(wide(model), process(schedule), sampler, known.shape, 6))
        means[repeats] = x[0, 1].mean()
    assert 0 < 0.72 - means[10] < (0.72 - means[1]) / 2


def test_a_move_forth_is_one_step_of_the_noising_process():
    """Repeated from the picture on, it gives the closed form of Ho 2020, equation 4."""
    schedule = Schedule.of("linear", 1000, "30")
    how = process(schedule)
    rng = np.random.default_rng(0)
    x = np.ones((1, 1, 100_000))
    for index in range(20):
        x = diffused(how, x, index, rng.standard_normal(x.shape))
    assert x.mean() == pytest.approx(np.sqrt(schedule.kept[19]), abs=4 / np.sqrt(x.size))
    assert x.var() == pytest.approx(1 - schedule.kept[19], rel=4 * np.sqrt(2 / x.size))
    one = schedule.noised(np.ones(3), 19, np.zeros(3))
    assert one == pytest.approx(np.sqrt(schedule.kept[19]))


# ------------------------------------------------------------------------------------- for an app
def test_a_loop_over_the_coefficients_is_the_walk():
    """What an app would write with the table, in float32."""
    schedule = Schedule.of("cosine", 1000, "20")
    table = {name: values.astype(np.float32) for name, values in coefficients(schedule).items()}
    exact = gaussian(schedule)

    def model(x, t):
        return np.concatenate([exact(x, t), np.tanh(x)], axis=1).astype(np.float32)

    how = process(schedule, "learned range", clip=True, dtype=np.float32)
    shape = (1, 1, 4, 4)
    from lading.task.diffusion.noise import normal

    x = normal(9, 0, 0, shape)
    for number, i in enumerate(reversed(range(20)), start=1):
        answer = model(x, np.full(1, schedule.timestep(i)))
        picture = ((x - table["noise"][i] * answer[:, :1]) / table["signal"][i]).clip(-1, 1)
        share = (answer[:, 1:] + 1) / 2
        log_variance = share * table["log_high"][i] + (1 - share) * table["log_low"][i]
        x = table["of_picture"][i] * picture + table["of_now"][i] * x
        if i:
            x = x + np.exp(log_variance / 2) * normal(9, 0, 2 * number, shape)
    np.testing.assert_array_equal(x, last(walk(model, how, DDPM(), shape, 9)))


# -------------------------------------------------------------------------------------- bad input
def test_an_answer_of_another_shape():
    how = process(Schedule.of("linear", 1000, "10"), "learned range")
    with pytest.raises(InputError) as caught:
        last(walk(lambda x, t: x, how, DDPM(), (1, 3, 4, 4), 0))
    assert caught.value.found == "shape [1, 3, 4, 4] for x of [1, 3, 4, 4]"
    assert caught.value.expected.startswith("[1, 6, 4, 4]")


@pytest.mark.parametrize(
    ("known", "mask", "found", "expected"),
    [
        ((1, 1, 4, 4), (1, 1, 5, 4), "shape [1, 1, 5, 4]", "[1, 1, 4, 4]"),
        ((1, 1, 4, 5), (1, 1, 4, 4), "shape [1, 1, 4, 5]", "[1, 1, 4, 4]"),
        ((1, 1, 4, 4), (4, 4), "shape [4, 4]", "[1, 1, 4, 4]"),
        ((1, 3, 4, 4), (1, 1, 4, 4), "shape [1, 3, 4, 4]", "[1, 1, 4, 4]"),
    ],
)
def test_a_mask_or_a_picture_of_another_size(known, mask, found, expected):
    how = process(Schedule.of("linear", 1000, "10"))
    sampler = RePaint(np.zeros(known), np.zeros(mask))
    with pytest.raises(RequestError) as caught:
        last(walk(lambda x, t: x, how, sampler, (1, 1, 4, 4), 0))
    assert caught.value.found == found
    assert caught.value.expected.startswith(expected)


def test_masks_that_are_none():
    how, shape = process(Schedule.of("linear", 1000, "10")), (1, 1, 4, 4)
    for sampler, found in (
        (RePaint(np.zeros(shape), np.full(shape, 255.0)), "values from 255 to 255"),
        (RePaint(np.zeros(shape), np.zeros(shape), jump=0), "a number below 1"),
    ):
        with pytest.raises(RequestError) as caught:
            last(walk(lambda x, t: x, how, sampler, shape, 0))
        assert caught.value.found == found
