"""A network that no family knows: its own code, and what it takes.

Weights come from the checkpoint and code from the user, who names a factory; see
`lading.network.code`. Or he has the module in hand, and there need be no checkpoint at all. The
ledger closes on the module by names, or by bytes where the factory read the file itself.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lading.base.digests import of_path
from lading.errors import LadingError, RequestError
from lading.network import attributes, memory
from lading.network.calling import Calling, Flat, given, parameters
from lading.network.code import literal, named
from lading.network.inputs import Inputs, Taken, all_taken, example, leaves
from lading.network.lines import told
from lading.record import HyperParameter, Port, Recognition, Sign, Task
from lading.task import letters

FAMILY, TITLE = "module", "your own module"
#: Calls in which it shows whether an answer depends on those before it.
_CALLS = 4


@dataclass(frozen=True)
class OwnModule:
    """A user's own network, not yet made.

    Attributes:
        make: gives the module, of any values and in any mode, and whether it read the checkpoint
            whose path it is given.
        inputs: texts or examples.
        origin: where it comes from, e.g. ``"net.py:make"``.
        sha256: of the file of code; empty where there is none.
        arguments: what the factory is given.
        live: whether it is the network itself, with the values that it has.
        container: of a live one, where these come from.
    """

    make: Callable[[Path | None], tuple[Any, bool]]
    inputs: Inputs
    origin: str
    sha256: str = ""
    arguments: Mapping[str, Any] | None = None
    live: bool = False
    container: str = "live module"

    def build(self, checkpoint: Path | None = None) -> tuple[nn.Module, bool]:
        """The module in eval mode, and whether it has read the checkpoint itself.

        Raises:
            RequestError: its code fails, or gives something else.
        """
        try:
            module, read = self.make(checkpoint)
        except LadingError:
            raise
        except Exception as error:  # the user's own code may raise anything
            raise RequestError(
                f"--model {self.origin}",
                found=told(error),
                expected="a call that returns the network",
                remedy="correct the factory or its --model-arg; it needs no weights, the "
                "checkpoint's are loaded",
            ) from error
        if not isinstance(module, nn.Module):
            raise RequestError(
                f"--model {self.origin}",
                found=f"a {type(module).__name__}",
                expected="a torch.nn.Module, or what returns one",
                remedy="return the network itself from the factory",
            )
        return module.eval(), read

    def recognition(self) -> Recognition:
        """Where the network comes from, as a family would say it."""
        known = [HyperParameter("code", self.origin, "user", "--model")]
        if self.sha256:
            known.append(HyperParameter("code_sha256", self.sha256, "user", self.origin))
        known += [
            HyperParameter(f"argument {name}", repr(value), "user", "--model-arg")
            for name, value in (self.arguments or {}).items()
        ]
        if all(isinstance(one, str) for one in self.inputs) and not isinstance(
            self.inputs, Mapping
        ):
            known += [_input(one) for one in all_taken(self.inputs, ())]
        sign = Sign("code that the user names and runs", present=True, found=self.origin)
        return Recognition(FAMILY, TITLE, (sign,), tuple(known))

    def task(self, module: nn.Module) -> tuple[Task, Flat]:
        """What `module`, loaded, takes and gives, and it behind flat ports: it is run once.

        Raises:
            RequestError: it does not run on its inputs, or gives what no artifact can.
        """
        taken = all_taken(self.inputs, parameters(module))
        with memory.undone(module) as seen:
            answer = self._run(module, taken)
        self._require_kept(module, taken, seen)
        ports = tuple(one.port for one in taken)
        found, dropped = given(answer, [port.name for port in ports], self.origin)
        notes = {"code": self.origin}
        if dropped:
            notes["left out"] = f"of what it gives: {', '.join(dropped)}"[:500]
        with memory.undone(module):
            outputs = self._open(module, taken, tuple(one.port for one in found))
        call = Calling(module, taken, [one.path for one in found])
        flat = Flat(module, call, seen.buffers).eval()
        return Task("module", ports, outputs, notes=notes), flat

    def _require_kept(
        self, module: nn.Module, taken: Sequence[Taken], seen: memory.Changes
    ) -> None:
        """Passes only where all that the network remembers can be kept by a file.

        Raises:
            RequestError: it cannot.
        """
        memory.require_kept(module, seen, self.origin)

        def several(afresh: bool) -> list[Any]:
            found = []
            with memory.undone(module), attributes.reset(module) as put_back:
                for seed in range(_CALLS):
                    answer = self._run(module, taken, seed=seed)
                    found.append(copy.deepcopy([one for _, one in leaves(answer)]))
                    if afresh:
                        put_back()
            return found

        attributes.require_idle(seen.attributes, several, self.origin)

    def _open(
        self, module: nn.Module, taken: Sequence[Taken], outputs: tuple[Port, ...]
    ) -> tuple[Port, ...]:
        """The outputs with the sizes that they have from the least to the largest inputs."""
        ports = [one.port for one in taken]
        ends = letters.assignments(ports, 2)
        seen = [[port.shape for port in outputs]]
        for sizes in ends:
            answer = self._run(module, taken, sizes)
            found, _ = given(answer, [port.name for port in ports], self.origin)
            seen.append([one.port.shape for one in found])
        if any(list(map(len, shapes)) != list(map(len, seen[0])) for shapes in seen):
            raise RequestError(
                f"outputs of {self.origin}",
                found="other outputs, or other axes of them, at other sizes of the inputs",
                expected="the same outputs at every size",
                remedy="leave that axis closed: write its size in place of the letter",
            )
        every = [[shapes[place] for shapes in seen] for place in range(len(outputs))]
        ranges = [tuple((min(n), max(n)) for n in zip(*one, strict=True)) for one in every]
        return tuple(
            replace(port, ranges=one) if any(low < high for low, high in one) else port
            for port, one in zip(outputs, ranges, strict=True)
        )

    def _run(
        self, module: nn.Module, taken: Sequence[Taken], sizes: Mapping[str, int] | None = None,
        *, seed: int = 0,
    ) -> Any:  # fmt: skip
        generator = torch.Generator().manual_seed(seed)
        values = [
            example(one.port, generator, letters.shape(one.port, sizes or {})) for one in taken
        ]
        try:
            with torch.no_grad():
                return Calling(module, taken).answer(module, *values)
        except LadingError:
            raise
        except Exception as error:  # the user's own code may raise anything
            raise RequestError(
                f"--input {' --input '.join(map(str, taken))}",
                found=f"at {letters.spelled(sizes)}: {told(error)}" if sizes else told(error),
                expected=f"inputs on which {self.origin} runs",
                remedy="correct the names, shapes, dtypes or ranges of the inputs",
            ) from error


def _input(one: Taken) -> HyperParameter:
    return HyperParameter(f"input {'.'.join(one.path)}", str(one), "user", "--input")


def own(
    model: str | Callable[[], Any] | None,
    inputs: Inputs,
    arguments: Mapping[str, str] | None = None,
) -> OwnModule | None:
    """The network that ``--model`` and ``--input`` name, or the same keywords; None without them.

    Raises:
        RequestError: one without the other, or either is not right.
    """
    given = {name: literal(text) for name, text in (arguments or {}).items()}
    if model is None:
        for option, said in (("--input", bool(inputs)), ("--model-arg", bool(given))):
            if said:
                raise RequestError(
                    option,
                    found="no --model",
                    expected=f"{option} beside the code of the network",
                    remedy=f"add --model FILE.py:FACTORY, or leave {option} out",
                )
        return None
    if not len(inputs):
        origin = model if isinstance(model, str) else _title(model)
        raise RequestError(
            f"--model {origin}",
            found="no --input",
            expected="what the network takes, one --input for each",
            remedy="add e.g. --input x:float32[1,3,256,256]",
        )
    return (
        from_text(model, inputs, given)
        if isinstance(model, str)
        else from_python(model, inputs, given)
    )


def from_text(model: str, inputs: Inputs, arguments: Mapping[str, Any]) -> OwnModule:
    """What ``--model FILE.py:FACTORY`` and ``--input NAME:DTYPE[SHAPE]@LOW..HIGH`` name.

    Raises:
        RequestError: the text is not that, or there is no such code.
    """
    code = named(model, arguments)
    _require_inputs(inputs)
    digest = of_path(code.file) if code.file else ""
    return OwnModule(code.make, inputs, code.origin, digest, code.arguments)


def from_python(
    model: Callable[[], Any], inputs: Inputs, arguments: Mapping[str, Any] | None = None
) -> OwnModule:
    """What ``lading.convert(..., model=, input=)`` was given.

    Args:
        model: a module, or what returns one.
        inputs: texts as for ``--input``, or examples. Whole numbers are then drawn from those that
            occur in the example.
        arguments: what the factory is given.

    Raises:
        RequestError: an input is none that an artifact can take.
    """
    how = dict(arguments or {})
    module = isinstance(model, nn.Module)

    def make(_: Path | None) -> tuple[Any, bool]:
        return (model, False) if module else (model(**how), False)

    _require_inputs(inputs)
    return OwnModule(make, inputs, _title(model), arguments=how)


def live(module: nn.Module, inputs: Inputs) -> OwnModule:
    """The user's module itself, with the values that it has; it is left as it is, in its mode.

    Raises:
        RequestError: an input is none that an artifact can take.
    """

    def make(_: Path | None) -> tuple[Any, bool]:
        try:
            return copy.deepcopy(module), False
        except Exception:  # what cannot be copied (a weight that a hook computed) is used itself
            return module, False

    _require_inputs(inputs)
    return OwnModule(make, inputs, _title(module), live=True)


def _require_inputs(inputs: Inputs) -> None:
    """Refuses early what no artifact takes: names by place are found out later."""
    all_taken(inputs, ())


def _title(model: Any) -> str:
    return str(getattr(model, "__qualname__", type(model).__qualname__))


def require_alone(own: OwnModule, said: Sequence[str]) -> None:
    """Lets a network of the user's own pass only where nothing points to a known family's.

    Args:
        own: the network.
        said: the options that tell of one.

    Raises:
        RequestError: there are some.
    """
    if said:
        raise RequestError(
            f"{' '.join(said)} with --model {own.origin}",
            found="what points to a known family's network",
            expected="--model alone: the network is made by its own code",
            remedy="leave it out, and set it in the code",
        )
