"""A network of several inputs or outputs, fed by the names of its ports."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from lading.errors import RequestError


class Through(nn.Module):
    """`network` as it is: inputs in the order of its ports, outputs in the order of theirs.

    Where every input port is called like a parameter of the network's ``forward``, the network is
    called by keyword: ports may then leave out a parameter with a default that lies between two.
    Otherwise it is called by position. An answer that is a mapping is read by the outputs' names.

    Args:
        network: what is called.
        inputs: names of the input ports.
        outputs: names of the output ports.

    Raises:
        RequestError: some, and not all, of the inputs are names of parameters.
    """

    def __init__(self, network: nn.Module, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        super().__init__()
        self.network = network
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)
        self.by_name = called_by_name(network, inputs)

    def forward(self, *values: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        if self.by_name:
            answer = self.network(**dict(zip(self.inputs, values, strict=True)))
        else:
            answer = self.network(*values)
        if isinstance(answer, Mapping):
            answer = tuple(answer[name] for name in self.outputs)
        if isinstance(answer, (tuple, list)):
            return answer[0] if len(answer) == 1 else tuple(answer)
        out: torch.Tensor = answer
        return out


def called_by_name(network: nn.Module, inputs: Sequence[str]) -> bool:
    """Whether every input is a parameter of the network's ``forward``; False if none is.

    Raises:
        RequestError: some are and some are not.
    """
    parameters = inspect.signature(network.forward).parameters.values()
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    known = [one.name for one in parameters if one.kind in named]
    strangers = [name for name in inputs if name not in known]
    if strangers and len(strangers) < len(inputs):
        raise RequestError(
            f"inputs of {type(network).__name__}",
            found=f"{', '.join(strangers)}, which its forward does not know",
            expected=f"names among {', '.join(known)}; or none of them, to go by position",
            remedy="name the inputs as the parameters of forward are named",
        )
    return not strangers


def refuse(asked: Mapping[str, bool], kind: str, inputs: Sequence[str]) -> None:
    """Passes only if nothing was asked for that needs one picture in and one score out.

    Args:
        asked: options of the command line, each with whether it was asked for.
        kind: of the network's task.
        inputs: names of its ports.

    Raises:
        RequestError: something was.
    """
    for option, wanted in asked.items():
        if wanted:
            raise RequestError(
                option,
                found=f"a {kind} network with the inputs {', '.join(inputs)}",
                expected="a network that takes one picture",
                remedy=f"leave {option.split()[0]} out",
            )


def takes_any_number(module: nn.Module) -> bool:
    """Whether `module` takes its inputs as ``*values``, as `Through` does."""
    parameters: Any = inspect.signature(module.forward).parameters.values()
    return any(one.kind is inspect.Parameter.VAR_POSITIONAL for one in parameters)
