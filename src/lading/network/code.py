"""What ``--model`` names: a factory in a file or in a package, and the arguments it is given.

The code is the user's own, and he says so by naming it: it is run. Nothing from the checkpoint is,
except by a factory that asks for its path and reads it itself.
"""

from __future__ import annotations

import ast
import contextlib
import difflib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from lading.errors import LadingError, RequestError

#: What the parameter of a factory is called that takes the checkpoint's path.
_PATHS = ("path", "file", "checkpoint", "ckpt", "folder", "directory", "dir")


@dataclass(frozen=True)
class Named:
    """``FILE.py:FACTORY`` or ``package.module:FACTORY``.

    Attributes:
        where: file or module.
        name: in it; with dots, an attribute of an attribute.
        arguments: what the factory is given, by name.
        option: that names it.
    """

    where: str
    name: str
    arguments: Mapping[str, Any]
    option: str = "--model"

    @property
    def file(self) -> Path | None:
        """The file, where it is one."""
        return Path(self.where) if self.where.endswith(".py") else None

    @property
    def origin(self) -> str:
        """As people know it, without folders."""
        return f"{self.file.name if self.file else self.where}:{self.name}"

    def importing(self) -> contextlib.AbstractContextManager[None]:
        """Within it, what lies beside the file can be imported, and what lies here."""
        return _importing(self.file.resolve().parent if self.file else None)

    def make(self, checkpoint: Path | None = None) -> tuple[Any, bool]:
        """What the factory gives, and whether it read the checkpoint itself.

        Raises:
            RequestError: there is no such factory, or its arguments do not fit.
        """
        with _importing():
            found = self._found()
            if isinstance(found, nn.Module):
                return found, False
            needed = _needed(found, self.arguments)
            reads = len(needed) == 1 and _asks_for_path(needed[0]) and checkpoint is not None
            if reads:
                return found(**{needed[0]: str(checkpoint)}, **self.arguments), True
            self._require_arguments(found, needed)
            return found(**self.arguments), False

    def _found(self) -> Any:
        """The factory.

        Raises:
            RequestError: there is none of that name.
        """
        found = code = _run(self.file) if self.file else importlib.import_module(self.where)
        for part in self.name.split("."):
            found = getattr(found, part, None)
        if callable(found):
            return found
        known = [n for n, v in vars(code).items() if callable(v) and n[0] != "_"]
        near = difflib.get_close_matches(self.name, known, n=1)
        raise RequestError(
            f"{self.option} {self.origin}",
            found="nothing callable of that name; there is "
            + (", ".join(known[:12]) or "nothing callable"),
            expected="a function or class of that name",
            remedy=f"did you mean {near[0]}?" if near else "name one of them",
        )

    def _require_arguments(self, found: Any, needed: list[str]) -> None:
        known = _parameters(found)
        strange = [name for name in self.arguments if known is not None and name not in known]
        if needed or strange:
            raise RequestError(
                f"{self.option} {self.origin}",
                found=f"it needs {', '.join(needed)}"
                if needed
                else f"no argument {strange[0]!r}: it takes {', '.join(known or ()) or 'none'}",
                expected="every argument without a default, and no other",
                remedy="give each of its parameters a default"
                if self.option != "--model"
                else f"add --model-arg {needed[0]}=VALUE"
                if needed
                else f"leave --model-arg {strange[0]} out",
            )


def named(text: str, arguments: Mapping[str, Any], option: str = "--model") -> Named:
    """What ``--model`` says, or another option in the same words.

    Raises:
        RequestError: it is no such text, or there is no such file or module.
    """
    where, colon, name = text.rpartition(":")
    path = Path(where)
    is_file = path.suffix == ".py"
    dotted = all(part.isidentifier() for part in name.split("."))
    modules = all(part.isidentifier() for part in where.split("."))
    found = ""
    if not colon or not dotted or not (is_file or modules):
        found = repr(text)
    elif is_file and not path.is_file():
        found = "no such file"
    elif not is_file and not _importable(where):
        found = f"no module {where} that can be imported from here"
    if found:
        raise RequestError(
            f"{option} {text}",
            found=found,
            expected="FILE.py:FACTORY or package.module:FACTORY: code, and what in it returns the "
            "network",
            remedy="name both, e.g. --model net.py:make_network or --model timm:create_model",
        )
    return Named(where, name, dict(arguments), option)


def literal(text: str) -> Any:
    """A Python literal; any other text is itself.

    >>> literal("(3, 4)"), literal("resnet18"), literal("None")
    ((3, 4), 'resnet18', None)
    """
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def _importable(module: str) -> bool:
    with _importing():
        try:
            return importlib.util.find_spec(module) is not None
        except (ImportError, ValueError, AttributeError):
            return False


def _parameters(made: Callable[..., Any]) -> list[str] | None:
    """Names of what a factory takes; None where it takes any, or does not say."""
    try:
        known = inspect.signature(made).parameters.values()
    except (ValueError, TypeError):
        return None
    if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in known):
        return None
    return [one.name for one in known]


def _needed(made: Callable[..., Any], arguments: Mapping[str, Any]) -> list[str]:
    """Parameters without a default that `arguments` leave open."""
    try:
        known = inspect.signature(made).parameters.values()
    except (ValueError, TypeError):
        return []
    loose = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [
        one.name
        for one in known
        if one.default is one.empty and one.kind not in loose and one.name not in arguments
    ]


def _asks_for_path(parameter: str) -> bool:
    return any(part in _PATHS for part in parameter.lower().split("_"))


def _run(path: Path) -> Any:
    """The module that a file is: of its package where it lies in one, so that its relative imports
    work; else on its own, with what lies beside it importable."""
    path = path.resolve()
    package: list[str] = []
    root = path.parent
    while (root / "__init__.py").is_file() and root != root.parent:
        package.insert(0, root.name)
        root = root.parent
    with _importing(root):
        if package and path.stem != "__init__":
            return importlib.import_module(".".join([*package, path.stem]))
        spec = importlib.util.spec_from_file_location(f"_own_{path.stem}", path)
        if spec is None or spec.loader is None:
            raise LadingError(str(path), found="no code", expected="Python", remedy="check it")
        code = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = code  # dataclasses and pickles look there for their module
        spec.loader.exec_module(code)
        return code


@contextlib.contextmanager
def _importing(folder: Path | None = None) -> Iterator[None]:
    """Within it, modules of a folder are found, of the current one by default."""
    place = str(folder or Path.cwd())
    sys.path.insert(0, place)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(place)
