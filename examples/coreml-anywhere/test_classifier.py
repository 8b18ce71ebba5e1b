"""A picture goes in, a class and its probabilities come out."""

import coremltools as ct
import numpy as np
import pytest
import torch
from PIL import Image

CLASSES = ["circle", "square", "star"]

pytestmark = pytest.mark.skipif(not ct.utils._is_macos(), reason="predict needs macOS")


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    layers = torch.nn.Conv2d(3, 8, 3, stride=2), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1)
    head = torch.nn.Flatten(), torch.nn.Linear(8, len(CLASSES)), torch.nn.Softmax(dim=1)
    return torch.nn.Sequential(*layers, *head).eval()


@pytest.fixture(scope="module")
def model(network):
    traced = torch.jit.trace(network, torch.rand(1, 3, 32, 32))
    return ct.convert(
        traced,
        inputs=[ct.ImageType("image", shape=(1, 3, 32, 32), scale=1 / 255)],
        classifier_config=ct.ClassifierConfig(CLASSES),
        minimum_deployment_target=ct.target.iOS16,
    )


@pytest.fixture
def picture():
    pixels = np.random.default_rng(1).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def test_class_and_probabilities(network, model, picture):
    answer = model.predict({"image": picture})
    probabilities = next(value for value in answer.values() if isinstance(value, dict))
    tensor = torch.from_numpy(np.asarray(picture).copy()).permute(2, 0, 1)[None] / 255
    expected = network(tensor)[0].detach().numpy()
    np.testing.assert_allclose([probabilities[name] for name in CLASSES], expected, atol=5e-3)
    assert answer["classLabel"] == CLASSES[expected.argmax()]


def test_a_batch_is_a_list(model, picture):
    one = model.predict({"image": picture})
    assert model.predict([{"image": picture}, {"image": picture}]) == [one, one]


def test_a_grey_picture_is_refused(model, picture):
    with pytest.raises(TypeError, match="mode=='RGB'"):
        model.predict({"image": picture.convert("L")})
