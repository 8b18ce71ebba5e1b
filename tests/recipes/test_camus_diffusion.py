"""The recipe of the embedded diffusion network, and the file that is shipped."""

import json

import numpy as np
import pytest
import torch

from lading.cli.demos import checkpoint
from lading.network.source import Source, load
from lading.task.diffusion.schedule import Schedule
from recipes.camus_diffusion import evaluate, network, train
from recipes.camus_diffusion.data import phantoms, scaled

SHIPPED = checkpoint("camus_diffusion")
CONFIG = SHIPPED.with_suffix(".json")


@pytest.fixture(scope="module")
def weights():
    return torch.load(SHIPPED, weights_only=True)


def test_the_file_is_guided_diffusions_bare_average(weights):
    assert SHIPPED.stat().st_size <= 4_000_000
    assert {tensor.dtype for tensor in weights.values()} == {torch.float32}
    assert next(iter(weights)) == "time_embed.0.weight"
    assert "input_blocks.0.0.weight" in weights
    assert all(bool(torch.isfinite(tensor).all()) for tensor in weights.values())


def test_the_configuration_beside_it_is_what_the_recipe_trains():
    told = json.loads(CONFIG.read_text())
    loaded = load(Source(SHIPPED, config=CONFIG))
    known = {one.name: one.value for one in loaded.recognition.hyperparameters}
    assert told["image_size"] == network.SIZE
    assert told["num_channels"] == known["model_channels"] == network.CHANNELS
    assert tuple(known["channel_mult"]) == network.MULTIPLES
    assert known["num_heads"] == network.HEADS
    assert known["diffusion_steps"] == train.STEPS
    assert known["predict_xstart"] is True
    assert loaded.recognition.conflicts == ()
    assert not [one for one in loaded.recognition.hyperparameters if one.name in told and
                one.evidence == "assumed"]  # fmt: skip


def test_the_rebuild_is_the_trained_network(weights):
    """Two writings of one network: the recipe's, and lading's from the tensors alone."""
    trained = network.UNet()
    trained.load_state_dict(weights)
    rebuilt = load(Source(SHIPPED, config=CONFIG)).network
    x = torch.randn(2, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    t = torch.tensor([3, 900])
    with torch.inference_mode():
        one, two = trained.eval()(x, t), rebuilt(x, t)
    # Attention in another order of operations: roundings of 1e-7 through 20 layers.
    assert torch.allclose(one, two, atol=2e-5)


def test_the_process_is_ladings_linear_schedule():
    process, schedule = train.Process(), Schedule.of("linear", train.STEPS)
    for ours, theirs in (
        (process.signal, np.sqrt(schedule.kept)),
        (process.noise, np.sqrt(1 - schedule.kept)),
        (process.of_start, schedule.posterior_of_picture),
        (process.of_now, schedule.posterior_of_now),
        (process.low, schedule.posterior_log_variance),
        (process.high, np.log(schedule.betas)),
    ):
        np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-6)


def test_a_perfect_network_has_no_error_and_the_least_bound():
    """Given the very picture, the mean is right, and the best variance is the posterior's."""
    process = train.Process()
    x = torch.rand(4, 1, 8, 8) * 2 - 1
    t = torch.tensor([1, 10, 500, 999])
    bits = {}
    for fraction in (-1.0, 1.0):

        def perfect(noised, t, fraction=fraction):
            return torch.cat([x, torch.full_like(x, fraction)], dim=1)

        error, bound = process.losses(perfect, x, t, torch.randn_like(x))
        assert error.item() == 0.0
        bits[fraction] = bound.item()
    assert bits[-1.0] == pytest.approx(0.0, abs=1e-6)
    assert bits[1.0] > 0.01


def test_the_first_step_is_measured_in_grey_levels():
    """All the probability lies on the right level where the mean is exact and the spread small."""
    x = torch.tensor([-1.0, 0.0, 1.0])
    sharp = train._grey_level_likelihood(x, x, torch.full((3,), -20.0))
    assert sharp.exp().tolist() == pytest.approx([1.0, 1.0, 1.0])
    # A spread of one level's half width: ±1 sigma in the middle, one side open at the ends.
    wide = train._grey_level_likelihood(x, x, torch.full((3,), 2 * float(np.log(1 / 255))))
    assert wide.exp().tolist() == pytest.approx([0.8413, 0.6827, 0.8413], abs=1e-4)


def test_training_resumes_where_it_stopped(tmp_path, monkeypatch):
    images = phantoms(0, 4)
    np.save(tmp_path / "phantoms_4.npy", images)
    monkeypatch.setattr(train, "BATCH", 1)
    said = []
    train.train(tmp_path, 0.02, 0, threads=1, count=4, say=said.append)
    first = json.loads(said[-1])
    train.train(tmp_path, 0.04, 0, threads=1, count=4, say=said.append)
    last = json.loads(said[-1])
    assert said[1].startswith("resumed at step ")
    assert last["step"] > first["step"] > 0
    saved = torch.load(tmp_path / "camus_diffusion.pth", weights_only=True)
    assert saved.keys() == network.UNet().state_dict().keys()
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 2


def test_phantoms_become_values_from_minus_1_to_1():
    values = scaled(phantoms(3, 2))
    assert values.shape == (2, 64, 64)
    assert values.min() == -1.0
    assert 0.0 < values.max() <= 1.0


def test_the_two_sample_test_tells_what_differs_and_not_what_is_alike():
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(40, 3)), rng.normal(size=(40, 3)), rng.normal(1.5, 1, size=(40, 3))
    _, alike, guess = evaluate.two_sample(a, b, 300)
    found, apart, right = evaluate.two_sample(a, c, 300)
    assert alike > 0.05
    assert 0.3 < guess < 0.7
    assert apart == pytest.approx(1 / 301)
    assert found > 0.1
    assert right > 0.8


def test_the_discrepancy_by_hand():
    kernel = np.array(
        [[1.0, 0.5, 0.2, 0.1], [0.5, 1, 0.3, 0.4], [0.2, 0.3, 1, 0.6], [0.1, 0.4, 0.6, 1]]
    )
    first = np.array([True, True, False, False])
    assert evaluate.discrepancy(kernel, first) == pytest.approx(0.5 + 0.6 - 2 * 0.25)
