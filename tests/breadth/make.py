"""One network of the table, made and saved; or, live, handed to `lading.convert`."""

from __future__ import annotations

import ast
import importlib
import importlib.util
from pathlib import Path
from typing import Any

import torch

import lading
import tests.breadth.vision  # noqa: F401  # before what imports torchvision
from tests.breadth import forms, hugging
from tests.breadth.cases import Case


def network(case: Case) -> Any:
    """As its user's training script would make it; its values from a seed, and alive."""
    torch.manual_seed(1)
    file, _, name = case.code.rpartition(":")
    if name.endswith(".from_pretrained"):
        make = hugging.transformer if file == "transformers" else hugging.diffuser
        module = make(name.removesuffix(".from_pretrained"))
    else:
        file = file.removesuffix(".py").replace("/", ".")
        given = (text.partition("=") for text in case.arguments)
        module = getattr(importlib.import_module(file), name)(**{k: _read(v) for k, _, v in given})
    return forms.trained(forms.alive(module), *examples(case))


def _read(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def examples(case: Case) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Values of the inputs, by place and by name."""
    draw = torch.Generator().manual_seed(2)
    found: dict[str, Any] = {}
    for text in case.inputs:
        name, _, rest = text.partition(":")
        dtype, _, rest = rest.partition("[")
        sizes, _, bounds = rest.partition("]")
        shape = [int(one) for one in sizes.split(",") if one]
        low, high = map(float, bounds[1:].split("..")) if bounds else (0.0, 1.0)
        if dtype in ("int32", "int64", "bool"):
            value = torch.randint(int(low), int(high) + 1, shape, generator=draw)
            value = value.to(getattr(torch, dtype))
        else:
            value = torch.rand(shape, generator=draw) * (high - low) + low
        if "." in name:
            found.setdefault(name.partition(".")[0], []).append(value)
        else:
            found[name] = value
    first = next(iter(found))
    given = {n: tuple(v) if isinstance(v, list) else v for n, v in found.items()}
    if len(given) == 1 or first == "x":
        return tuple(given.values()), {}
    return (), given


def saved(case: Case, folder: Path) -> int:
    """Prints the path of what was saved."""
    place = folder / "saved"
    place.mkdir(exist_ok=True)
    print(forms.FORMS[case.form](network(case), place, examples(case)))
    return 0


def live(case: Case, out: Path) -> int:
    """The module itself, converted: what a script of its user would do."""
    inputs = examples(case)
    try:
        bill = lading.convert(network(case), out, example_inputs=inputs[1] or inputs[0], force=True)
    except lading.LadingError as error:
        print(error)
        return error.exit_status
    return 0 if bill.verdict == "pass" else 1
