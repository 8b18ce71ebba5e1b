"""The contract: kinds and parameters by the names of the format's own description."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from lading.coreml.neuralnetwork import registry

#: Kinds that coremltools writes for networks of other sorts than ours: control flow, chance, boxes,
#: and code of the app's own.
NOT_HERE = {
    *("branch", "loop", "loopBreak", "loopContinue", "custom"),
    *("cropResize", "NonMaximumSuppression", "categoricalDistribution"),
    *(
        f"random{kind}{form}"
        for kind in ("Normal", "Uniform", "Bernoulli")
        for form in ("Like", "Static", "Dynamic")
    ),
}
OF_EVERY_LAYER = {"name", "input", "output", "inputTensor", "outputTensor", "isUpdatable"}


def kinds() -> dict[str, Any]:
    from coremltools.proto import NeuralNetwork_pb2

    fields = NeuralNetwork_pb2.NeuralNetworkLayer.DESCRIPTOR.fields
    return {f.name: f.message_type for f in fields if f.name not in OF_EVERY_LAYER}


def test_every_kind_is_here_or_said_not_to_be() -> None:
    here = {name for name in kinds() if registry.find(name)}
    assert set(kinds()) - here == NOT_HERE
    assert len(here) == len(registry.functions()), "a function that no kind names"


@pytest.mark.parametrize("name", sorted(set(kinds()) - NOT_HERE))
def test_parameters_have_their_names(name: str) -> None:
    kind = registry.find(name)
    assert kind is not None
    known = {registry.spelling(field.name) for field in kinds()[name].fields}
    if kind.parameters is None:
        assert name in ("activation", "gru")
        return
    assert kind.parameters <= known
    # What is not taken is refused when a file sets it: the arithmetic in int8.
    assert known - kind.parameters <= {"int8dynamic_quantize"}


def test_every_nonlinearity() -> None:
    from lading.coreml.neuralnetwork.layers import activation

    known = {registry.spelling(field.name) for field in kinds()["activation"].fields}
    assert set(activation._ACTIVATIONS) == known


def test_spellings_do_not_collide() -> None:
    spelt = [registry.spelling(name) for name in kinds()]
    assert len(set(spelt)) == len(spelt)


def test_what_is_not_a_kind() -> None:
    assert registry.find("convolution4d") is None
    for function in registry.functions().values():
        assert not inspect.iscoroutinefunction(function)
