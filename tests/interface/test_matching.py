"""A file's ports get the meanings that lading noted, under every option that it was made with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lading.interface import Options, Sizes, wrap
from lading.interface.matching import matched, meant
from lading.record import ArtifactRecord, Port
from tests.toys import interface, net, task

OPTIONS = [
    Options(),
    Options("probabilities"),
    Options("labels", ("zscore",)),
    Options(bake=("zscore",), image="grayscale"),
    Options(sizes=Sizes(listed=((8, 8),))),
]


def read(ports: tuple[Port, ...]) -> tuple[Port, ...]:
    """Ports as a file says them: nothing of what the numbers mean."""
    return tuple(Port(f"their {p.name}", p.kind, p.dtype, p.shape) for p in ports)


def record(inputs: tuple[Port, ...], outputs: tuple[Port, ...]) -> ArtifactRecord:
    return ArtifactRecord("onnx", "a.onnx", 1, "00", "fp32", inputs, outputs, "export")


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_meanings_are_those_of_the_wrapped_network(options: Options) -> None:
    one = wrap(net(), task(), options)
    for side, ours in zip(
        meant(record(read(one.inputs), read(one.outputs)), task(), options),
        (one.inputs, one.outputs),
        strict=True,
    ):
        for got, port in zip(side, ours, strict=True):
            assert got.name == f"their {port.name}"
            assert (got.meaning, got.value_range) == (port.meaning, port.value_range)
            assert got.class_axis == port.class_axis


def test_open_axes_stay_open() -> None:
    one = interface()
    inputs = (replace(one.inputs[0], shape=(-1, 1, -1, -1), meaning=""),)
    (got,), _ = meant(record(inputs, one.outputs), one.task, Options())
    assert got.shape == (-1, 1, -1, -1)
    assert got.meaning == "normalised grey levels"
    assert got.multiples == (1, 1, 2, 2)


def test_an_output_without_a_shape_is_as_the_notes_say() -> None:
    """Core ML declares none where sizes are flexible."""
    one = interface()
    outputs = (Port("logits", "tensor", "float32", (), shaped=False),)
    _, (got,) = meant(record(one.inputs, outputs), one.task, Options())
    assert (got.shape, got.class_axis) == (one.outputs[0].shape, 1)
    found, merged = matched(record(one.inputs, outputs), one)
    assert found.outputs == merged.outputs == one.outputs


def test_what_the_notes_do_not_know_is_as_the_file_says() -> None:
    one = interface()
    more = Port("more", "tensor", "float32", (1, 7))
    changed = read((replace(one.outputs[0], shape=(1, 5, 16, 16)), more))
    _, outputs = meant(record(one.inputs, changed), one.task, Options())
    assert outputs == changed


def test_a_stranger_s_labels_are_known_by_their_name() -> None:
    ports = (Port("labels", "tensor", "int32", (1, 4, 4)), Port("x", "tensor", "float32", (1,)))
    inputs, outputs = meant(record(ports[1:], ports), None, None)
    assert inputs == ports[1:]
    assert [port.meaning for port in outputs] == ["labels", ""]
