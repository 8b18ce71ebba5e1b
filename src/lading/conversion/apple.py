"""coremltools, as every target of Apple's formats calls it and signs what it made."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from lading.conversion.capture import CLOSED, Axes, Captured, with_paths
from lading.conversion.compatibility.quick import quick
from lading.conversion.functional import functional
from lading.conversion.spelling import spelled
from lading.errors import ConversionError
from lading.interface import Interface, Options, swift
from lading.interface import snippets as code
from lading.interface.settings import Settings
from lading.record import ArtifactRecord, Port, Snippet, Task
from lading.record.text import python_literal
from lading.record.wording import other_sizes


def axes(options: Options) -> Axes:
    """What may vary. Batch 1: Core ML's own batch prediction takes a list of inputs instead."""
    return frozenset({"size"}) if options.sizes.listed or options.sizes.ranges else CLOSED


def converted(captured: Captured, kind: str, expected: str, remedy: str, **how: Any) -> Any:
    """The model that `coremltools.convert` makes of it, `how` being its further arguments.

    Raises:
        ConversionError: it cannot; `kind`, `expected` and `remedy` are words for that.
    """
    import coremltools as ct  # here: its import takes seconds and half a gigabyte

    interface = captured.interface
    dialect = "traced graph" if captured.exported is None else "exported program"
    try:
        graph = source(captured)
        with untouched(captured), quick(), np.errstate(over="ignore"):  # see `compatibility.finite`
            model = ct.convert(
                graph,
                inputs=input_types(interface.inputs),
                classifier_config=classes(interface),
                skip_model_load=True,
                **how,
            )
        if model._mil_program is not None:
            model._mil_program.validate()
        return model
    except Exception as error:  # the converter raises every kind; each is "it cannot"
        raise ConversionError(
            f"{kind} from the {dialect}",
            found=reason(error),
            expected=expected,
            remedy=remedy,
        ) from error


@contextlib.contextmanager
def untouched(captured: Captured) -> Iterator[None]:
    """Puts the network's tensors back to what they were before.

    coremltools 9.0 reads them as numpy views, and its pass ``fuse_conv_batchnorm`` subtracts the
    bias of a convolution from the mean of a norm without an affine in place: the original itself
    would be another network from then on. `test_a_conversion_leaves_the_network_alone` passes
    without this once it can go.
    """
    module = captured.interface.module
    held = [*module.parameters(), *module.buffers()]
    if captured.exported is not None:
        held += [one for one in captured.exported.constants.values() if torch.is_tensor(one)]
    kept = [tensor.detach().clone() for tensor in held]
    try:
        yield
    finally:
        with torch.no_grad():
            for tensor, before in zip(held, kept, strict=True):
                if not torch.equal(tensor, before):
                    tensor.copy_(before)


def source(captured: Captured) -> Any:
    """The graph as `coremltools.convert` takes it.

    Raises:
        Exception: of torch, where it cannot be exported again.
    """
    if captured.exported is None:
        return captured.traced
    taken_apart = captured.route == "decomposed"
    return sayable(with_paths(program(captured, decomposed=taken_apart)))


def program(captured: Captured, *, decomposed: bool) -> torch.export.ExportedProgram:
    """The exported program in the spelling that coremltools knows, taken apart into core ATen or
    as it is.

    Raises:
        Exception: of torch, where it cannot be exported again.
    """
    assert captured.exported is not None
    found = spelled(captured.exported, captured.shapes)
    return found.run_decompositions() if decomposed else functional(found)


def sayable(program: torch.export.ExportedProgram) -> torch.export.ExportedProgram:
    """Spells `alias` as `alias_copy`: the same values, and a name that the converter knows.

    Upstream: apple/coremltools issue 2517, "Unsupported fx node alias" (a slice over a whole axis
    becomes one); mended after 9.0 by pull request 2659. Checked with coremltools 9.0 and torch
    2.13. `test_an_alias_converts_by_export` passes without this once it can go.
    """
    for node in program.graph.nodes:
        if node.target is torch.ops.aten.alias.default:
            node.target = torch.ops.aten.alias_copy.default
    return program


def input_types(ports: Sequence[Port]) -> list[Any]:
    """The inputs as `coremltools.convert` takes them: a letter is one dimension in all of them."""
    dimensions: dict[str, Any] = {}
    return [_input_type(port, dimensions) for port in ports]


def _input_type(port: Port, dimensions: dict[str, Any]) -> Any:
    import coremltools as ct

    def dimension(low: int, high: int, size: int, letter: str) -> Any:
        if low == high:
            return low
        made = ct.RangeDim(low, high, size) if letter not in dimensions else dimensions[letter]
        return dimensions.setdefault(letter, made) if letter else made

    shape: Any = port.shape
    if port.enumerated:
        shape = ct.EnumeratedShapes(
            [list(one) for one in port.enumerated], default=list(port.shape)
        )
    elif port.ranges:
        names = port.letters or ("",) * len(port.shape)
        axes = zip(port.ranges, port.shape, names, strict=True)
        shape = ct.Shape([dimension(low, high, size, letter) for (low, high), size, letter in axes])
    if port.kind == "image":
        layout = {"grayscale": ct.colorlayout.GRAYSCALE, "rgb": ct.colorlayout.RGB}
        # Scale and bias are operations of the graph, the same in both formats, not of the image.
        return ct.ImageType(port.name, shape=shape, color_layout=layout[port.color or "grayscale"])
    return ct.TensorType(port.name, shape=shape, dtype=np.dtype(port.dtype))


def describe(
    spec: Any, inputs: Sequence[Port], outputs: Sequence[Port], settings: Settings
) -> None:
    """Author, licence, descriptions and facts, into the file's metadata."""
    metadata = spec.description.metadata
    metadata.author = settings.author
    metadata.license = settings.license
    metadata.shortDescription = settings.description
    metadata.versionString = settings.facts.get("lading.version", "")
    metadata.userDefined.pop("com.github.apple.coremltools.conversion_date", None)
    for key, value in settings.facts.items():
        metadata.userDefined[key] = value
    texts = {port.name: _sentence(port) for port in (*inputs, *outputs)}
    for feature in (*spec.description.input, *spec.description.output):
        feature.shortDescription = texts.get(feature.name, "")


def _sentence(port: Port) -> str:
    """One line for Xcode's model viewer."""
    shape = " x ".join(map(str, port.shape))
    low_high = f", {port.value_range[0]:g} to {port.value_range[1]:g}" if port.value_range else ""
    more = f"; {other_sizes(port)}" if other_sizes(port) else ""
    return f"{port.meaning or 'values'}{low_high}; {shape}{more}"


def reason(error: Exception) -> str:
    """The first telling line of coremltools' message."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = re.sub(r"\s+", " ", lines[0]) if lines else "no message"
    return f"{type(error).__name__}: {text}"[:300]


# ----------------------------------------------------------------------------------- classifiers
#: What an app reads: the most probable class, and the probability of each under the output's name.
CLASS_LABEL = "classLabel"


def classes(interface: Interface) -> Any:
    """coremltools' configuration of a classifier, or None where none was asked for."""
    import coremltools as ct

    if not interface.options.classifier:
        return None
    return ct.ClassifierConfig(
        list(interface.task.labels),
        predicted_feature_name=CLASS_LABEL,
        predicted_probabilities_output=interface.outputs[0].name,
    )


def outputs(interface: Interface) -> tuple[Port, ...]:
    """The output ports as the file has them: a classifier's probabilities are a dictionary.

    Its class is no port: runtimes hand on the probabilities in the order of the labels, and check
    that the class is the most probable one.
    """
    if not interface.options.classifier:
        return interface.outputs
    return tuple(replace(port, kind="dictionary") for port in interface.outputs)


def read_outputs(
    ports: Sequence[Port], labels: int, types: Mapping[str, tuple[int, ...]] | None = None
) -> tuple[Port, ...]:
    """`outputs` of a file that was read.

    Args:
        ports: as `Model.outputs` gives them.
        labels: classes of a classifier.
        types: shapes of the values that are given out, where the file has them; -1 is open. A
            description that states none leaves it to them, and where there are none it is unknown.
    """
    known = types or {}
    ports = [
        replace(port, shape=known.get(port.name, ()), shaped=port.name in known)
        if port.kind == "tensor" and not port.shape
        else port
        for port in ports
    ]
    return tuple(
        replace(
            port, dtype="float32", shape=(1, labels or -1), meaning="probabilities",
            value_range=(0.0, 1.0), class_axis=1,
        )
        if port.kind == "dictionary"
        else port
        for port in ports
        if port.kind != "string"
    )  # fmt: skip


# -------------------------------------------------------------------------------------- snippets
def snippets(record: ArtifactRecord, task: Task) -> tuple[Snippet, ...]:
    """Swift with Core ML, and Python for any computer."""
    pictures = any(port.kind == "image" for port in record.inputs)
    run = [
        "# On a Mac, coremltools.models.MLModel(path) has the same call.",
        f"model = coreml.load({python_literal(code.name(record))})",
    ]
    if record.states:
        run += [
            "state = model.make_state()  # the beginning; hand it to every call that follows",
            f"outputs = model.predict({{{code.fed(record)}}}, state=state)",
        ]
    else:
        run.append(f"outputs = model.predict({{{code.fed(record)}}})")
    python = code.python(["from lading import coreml"], run, record, task, pictures=pictures)
    return (
        Snippet(record.path, "swift", "Swift with Core ML", swift.snippet(record, task)),
        Snippet(record.path, "python", "Python, on any computer", python),
    )
