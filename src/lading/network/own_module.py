"""A network that no family knows: its own code, and what it takes.

Weights come from the checkpoint and code from the user, who names a Python file and what in it
makes the network. That file is run: it is the user's own, and he says so by naming it; nothing from
the checkpoint is run. The ledger closes on the module by exact names, as on a family's rebuild.
"""

from __future__ import annotations

import contextlib
import importlib.util
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lading.base.digests import of_path
from lading.errors import LadingError, RequestError
from lading.network.through import Through
from lading.record import HyperParameter, Port, Recognition, Sign, Task

FAMILY, TITLE = "module", "your own module"
DTYPES = ("float32", "int32")
#: What the probes read as: any real numbers, or those of a range evenly.
VALUES = "normalised values"
_INPUT = re.compile(
    r"(?P<name>[A-Za-z_]\w*):(?P<dtype>\w+)\[(?P<shape>\d+(,\d+)*)\]"
    r"(@(?P<low>-?\d+(\.\d+)?)\.\.(?P<high>-?\d+(\.\d+)?))?"
)


@dataclass(frozen=True)
class OwnModule:
    """A user's own network, not yet made.

    Attributes:
        make: gives the module; any values, any mode.
        inputs: its ports.
        origin: where it comes from, e.g. ``"net.py:make"``.
        sha256: of the file of code; empty where there is none.
    """

    make: Callable[[], Any]
    inputs: tuple[Port, ...]
    origin: str
    sha256: str = ""

    def build(self) -> nn.Module:
        """The module in eval mode.

        Raises:
            RequestError: its code fails, or gives something else.
        """
        try:
            module = self.make()
        except LadingError:
            raise
        except Exception as error:  # the user's own code may raise anything
            raise RequestError(
                f"--model {self.origin}",
                found=f"{type(error).__name__}: {str(error).strip() or 'no message'}"[:300],
                expected="a call without arguments that returns the network",
                remedy="correct the factory; it needs no weights, the checkpoint's are loaded",
            ) from error
        if not isinstance(module, nn.Module):
            raise RequestError(
                f"--model {self.origin}",
                found=f"a {type(module).__name__}",
                expected="a torch.nn.Module, or what returns one",
                remedy="return the network itself from the factory",
            )
        return module.eval()

    def recognition(self) -> Recognition:
        """Where the network comes from, as a family would say it."""
        known = [HyperParameter("code", self.origin, "user", "--model")]
        if self.sha256:
            known.append(HyperParameter("code_sha256", self.sha256, "user", self.origin))
        known += [
            HyperParameter(f"input {p.name}", spelled(p), "user", "--input") for p in self.inputs
        ]
        sign = Sign("code that the user names and runs", present=True, found=self.origin)
        return Recognition(FAMILY, TITLE, (sign,), tuple(known))

    def task(self, module: nn.Module) -> Task:
        """What `module`, loaded, takes and gives: it is run once.

        Raises:
            RequestError: it does not run on its inputs, or gives what no artifact can.
        """
        generator = torch.Generator().manual_seed(0)
        values = [_example(port, generator) for port in self.inputs]
        names = [port.name for port in self.inputs]
        try:
            with torch.no_grad():
                answer = _named(Through(module, names, ()), values)
        except LadingError:
            raise
        except Exception as error:  # the user's own code may raise anything
            raise RequestError(
                f"--input {' --input '.join(map(spelled, self.inputs))}",
                found=f"{type(error).__name__}: {str(error).strip() or 'no message'}"[:300],
                expected=f"inputs on which {self.origin} runs",
                remedy="correct the names, shapes, dtypes or ranges of the inputs",
            ) from error
        outputs = tuple(_output(name, value, self.origin) for name, value in answer.items())
        notes = {"code": self.origin}
        return Task("module", self.inputs, outputs, notes=notes)


Inputs = Mapping[str, torch.Tensor] | Sequence[str]


def own(model: str | Callable[[], Any] | None, inputs: Inputs) -> OwnModule | None:
    """The network that ``--model`` and ``--input`` name, or the same keywords; None without them.

    Raises:
        RequestError: one without the other, or either is not right.
    """
    if model is not None:
        return from_text(model, inputs) if isinstance(model, str) else from_python(model, inputs)
    if inputs:
        raise RequestError(
            f"--input {next(iter(inputs))}",
            found="no --model",
            expected="an input beside the code of the network that takes it",
            remedy="add --model FILE.py:FACTORY, or leave --input out",
        )
    return None


def from_text(model: str, inputs: Inputs) -> OwnModule:
    """What ``--model FILE.py:FACTORY`` and ``--input NAME:DTYPE[SHAPE]@LOW..HIGH`` name.

    Raises:
        RequestError: the text is not that, or there is no such file.
    """
    file, colon, name = model.rpartition(":")
    path = Path(file)
    if not colon or not name.isidentifier() or path.suffix != ".py" or not path.is_file():
        raise RequestError(
            f"--model {model}",
            found="no such file" if colon and path.suffix == ".py" else repr(model),
            expected="FILE.py:FACTORY, a Python file and what in it returns the network",
            remedy="name both, e.g. --model net.py:make_network",
        )
    origin = f"{path.name}:{name}"
    ports = _ports(origin, inputs)
    return OwnModule(lambda: _run(path, name, origin), ports, origin, of_path(path))


def from_python(model: Callable[[], Any], inputs: Inputs) -> OwnModule:
    """What ``lading.convert(..., model=, input=)`` was given.

    Args:
        model: a module, or what returns one.
        inputs: an input by name for each, or texts as for ``--input``. Whole numbers are then
            drawn from those that occur in the input.

    Raises:
        RequestError: an input is none that an artifact can take.
    """
    make = (lambda: model) if isinstance(model, nn.Module) else model
    origin = getattr(model, "__qualname__", type(model).__qualname__)
    return OwnModule(make, _ports(origin, inputs), origin)


def _ports(origin: str, inputs: Inputs) -> tuple[Port, ...]:
    if not inputs:
        raise RequestError(
            f"--model {origin}",
            found="no --input",
            expected="what the network takes, one --input for each",
            remedy="add e.g. --input x:float32[1,3,256,256]",
        )
    if isinstance(inputs, Mapping):
        return _distinct(tuple(_of_tensor(name, value) for name, value in inputs.items()))
    return _distinct(tuple(port(text) for text in inputs))


def port(text: str) -> Port:
    """The input that a text names.

    Raises:
        RequestError: the text names none.

    >>> port("timesteps:int32[1]@0..999").value_range
    (0.0, 999.0)
    >>> port("x:float32[1,3,64,64]").shape
    (1, 3, 64, 64)
    """
    match = _INPUT.fullmatch(text.replace(" ", ""))
    wrong = ""
    if match is None:
        wrong = repr(text)
    elif match["dtype"] not in DTYPES:
        wrong = f"dtype {match['dtype']}"
    elif match["dtype"] == "int32" and match["low"] is None:
        wrong = "whole numbers without their range"
    elif match["low"] is not None and float(match["low"]) > float(match["high"]):
        wrong = f"a range from {match['low']} to {match['high']}"
    if match is None or wrong:
        raise RequestError(
            f"--input {text}",
            found=wrong,
            expected="NAME:DTYPE[SHAPE], DTYPE float32 or int32; whole numbers with @LOW..HIGH",
            remedy="write e.g. x:float32[1,3,256,256] or timesteps:int32[1]@0..999",
        )
    shape = tuple(map(int, match["shape"].split(",")))
    bounds = (float(match["low"]), float(match["high"])) if match["low"] is not None else ()
    return Port(match["name"], "tensor", match["dtype"], shape, meaning=VALUES, value_range=bounds)


def spelled(one: Port) -> str:
    """The port as `port` reads it.

    >>> spelled(port("t:float32[1]@0..1"))
    't:float32[1]@0..1'
    >>> spelled(port("t:int32[1]@-0.00001..12345678"))
    't:int32[1]@-0.00001..12345678'
    """
    # Digits alone: `port` knows no exponent.
    low_high = [f"{Decimal(repr(bound)):f}".removesuffix(".0") for bound in one.value_range]
    bounds = "@" + "..".join(low_high) if low_high else ""
    return f"{one.name}:{one.dtype}[{','.join(map(str, one.shape))}]{bounds}"


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


def _run(path: Path, name: str, origin: str) -> Any:
    """Runs the file, then what it calls `name`."""
    with _importing_from(path.parent.resolve()):
        spec = importlib.util.spec_from_file_location(f"_own_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        code = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = code  # dataclasses and pickles look there for their module
        spec.loader.exec_module(code)
        found = getattr(code, name, None)
        if not callable(found):
            known = ", ".join(n for n, v in vars(code).items() if callable(v) and n[0] != "_")
            raise RequestError(
                f"--model {origin}",
                found=f"nothing callable of that name; there is {known or 'nothing callable'}",
                expected="a function or class that returns the network",
                remedy="name one of them",
            )
        if isinstance(found, nn.Module):
            return found
        return found()


@contextlib.contextmanager
def _importing_from(folder: Path) -> Iterator[None]:
    """Within it, modules beside the file are found, as when it is run."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _example(one: Port, generator: torch.Generator) -> torch.Tensor:
    if one.dtype == "int32":
        low, high = one.value_range
        values = torch.randint(int(low), int(high) + 1, one.shape, generator=generator)
        return values.to(torch.int32)
    if one.value_range:
        low, high = one.value_range
        return low + (high - low) * torch.rand(one.shape, generator=generator)
    return torch.randn(one.shape, generator=generator)


def _named(module: Through, values: Sequence[torch.Tensor]) -> dict[str, Any]:
    """The answer's parts by name: its keys, or ``output``, or ``output_0`` and so on."""
    call = module.network
    answer = (
        call(**dict(zip(module.inputs, values, strict=True))) if module.by_name else call(*values)
    )
    if isinstance(answer, Mapping):
        return {str(name): value for name, value in answer.items()}
    if isinstance(answer, (tuple, list)):
        if len(answer) == 1:
            return {"output": answer[0]}
        return {f"output_{place}": value for place, value in enumerate(answer)}
    return {"output": answer}


def _output(name: str, value: Any, origin: str) -> Port:
    known = isinstance(value, torch.Tensor) and str(value.dtype).removeprefix("torch.") in DTYPES
    if not known or not name.isidentifier():
        kind = f"{value.dtype}" if isinstance(value, torch.Tensor) else type(value).__name__
        raise RequestError(
            f"output {name!r} of {origin}",
            found=kind,
            expected="tensors of float32 or int32, alone, in a tuple, or by name",
            remedy="let the factory return a module that gives only such outputs",
        )
    dtype = str(value.dtype).removeprefix("torch.")
    return Port(name, "tensor", dtype, tuple(value.shape), meaning="values")


def _of_tensor(name: str, value: Any) -> Port:
    if not isinstance(value, torch.Tensor):
        raise RequestError(
            f"--input {name}",
            found=f"a {type(value).__name__}",
            expected="a tensor for each name, or texts such as x:float32[1,3,256,256]",
            remedy="give an example of the input as a torch.Tensor",
        )
    whole = not value.is_floating_point() and value.dtype != torch.bool
    dtype = "int32" if whole else str(value.dtype).removeprefix("torch.")
    bounds = f"@{int(value.min())}..{int(value.max())}" if whole and value.numel() else ""
    return port(f"{name}:{dtype}[{','.join(map(str, value.shape))}]{bounds}")


def _distinct(ports: tuple[Port, ...]) -> tuple[Port, ...]:
    names = [one.name for one in ports]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise RequestError(
            f"--input {twice[0]}",
            found=f"{names.count(twice[0])} inputs of that name",
            expected="a name for each input",
            remedy="rename one of them",
        )
    return ports
