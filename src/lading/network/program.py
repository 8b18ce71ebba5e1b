"""A file that is a program with its weights: what `torch.export.save` and `torch.jit.save` write.

Its own graph is the network, and needs no code beside it. But loading one runs what is in it
(torch evaluates expressions and unpickles inputs while it reads a program, and TorchScript is
code), so that nobody's file is opened in this way without the user's word, ``--trust``.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any, Literal

import torch

from lading.base.digests import of_path
from lading.errors import RequestError
from lading.network.calling import BY_PLACE
from lading.network.inputs import Inputs
from lading.network.lines import told
from lading.network.own_module import OwnModule

Kind = Literal["torch.export", "TorchScript"]


def kind_of(path: Path) -> Kind | None:
    """Which kind of program a file is, by the names in its archive; None for anything else."""
    try:
        if not path.is_file() or not zipfile.is_zipfile(path):
            return None
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return None  # no archive that can be listed is a program: its reader says what is wrong
    if any(name.endswith("/archive_format") for name in names):
        return "torch.export"
    return "TorchScript" if any(name.endswith("/constants.pkl") for name in names) else None


def trusted(path: Path, inputs: Inputs, *, trust: bool) -> OwnModule | None:
    """The network that a file of a program is; None where it is none.

    Args:
        path: of the file.
        inputs: what it takes; a program of torch.export holds an example of it.
        trust: whether the user has said that it may be run.

    Raises:
        RequestError: he has not, it cannot be loaded, or nobody says what it takes.
    """
    kind = kind_of(path)
    if kind is None:
        if trust:
            raise RequestError(
                "--trust",
                found=f"{path}, which is no program",
                expected="what torch.export.save or torch.jit.save wrote",
                remedy="leave --trust out",
            )
        return None
    if not trust:
        raise RequestError(
            str(path),
            found=f"a program that {kind} saved: loading it runs what is in it",
            expected="your word that it may, or the checkpoint that it was made from",
            remedy="if you trust where it comes from, add --trust",
        )
    try:
        module, example = _loaded(path, kind)
    except Exception as error:  # torch raises every kind
        raise RequestError(
            str(path),
            found=told(error),
            expected=f"a program that this torch ({torch.__version__}) can load",
            remedy="save it again with this version of torch",
        ) from error
    taken = inputs if len(inputs) else example
    if not len(taken):
        raise RequestError(
            str(path),
            found="no --input",
            expected="what the program takes, one --input for each",
            remedy="add e.g. --input x:float32[1,3,256,256]",
        )
    digest = of_path(path)
    return OwnModule(
        lambda _: (module, False), taken, path.name, digest, live=True, container=f"{kind} program"
    )


def _loaded(path: Path, kind: Kind) -> tuple[Any, Inputs]:
    """The module, and the example that it was exported with."""
    if kind == "TorchScript":
        script = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
        for part in script.modules():  # a file gives plain tensors, of which torch exports none
            for name, value in list(part.named_parameters(recurse=False)):
                setattr(part, name, torch.nn.Parameter(value.detach(), value.requires_grad))
        setattr(script, BY_PLACE, True)
        return script, ()
    program = torch.export.load(path)
    module: Any = program.module()
    module.train = module.eval = lambda *_: module  # its mode was fixed when it was exported
    arguments, keywords = program.example_inputs or ((), {})
    whole = {one.dtype for one in torch.utils._pytree.tree_leaves((arguments, keywords))
             if isinstance(one, torch.Tensor) and not one.dtype.is_floating_point}  # fmt: skip
    if torch.int32 in whole and torch.int64 not in whole:
        module.register_forward_pre_hook(_in_32_bits, with_kwargs=True)
    setattr(module, BY_PLACE, not keywords)
    return module, (dict(keywords) if keywords else tuple(arguments))


def _in_32_bits(module: Any, arguments: Any, keywords: Any) -> Any:
    """A program takes the type that it was exported with, and no wider one."""

    def narrowed(one: Any) -> Any:
        return one.to(torch.int32) if getattr(one, "dtype", None) == torch.int64 else one

    narrow: Any = torch.utils._pytree.tree_map(narrowed, (arguments, keywords))
    return narrow
