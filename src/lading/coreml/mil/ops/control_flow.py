"""Branches, loops, lists, states, and the classifier's output."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from lading.coreml.mil.registry import exact

_DTYPES = {
    "fp16": torch.float32,
    "fp32": torch.float32,
    "int32": torch.int32,
    "bool": torch.bool,
}


# ------------------------------------------------------------------------------ branches, loops
@exact
def select(cond: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """`a` where `cond` holds, else `b`; all three broadcast."""
    return torch.where(cond, a, b)


@exact
def cond(
    pred: bool, _true_fn: Callable[..., list[Any]], _false_fn: Callable[..., list[Any]]
) -> Any:
    """What the one block or the other gives; only that one runs."""
    results = _true_fn() if pred else _false_fn()
    return results[0] if len(results) == 1 else results


@exact
def while_loop(
    _cond: Callable[..., list[Any]],
    _body: Callable[..., list[Any]],
    loop_vars: Sequence[Any],
) -> Any:
    """The body again and again on its own results, while the condition holds on them."""
    values = list(loop_vars)
    while bool(_cond(*values)[0]):
        values = _body(*values)
    return values[0] if len(values) == 1 else values


# ----------------------------------------------------------------------------------------- lists
def make_list(
    elem_shape: Sequence[Any],
    init_length: int = 1,
    dynamic_length: bool = True,
    dtype: str = "fp32",
) -> list[Tensor]:
    """A list of zeros; a size that is a name is known only once something is written, here 0."""
    sizes = [0 if isinstance(size, str) else int(size) for size in elem_shape]
    return [torch.zeros(sizes, dtype=_DTYPES[dtype])] * init_length


def list_length(ls: list[Tensor]) -> Tensor:
    return torch.tensor(len(ls), dtype=torch.int32)


def _grown(ls: list[Tensor], index: int, like: Tensor) -> list[Tensor]:
    """A copy of `ls` that reaches `index`, filled up with zeros."""
    if index < 0:
        raise IndexError(f"index {index} in a list of {len(ls)}")
    return [*ls, *[torch.zeros_like(like)] * (index + 1 - len(ls))]


def list_write(ls: list[Tensor], index: int, value: Tensor) -> list[Tensor]:
    """The list with `value` at `index`; it grows where it must."""
    result = _grown(ls, index, value)
    result[index] = value
    return result


@exact
def list_read(ls: list[Tensor], index: int) -> Tensor:
    if not 0 <= index < len(ls):
        raise IndexError(f"index {index} in a list of {len(ls)}")
    return ls[index]


@exact
def list_gather(ls: list[Tensor], indices: Sequence[int]) -> Tensor:
    """The elements at `indices`, stacked."""
    return torch.stack([list_read(ls, index) for index in indices])


def list_scatter(ls: list[Tensor], indices: Sequence[int], value: Tensor) -> list[Tensor]:
    """The list with ``value[i]`` at ``indices[i]``; it grows where it must."""
    for index, one in zip(indices, value, strict=True):
        ls = list_write(ls, index, one)
    return ls


# ---------------------------------------------------------------------------------------- states
class State(Protocol):
    """A named piece of memory; its tensor is replaced, never changed in place."""

    tensor: Tensor


@exact
def read_state(input: State) -> Tensor:  # noqa: A002 - the operation's own name for it
    return input.tensor


def write_state(input: State, data: Tensor) -> None:  # noqa: A002
    """Keep `data`; how coremltools writes `coreml_update_state`, with `read_state` after it."""
    input.tensor = data


@exact
def coreml_update_state(state: State, value: Tensor) -> Tensor:
    """Keep `value` and give it back."""
    state.tensor = value
    return value


# ------------------------------------------------------------------------------------ classifier
def classify(probabilities: Tensor, classes: list[Any]) -> tuple[Any, dict[Any, float]]:
    """The label of the greatest probability, the first of equals, and all of them by label."""
    flat = probabilities.reshape(-1).tolist()
    if len(flat) != len(classes):
        raise ValueError(f"{len(flat)} probabilities for {len(classes)} classes")
    best = max(range(len(flat)), key=flat.__getitem__)
    label = classes[best]
    table = dict(zip(classes, flat, strict=True))
    return torch.tensor(label) if isinstance(label, int) else label, table
