"""What an artifact takes and gives: as is asked, as lading noted it, as its ports show it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from lading.base.progress import Progress
from lading.errors import LadingError
from lading.formats import Artifact
from lading.interface import Interface, Options, Sizes, wrap
from lading.interface.matching import Values, matched
from lading.interface.original import TorchSide
from lading.interface.side import Array
from lading.job.request import Beside, Described
from lading.network.source import Loaded, Source, load
from lading.proof.probes import make
from lading.record import ArtifactRecord, HyperParameter
from lading.record.wording import shape as sizes

#: What an option of a port is called in `Options`.
_NAMES = {"input_image": "image", "shapes": "sizes"}


def described(asked: Described, noted: Options | None = None) -> Options:
    """What is said of the inputs and outputs, over what lading noted in the artifact."""
    values: dict[str, Any] = {
        _NAMES.get(name, name): getattr(asked, name)
        for name in asked.said()
        if name in ("output", "bake", "input_image", "scale", "bias", "shapes")
    }
    if "sizes" in values:
        values["sizes"] = Sizes.parse(values["sizes"])
    return replace(noted or Options(), **values)


def beside(
    asked: Beside,
    artifact: Artifact,
    had: Source,
    progress: Progress,
    check: Callable[[Loaded], None],
) -> tuple[Loaded, ArtifactRecord, Interface]:
    """The checkpoint's network behind the artifact's ports, and the artifact's record with the
    network's meanings.

    What of the network's sizes is only assumed is read off the artifact's inputs. `check` is called
    with the network before its ports are held against the artifact's.

    Raises:
        LadingError: the checkpoint cannot be read, or the ports do not fit.
    """
    names: Any = asked.map
    options = described(asked, artifact.noted()[1])
    loaded = load(had, progress)
    check(loaded)
    shown = _shown(loaded, artifact)
    if shown:
        given = {name: told for name, (told, _) in shown.items()}
        loaded = load(replace(had, given={**had.given, **given}), progress)
        loaded = replace(loaded, recognition=replace(
            loaded.recognition,
            hyperparameters=tuple(
                replace(one, evidence="side file", source=shown[one.name][1])
                if one.name in shown else one
                for one in loaded.recognition.hyperparameters
            ),
        ))  # fmt: skip
    interface = wrap(loaded.network, loaded.task, options)
    record, interface = matched(
        artifact.record, interface, names, lambda one: _values(artifact, one)
    )
    return loaded, record, interface


def _shown(loaded: Loaded, artifact: Artifact) -> dict[str, tuple[str, str]]:
    """Hyper-parameters that are assumed and are the sizes of an input, by name: as the artifact has
    them, and where."""
    found = {}
    for their, our in zip(artifact.record.inputs, loaded.task.inputs, strict=False):
        if len(their.shape) != len(our.shape) or min(their.shape, default=0) < 1:
            continue
        for one in loaded.recognition.hyperparameters:
            own = _whole(one)
            if one.evidence == "assumed" and own and our.shape[-len(own) :] == own:
                theirs = their.shape[-len(own) :]
                if theirs != own:
                    told = "x".join(map(str, theirs))
                    source = f"{artifact.path.name}: {their.name} {sizes(their.shape)}"
                    found[one.name] = told, source
    return found


def _whole(one: HyperParameter) -> tuple[int, ...]:
    """A value that may be sizes."""
    values = one.value if isinstance(one.value, (list, tuple)) else (one.value,)
    return tuple(values) if all(type(value) is int for value in values) else ()


def _values(artifact: Artifact, interface: Interface) -> Values:
    """The outputs of both on one probe, as either calls them; of an artifact that does not run,
    none."""
    probe = next(one for one in make(interface) if one.varied)
    ours: Mapping[str, Array] = TorchSide(interface).run(probe.inputs)
    try:
        theirs = artifact.open(artifact.runtime()).run(probe.inputs)
    except LadingError:
        return {}, {}
    return theirs, {name: np.asarray(value) for name, value in ours.items()}
