"""The contract: every operation of every opset, with the published names and defaults."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from lading.coreml.mil import half, registry
from lading.errors import ProgramError

#: Programs on disk start with iOS 15; the registry numbers it 6 and counts on from there.
OPSETS = {6: "CoreML5", 7: "CoreML6", 8: "CoreML7", 9: "CoreML8"}

#: Never an operation of a file: constants are data, and symbols end with the conversion.
NOT_IN_FILES = {"const", "_const_symbolic"}

#: Said in the documentation, missing in the code.
DOCUMENTED = {("gru", "reset_after"): False}

#: Parameters of the builder, not of the file.
OF_THE_BUILDER = {"_existing_blocks"}


def published() -> Iterator[tuple[str, int, Any]]:
    import coremltools.converters.mil.mil.ops.defs  # noqa: F401 - registers the operations
    from coremltools.converters.mil.mil.ops.registry import SSAOpRegistry

    for name, versions in SSAOpRegistry.core_ops.items():
        for version, kind in versions.items():
            if version.value in OPSETS and name not in NOT_IN_FILES:
                yield name, version.value, kind


SPECS = sorted(published(), key=lambda spec: spec[:2])


class Anything:
    """Stands for an operation's inputs while its defaults are asked for."""

    dtype = property(lambda self: __import__("coremltools").converters.mil.mil.types.fp32)
    rank = 4
    shape = (1, 1, 1, 1)
    val = None

    def __getattr__(self, name: str) -> Any:
        return Anything()


def defaults(kind: Any) -> dict[str, Any]:
    """The published defaults of an operation on inputs of rank 4."""
    op = kind.__new__(kind)
    for name in kind.input_spec.input_types:
        op.__dict__[name] = Anything() if not kind.input_spec.input_types[name].optional else None
    return {name: value for entry in [op.default_inputs()] for name, value in entry._default_inputs}


def test_there_are_as_many_as_published() -> None:
    assert len({name for name, _, _ in SPECS}) == 166
    assert not registry.UNSUPPORTED


@pytest.mark.parametrize("version", OPSETS)
def test_names_and_defaults_are_the_published_ones(version: int) -> None:
    checked = 0
    for name, number, kind in SPECS:
        if number != version:
            continue
        operation = registry.find(name, OPSETS[version])
        spec = {
            key: value
            for key, value in kind.input_spec.input_types.items()
            if key not in OF_THE_BUILDER
        }
        assert set(operation.parameters) >= set(spec), name
        later = {
            key
            for other, _, newer in SPECS
            if other == name
            for key in newer.input_spec.input_types
        }
        assert set(operation.parameters) <= later, name
        order = [key for key in operation.parameters if key in spec]
        required = [key for key in spec if not spec[key].optional]
        optional = [key for key in spec if spec[key].optional]
        assert [key for key in order if key in required] == required, name
        assert sorted(key for key in order if key in optional) == sorted(optional), name
        given = defaults(kind)
        for key in optional:
            parameter = operation.parameters[key]
            assert not parameter.required, f"{name}.{key}"
            want = DOCUMENTED.get((name, key), given.get(key))
            if parameter.default is None:
                # None says what a default that depends on the input's rank or type says.
                assert want is None or depends_on_the_input(name, key), f"{name}.{key}"
            else:
                assert np.all(np.asarray(want) == parameter.default), f"{name}.{key}"
        checked += 1
    assert checked > 100


def depends_on_the_input(name: str, key: str) -> bool:
    return (name, key) in {
        *[
            (name, key)
            for name in (
                "conv",
                "conv_quantized",
                "conv_transpose",
                "avg_pool",
                "max_pool",
                "l2_pool",
            )
            for key in ("strides", "pad", "dilations")
        ],
        ("layer_norm", "axes"),
        ("linear", "bias"),
        ("crop_resize", "box_indices"),
        ("upsample_bilinear", "half_pixel_centers"),
    }


def test_a_version_is_chosen_by_the_opset() -> None:
    assert registry.find("reshape", "CoreML6").since == 0
    assert registry.find("reshape", "CoreML7").since == 17
    assert registry.find("reshape", "CoreML8").since == 17
    assert registry.find("gather", "CoreML8").name == "gather"


def test_an_unknown_operation_names_the_nearest() -> None:
    with pytest.raises(ProgramError) as caught:
        registry.find("leaky_rellu", "CoreML7", "leaky_rellu -> y (main, operation 3)")
    assert caught.value.subject == "leaky_rellu -> y (main, operation 3)"
    assert caught.value.expected == "a known operation, such as leaky_relu"
    with pytest.raises(ProgramError, match="opset 'MLX'"):
        registry.find("relu", "MLX")


def test_what_sums_in_float16_has_the_signature_of_what_it_replaces() -> None:
    assert half._SUMMING
    for name, function in half._SUMMING.items():
        known = list(registry.find(name, "CoreML8").parameters)
        assert list(inspect.signature(function).parameters) == known, name


def test_every_operation_says_how_its_parameters_arrive() -> None:
    for versions in registry.operations().values():
        for operation in versions:
            for parameter in operation.parameters.values():
                annotation = inspect.signature(operation.function).parameters[parameter.name]
                assert annotation.annotation is not inspect.Parameter.empty, operation.name
