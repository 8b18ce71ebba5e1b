"""What the artifact takes and gives: the network with its pre- and post-processing around it.

An app does not want a bare network. It has a picture and wants labels; it may not want to
implement z-scoring. `wrap` puts what was asked for around the untouched network, in torch, so that
both targets receive one and the same graph and the reference is the same module run eagerly.

The network's own values are never touched: `Wrapped.network` is the module that the ledger closed
on.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from torch import nn

from lading.errors import RequestError
from lading.interface.memory import Kept, Remembered, Step, kept
from lading.network.calling import Flat
from lading.network.inputs import example
from lading.network.through import Through, refuse
from lading.record import Port, Task
from lading.task import kind_of, letters
from lading.task.diffusion.step import as_step
from lading.task.processing import Affine, Labels, Probabilities, Wrapped, ZScore

Output = Literal["logits", "probabilities", "labels"]


@dataclass(frozen=True)
class Sizes:
    """Spatial sizes beyond the default one: a list of them, or a range per axis; never both."""

    listed: tuple[tuple[int, ...], ...] = ()
    ranges: tuple[tuple[int, int], ...] = ()

    @staticmethod
    def parse(text: str) -> Sizes:
        """Reads ``"256x256,512x512"`` (a list) or ``"128..512x128..512"`` (ranges).

        Raises:
            RequestError: the text is neither.

        >>> Sizes.parse("256x256,512x384")
        Sizes(listed=((256, 256), (512, 384)), ranges=())
        >>> Sizes.parse("128..512x64..64").ranges
        ((128, 512), (64, 64))
        """
        compact = text.replace(" ", "")
        if re.fullmatch(r"\d+\.\.\d+(x\d+\.\.\d+)*", compact):
            bounds = [tuple(map(int, axis.split(".."))) for axis in compact.split("x")]
            ranges = tuple((low, high) for low, high in bounds)
            if all(0 < low <= high for low, high in ranges):
                return Sizes(ranges=ranges)
        elif re.fullmatch(r"\d+(x\d+)*(,\d+(x\d+)*)*", compact):
            listed = tuple(tuple(map(int, one.split("x"))) for one in compact.split(","))
            if all(size > 0 for one in listed for size in one):
                return Sizes(listed=listed)
        raise RequestError(
            f"--shapes {text}",
            found=repr(text),
            expected="sizes such as 256x256,512x512 or ranges such as 128..512x128..512",
            remedy="write the spatial sizes only, without batch and channels",
        )


@dataclass(frozen=True)
class Options:
    """What was asked of the artifact's inputs and outputs.

    Attributes:
        output: scores as they are, class probabilities, or the class of every pixel.
        bake: pre-processing to put inside the model; ``("zscore",)`` or empty.
        image: take a picture ("grayscale" or "rgb", values 0-255) in place of a float array.
        scale: for pictures, the network sees ``scale · value + bias``.
        bias: one number per channel, or one for all.
        sizes: other spatial sizes than the default one.
        dynamic: ONNX axes left open: any of ``"batch"``, ``"size"``.
        classifier: probabilities by class name, and in Core ML the name of the class: what its
            classifiers give. Probabilities in the order of the labels elsewhere. Its output is
            ``"probabilities"``.
        part: of a diffusion network: the network, or one step of sampling around it; see
            `lading.task.diffusion.step`.
        eta: of ``"ddim"``.
        timesteps: dtype of the port of that name; empty for the network's own.
    """

    output: Output = "logits"
    bake: tuple[str, ...] = ()
    image: Literal["grayscale", "rgb"] | None = None
    scale: float = 1.0
    bias: tuple[float, ...] = (0.0,)
    sizes: Sizes = field(default_factory=Sizes)
    dynamic: tuple[str, ...] = ()
    classifier: bool = False
    part: Literal["network", "ddpm", "ddim"] = "network"
    eta: float = 0.0
    timesteps: Literal["", "int32", "float32"] = ""

    def __post_init__(self) -> None:
        if self.classifier and self.output == "logits":
            object.__setattr__(self, "output", "probabilities")


@dataclass(frozen=True)
class Interface:
    """The wrapped module with its ports: one contract for every target and runtime.

    Attributes:
        module: of a network with a memory, `Remembered`, whose arguments are several calls.
        inputs: of one call.
        outputs: of one call.
        options: what was asked for.
        task: what the network is for.
        states: what it remembers between calls.
        stepped: whether it is the graph of one call, its states among inputs and outputs; see
            `step`.
    """

    module: nn.Module
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    options: Options
    task: Task
    states: tuple[Kept, ...] = ()
    stepped: bool = False

    @property
    def answers(self) -> tuple[Port, ...]:
        """All that `module` gives: the outputs, and what it remembers after the last call."""
        if self.stepped:
            return self.outputs
        return (*self.outputs, *(one.state.port for one in self.states))

    @property
    def step(self) -> Interface:
        """One call as a graph has it: what is remembered goes in last and comes out last."""
        if not self.states or self.stepped:
            return self
        assert isinstance(self.module, Remembered)
        ports = [one.state.port for one in self.states]
        return replace(
            self,
            module=Step(self.module.inner, self.states).eval(),
            inputs=(*self.inputs, *(replace(port, name=f"{port.name}_in") for port in ports)),
            outputs=(*self.outputs, *(replace(port, name=f"{port.name}_out") for port in ports)),
            stepped=True,
        )

    def arguments(self, inputs: Mapping[str, Any]) -> list[torch.Tensor]:
        """Arrays by port name as the module takes them, in order: half precision, which an artifact
        may ask for, is widened to the float32 that the original computes in, and so are the whole
        numbers of a picture. Of a network with a memory they may have an axis more, the calls.
        """
        values = [self._several(torch.tensor(inputs[p.name]), p) for p in self.inputs]
        wide = (torch.float16, torch.bfloat16)
        return [
            value.float() if value.dtype in wide or port.kind == "image" else value
            for port, value in zip(self.inputs, values, strict=True)
        ]

    def _several(self, value: torch.Tensor, port: Port) -> torch.Tensor:
        remembers = self.states and not self.stepped
        return value[None] if remembers and value.dim() == len(port.shape) else value

    def example(
        self, batch: int = 1, seed: int = 0, sizes: Mapping[str, int] | None = None
    ) -> dict[str, torch.Tensor]:
        """Inputs of the default shapes by name, or of `batch` samples where that is more than one:
        any of the port's range, where it has one; else standard normal.

        An exporter takes a batch of one for a constant: give 2 where the batch is to stay open.
        `sizes` are of open axes, by letter.
        """
        generator = torch.Generator().manual_seed(seed)
        own = [letters.shape(port, sizes or {}) for port in self.inputs]
        shapes = [one if batch == 1 else (batch, *one[1:]) for one in own]
        ports = zip(self.inputs, shapes, strict=True)
        drawn = {port.name: (port, example(port, generator, shape)) for port, shape in ports}
        return {name: self._several(value, port) for name, (port, value) in drawn.items()}


def wrap(network: nn.Module, task: Task, options: Options) -> Interface:
    """The network behind the inputs and outputs that `options` ask for.

    A network of several inputs or outputs keeps them as they are.

    Args:
        network: eval mode, weights loaded; takes and gives what `task` says.
        task: what the bare network takes and gives.
        options: what was asked for.

    Raises:
        RequestError: the network cannot be given that interface.
    """
    if options.part != "network":
        network, task = as_step(network, task, options.part, options.eta)
    elif options.eta:
        refuse({"--eta": True}, task.kind, [port.name for port in task.inputs])
    one = len(task.inputs) == len(task.outputs) == 1 and len(task.inputs[0].shape) > 1
    if not one:
        return _through(network, task, options)
    if options.timesteps:
        refuse({"--timesteps": True}, task.kind, [port.name for port in task.inputs])
    source, scores = task.inputs[0], task.outputs[0]
    spatial = len(source.shape) - 2
    channels = source.shape[1]
    prepare: list[nn.Module] = []
    port = _sized(source, options, spatial)

    if not options.image and (options.scale != 1.0 or any(options.bias)):
        raise RequestError(
            f"--scale {options.scale:g} --bias {','.join(f'{b:g}' for b in options.bias)}",
            found="no picture to apply them to",
            expected="--input-image beside them",
            remedy="add --input-image grayscale (or rgb), or leave --scale and --bias out",
        )
    if options.image:
        wanted = 1 if options.image == "grayscale" else 3
        if wanted != channels or spatial != 2:
            raise RequestError(
                f"--input-image {options.image}",
                found=f"a network that takes {channels} channel(s) in {spatial}-D",
                expected=f"a 2-D network with {wanted} channel(s)",
                remedy="leave --input-image out and feed a float array",
            )
        bias = options.bias if len(options.bias) == channels else options.bias * channels
        if len(bias) != channels:
            raise RequestError(
                f"--bias {','.join(map(str, options.bias))}",
                found=f"{len(options.bias)} numbers",
                expected=f"one number, or one per channel ({channels})",
                remedy="give as many numbers as the network has channels",
            )
        plain = options.scale == 1.0 and not any(bias)
        if task.normalisation and not options.bake and plain:
            raise RequestError(
                f"--input-image {options.image}",
                found=f"a network that expects {task.normalisation} values, fed with 0-255",
                expected="the normalisation inside the model, or a scale and bias",
                remedy="add --bake zscore (or --scale and --bias)",
            )
        if not plain:
            prepare.append(Affine(options.scale, bias, spatial))
        port = replace(
            port, kind="image", color=options.image, scale=options.scale, bias=bias,
            meaning="grey levels" if wanted == 1 else "RGB values", value_range=(0.0, 255.0),
        )  # fmt: skip
    for step in options.bake:
        if step != "zscore" or task.normalisation != "zscore":
            raise RequestError(
                f"--bake {step}",
                found=f"normalisation {task.normalisation or 'none'!r} in the checkpoint",
                expected="zscore",
                remedy="leave --bake out and normalise before the model",
            )
        prepare.append(ZScore(spatial))
        if not options.image:
            port = replace(port, meaning="grey levels", value_range=(0.0, 255.0))

    out, head = _head(scores, task, options)
    sized = _follow(out, port)
    inner, call = (network.network, network.call) if isinstance(network, Flat) else (network, None)
    module = Wrapped(inner, nn.Sequential(*prepare), head, call).eval()
    return _remembering(Interface(module, (port,), (sized,), options, task), network)


def _remembering(interface: Interface, network: nn.Module) -> Interface:
    """The interface with what the network remembers.

    Raises:
        RequestError: more than one sample at a time is asked for: a memory is one sample's.
    """
    if not isinstance(network, Flat) or not network.memory:
        return interface
    if "batch" in interface.options.dynamic:
        raise RequestError(
            "--dynamic batch",
            found="a network that remembers " + ", ".join(one.names[0] for one in network.memory),
            expected="one size of what it remembers",
            remedy="leave --dynamic batch out",
        )
    states = kept(network.memory, (*interface.inputs, *interface.outputs), "network.")
    module = Remembered(interface.module, states).eval()
    return replace(interface, module=module, states=states)


def _through(network: nn.Module, task: Task, options: Options) -> Interface:
    """The network's own inputs and outputs; what they can vary in is a batch and a time's dtype."""
    asked = {
        "--classifier": options.classifier,
        f"--output {options.output}": options.output != "logits",
        f"--bake {','.join(options.bake)}": bool(options.bake),
        f"--input-image {options.image}": options.image is not None,
        "--scale": options.scale != 1.0,
        "--bias": any(options.bias),
        "--shapes": options.sizes != Sizes(),
        "--dynamic size": "size" in options.dynamic,
        "--timesteps": bool(options.timesteps)
        and all(port.name != "timesteps" for port in task.inputs),
        f"--timesteps {options.timesteps}": options.timesteps == "float32"
        and options.part != "network",
    }
    refuse(asked, task.kind, [port.name for port in task.inputs])
    inputs = tuple(
        replace(port, dtype=options.timesteps or port.dtype) if port.name == "timesteps" else port
        for port in task.inputs
    )
    if isinstance(network, Flat):
        found = Interface(network, inputs, task.outputs, options, replace(task, inputs=inputs))
        return _remembering(found, network)
    names = [port.name for port in inputs]
    module = Through(network, names, [port.name for port in task.outputs]).eval()
    return Interface(module, inputs, task.outputs, options, replace(task, inputs=inputs))


#: Sizes that Core ML takes in a list.
MOST_SIZES = 128


def _sized(port: Port, options: Options, spatial: int) -> Port:
    """The input port with the sizes that were asked for, checked against what the network needs."""
    sizes = options.sizes
    if port.letters and sizes != Sizes():
        raise RequestError(
            "--shapes",
            found=f"{port.name} with open axes of its own",
            expected="either of them",
            remedy="leave --shapes out: --input says the sizes",
        )
    multiples = port.multiples or (1,) * len(port.shape)
    for size in (*sizes.listed, *(tuple(axis) for axis in zip(*sizes.ranges, strict=True))):
        if len(size) != spatial:
            raise RequestError(
                f"--shapes {'x'.join(map(str, size))}",
                found=f"{len(size)} axes",
                expected=f"{spatial} axes, as the network is {spatial}-D",
                remedy="write the spatial sizes only, without batch and channels",
            )
        for axis, (value, step) in enumerate(zip(size, multiples[2:], strict=True)):
            if value % step:
                below, above = value // step * step, (value // step + 1) * step
                raise RequestError(
                    f"--shapes {'x'.join(map(str, size))}",
                    found=f"{value} on axis {axis}",
                    expected=f"a multiple of {step}: the network halves it that often",
                    remedy=f"use {below} or {above}" if below else f"use {above}",
                )
    head = port.shape[:2]
    if sizes.listed:
        listed = tuple(dict.fromkeys((*head, *one) for one in (port.shape[2:], *sizes.listed)))
        return replace(port, enumerated=listed)
    if sizes.ranges:
        for (low, high), default in zip(sizes.ranges, port.shape[2:], strict=True):
            if not low <= default <= high:
                raise RequestError(
                    f"--shapes {low}..{high}",
                    found=f"a range without the default size {default}",
                    expected=f"a range that holds {default}",
                    remedy="widen the range, or change the default with --set patch_size=...",
                )
        axes = zip(sizes.ranges, multiples[2:], strict=True)
        if any(step > 1 and low < high for (low, high), step in axes):
            return replace(port, enumerated=_every(port, sizes, multiples[2:]))
        return replace(port, ranges=tuple((n, n) for n in head) + sizes.ranges)
    return port


def _every(port: Port, sizes: Sizes, steps: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """The sizes in ranges that the network itself runs at, the default first: a file must not say
    that it takes the ones between."""
    axes = [range(low, high + 1, n) for (low, high), n in zip(sizes.ranges, steps, strict=True)]
    count = math.prod(map(len, axes))
    if count > MOST_SIZES:
        asked = "x".join(f"{low}..{high}" for low, high in sizes.ranges)
        raise RequestError(
            f"--shapes {asked}",
            found=f"{count} sizes that the network runs at, multiples of "
            + "x".join(map(str, steps)),
            expected=f"{MOST_SIZES} at most, as each is listed in the file: a range would hold "
            "sizes at which the network itself does not run",
            remedy="narrow the range, or list the sizes that the app feeds",
        )
    listed = (port.shape, *((*port.shape[:2], *one) for one in itertools.product(*axes)))
    return tuple(dict.fromkeys(listed))


def _follow(out: Port, port: Port) -> Port:
    """The output port with the spatial sizes of the input's list or ranges."""
    lead = len(out.shape) - len(port.shape) + 2
    if port.letters:
        return out  # it has its own already
    if port.enumerated:
        shapes = tuple(out.shape[:lead] + one[2:] for one in port.enumerated)
        return replace(out, enumerated=shapes)
    if port.ranges:
        fixed = tuple((n, n) for n in out.shape[:lead])
        return replace(out, ranges=fixed + port.ranges[2:])
    return out


def _require_classifier(scores: Port, task: Task, options: Options) -> None:
    """Passes only if a sample has one class, with a name each.

    Raises:
        RequestError: it has none, or several, or labels were asked for as well.
    """
    named = len(task.labels) == len(set(task.labels)) > 0
    one_each = kind_of(task).classifies and scores.class_axis == 1 and len(scores.shape) == 2
    if not (one_each and named and task.activation == "softmax"):
        raise RequestError(
            "--classifier",
            found=f"a {task.kind} network with output {scores.name} {list(scores.shape)}",
            expected="a network that gives a sample one of several named classes",
            remedy="leave --classifier out",
        )
    if options.output == "labels":
        raise RequestError(
            "--classifier --output labels",
            found="the class asked for twice",
            expected="--classifier alone: it gives the class and the probabilities",
            remedy="leave --output out",
        )


def _head(scores: Port, task: Task, options: Options) -> tuple[Port, nn.Module]:
    if options.classifier:
        _require_classifier(scores, task, options)
    if options.output == "logits":
        return scores, nn.Identity()
    axis = scores.class_axis
    if axis is None or not task.activation:
        raise RequestError(
            f"--output {options.output}",
            found=f"a {task.kind} network whose output is {scores.meaning or 'no class scores'}",
            expected="a network that scores classes",
            remedy="use --output logits",
        )
    if options.output == "probabilities":
        port = replace(
            scores, name="probabilities", meaning="probabilities", value_range=(0.0, 1.0)
        )
        return port, Probabilities(task.activation, axis)
    shape = scores.shape[:axis] + scores.shape[axis + 1 :]
    high = max(task.region_order) if task.region_order else scores.shape[axis] - 1
    port = Port(
        "labels", "tensor", "int32", shape, meaning="labels", value_range=(0.0, float(high))
    )
    return port, Labels(axis, task.region_order)
