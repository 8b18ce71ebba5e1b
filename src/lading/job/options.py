"""An option of a verb, declared once: what it takes, its default, its help, how it is spelled.

A verb's request is a frozen dataclass whose fields have an `Option` each. The arguments of the
command line, the checks of the Python API, the bill's record of what was asked and, through that,
the page's "Repeat it" are read off them. A request that exists has been checked, whoever made it.
"""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import math
import numbers
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from lading.base.progress import Progress, silent
from lading.errors import RequestError
from lading.record.values import show

StrPath = str | os.PathLike[str]
R = TypeVar("R", bound="Request")
#: Of what has no default.
REQUIRED: Any = inspect.Parameter.empty


# ------------------------------------------------------------------------------- kinds of values
@dataclass(frozen=True)
class Kind:
    """What an option takes.

    Attributes:
        read: a text of the command line or a value of Python's, in its one form; any ValueError,
            TypeError or OverflowError refuses it. What was read is read as itself.
        expected: what it takes, for errors.
        spell: the one form as text; as texts where the option is given again and again; None where
            only Python says it.
        metavar: what stands for the value in the help.
        words: all that it takes, where they can be listed.
        repeats: whether the option is given again and again.
        flag: whether the option takes no value.
    """

    read: Callable[[Any], Any]
    expected: str
    spell: Callable[[Any], Any] = str
    metavar: str = ""
    words: tuple[str, ...] = ()
    repeats: bool = False
    flag: bool = False

    def takes(self, value: Any) -> bool:
        """Whether `value` has the one form.

        Raises:
            LadingError: it has not, in words of its own.
        """
        try:
            self.read(value)
        except (ValueError, TypeError, OverflowError):
            return False
        return True


def _require(holds: bool, value: Any) -> Any:
    if not holds:
        raise ValueError
    return value


def _path(value: Any) -> Path:
    text = os.fspath(value)
    return Path(_require(text != "" and "\0" not in text, text))


def _spelled_path(path: Path) -> str:
    """Never like an option."""
    return f"./{path}" if str(path).startswith("-") else str(path)


def _text(value: Any) -> str:
    text: str = _require(isinstance(value, str) and "\0" not in value, value)
    return text


def _word(value: Any) -> str:
    text = _text(str(value) if type(value) is int else value)
    return str(_require(text != "", text))


def number(low: float = -math.inf, high: float = math.inf, of: type[float] = float) -> Kind:
    """Finite numbers from `low` to `high`; whole ones where `of` is int."""
    exact = numbers.Integral if of is int else numbers.Real

    def read(value: Any) -> float:
        _require(isinstance(value, (str, exact)) and not isinstance(value, bool), value)
        given = of(value)
        _require(math.isfinite(given) and low <= given <= high, given)
        return given

    least = f" of at least {low:g}" if low > -math.inf else ""
    bounds = f" from {low:g} to {high:g}" if high < math.inf else least
    return Kind(read, f"a {'whole' if of is int else 'finite'} number{bounds}", _spelled, "N")


def whole(low: float = -math.inf) -> Kind:
    """Whole numbers of at least `low`."""
    return number(low, of=int)


def _spelled(value: float) -> str:
    """As many digits as tell it apart: ``0.1``, not ``0.10000000000000001``."""
    return repr(value).removesuffix(".0")


def one_of(*words: str) -> Kind:
    """One of a few words; a whole number may stand for its digits."""

    def read(value: Any) -> str:
        text = _word(value)
        return str(_require(text in words, text))

    return Kind(read, " or ".join(words), metavar=f"{{{','.join(words)}}}", words=words)


def many(kind: Kind, metavar: str = "", *, cut: bool = True) -> Kind:
    """Several values, the option given for each; a text with commas is several too, if `cut`."""

    def read(value: Any) -> tuple[Any, ...]:
        items = _items(value, cut)
        return tuple(kind.read(item) for item in items)

    return dataclasses.replace(
        kind, read=read, repeats=True, metavar=metavar or kind.metavar,
        spell=lambda values: [kind.spell(one) for one in values],
    )  # fmt: skip


def joined(kind: Kind, metavar: str) -> Kind:
    """Several values in one text, with commas."""
    several = many(kind)
    return dataclasses.replace(
        several, repeats=False, metavar=metavar,
        expected=f"{several.expected}, or several with commas",
        spell=lambda values: ",".join(several.spell(values)),
    )  # fmt: skip


def _items(value: Any, cut: bool) -> list[Any]:
    if isinstance(value, (str, os.PathLike, numbers.Number)):
        value = [value]
    _require(isinstance(value, Sequence) and not isinstance(value, bytes), value)
    if not cut:
        return list(value)
    return [part for one in value for part in (one.split(",") if isinstance(one, str) else [one])]


def _pairs(value: Any) -> dict[str, str]:
    """``NAME=VALUE`` texts, or a mapping; values of Python's as they would be typed."""
    if not isinstance(value, Mapping):
        cut = [_text(one).partition("=") for one in _items(value, cut=False)]
        _require(all(equals for _, equals, _ in cut), value)
        value = {name.strip(): text for name, _, text in cut}
    for name in value:
        _require(_text(name).strip() == name and name != "" and "=" not in name, name)
    return {name: _text(show(_plain(one))) for name, one in value.items()}


def _plain(value: Any) -> Any:
    right = value is None or isinstance(value, (str, bool, int, float, list, tuple))
    return list(value) if isinstance(_require(right, value), tuple) else value


TEXT = Kind(_text, "a text", metavar="TEXT")
WORD = Kind(_word, "a word", metavar="NAME")
PATH = Kind(_path, "a path", _spelled_path, metavar="FILE")
FLAG = Kind(lambda value: _require(isinstance(value, bool), value), "True or False", flag=True)
PAIRS = Kind(
    _pairs, "NAME=VALUE", lambda pairs: [f"{name}={text}" for name, text in pairs.items()],
    metavar="NAME=VALUE", repeats=True,
)  # fmt: skip


# -------------------------------------------------------------------------------------- the option
@dataclass(frozen=True)
class Option:
    """One option, or one argument, of a verb.

    Attributes:
        kind: what it takes.
        help: half a line.
        metavar: what stands for its value in the help.
        short: its letter.
        group: the heading that it stands under in the help.
        argument: whether the command line takes it by its place.
        same: whether it belongs to what is done, and so to what is repeated.
        default: its value where nothing is said, in its one form.
        also: another name of the keyword, of Python alone.
    """

    kind: Kind
    help: str = ""
    metavar: str = ""
    short: str = ""
    group: str = ""
    argument: bool = False
    same: bool = True
    default: Any = REQUIRED
    also: str = ""

    @property
    def described(self) -> str:
        """What it means, and its default where that can be said in a word."""
        text = self.help or self.kind.expected
        if self.kind.flag or self.default is REQUIRED or self.default in (None, "", (), {}):
            return text
        spelled = self.kind.spell(self.default)
        return f"{text}; default {', '.join(spelled) if isinstance(spelled, list) else spelled}"

    def read(self, name: str, value: Any) -> Any:
        """`value` in its one form.

        Raises:
            RequestError: it has none.
        """
        if value is None and self.default is None:
            return None
        if self.kind.takes(value):
            return self.kind.read(value)
        if isinstance(value, (list, tuple)):  # of several, the one that is wrong
            value = next((one for one in value if not self.kind.takes([one])), value)
        shown = value if isinstance(value, str) else repr(value)
        written = self.metavar if self.argument else flag(name)
        near = difflib.get_close_matches(shown, self.kind.words, n=1, cutoff=0.0)
        if near:
            remedy = f"use {written} {near[0]}"
        else:
            remedy = "correct it" if self.argument else f"correct it, or leave {written} out"
        raise RequestError(
            f"{written} {shown}"[:200], found=repr(value)[:200],
            expected=self.kind.expected, remedy=remedy,
        )  # fmt: skip


def option(
    default: Any,
    kind: Kind,
    help: str = "",  # noqa: A002
    **more: Any,
) -> Any:
    """A field of a request with what is declared of it; `more` as in `Option`."""
    read = default if default is None else kind.read(default)
    made = Option(kind, help, **{"metavar": kind.metavar, **more}, default=read)
    return field(default=default, metadata={"option": made})


def argument(
    kind: Kind,
    metavar: str,
    help: str = "",  # noqa: A002
) -> Mapping[str, Option]:
    """The metadata of a field that must be given, and by its place."""
    return {"option": Option(kind, help, metavar, argument=True)}


def flag(name: str) -> str:
    """A keyword as the command line has it.

    >>> flag("settle_with")
    '--settle-with'
    """
    return "--" + name.replace("_", "-")


def verb(request: type[Request]) -> str:
    """A request's verb as the command line has it: capitals begin words."""
    return re.sub(r"\B(?=[A-Z])", "-", request.__name__).lower()


def options(request: type[Request]) -> dict[str, Option]:
    """The options of a verb by keyword, its own before those that it shares with others."""
    fields = {one.name: one.metadata.get("option") for one in dataclasses.fields(request)}
    names = [name for kind in request.__mro__ for name in inspect.get_annotations(kind)]
    return {name: made for name in dict.fromkeys(names) if (made := fields.get(name))}


# ------------------------------------------------------------------------------------- the request
@dataclass(frozen=True)
class Request:
    """What is asked of a verb, checked.

    Attributes:
        progress: of Python alone: told when a stage begins.
    """

    _: KW_ONLY
    progress: Progress = field(default=silent, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not callable(self.progress):
            raise RequestError(
                "progress", found=repr(self.progress)[:200],
                expected="a function of two texts: the stage, and what it works on",
                remedy="leave progress out",
            )  # fmt: skip
        for name, one in options(type(self)).items():
            object.__setattr__(self, name, one.read(name, getattr(self, name)))
        self.require_sense()

    def require_sense(self) -> None:
        """Passes only where what is asked does not contradict itself.

        Raises:
            RequestError: it does.
        """

    def said(self) -> dict[str, Option]:
        """The options that are not at their default."""
        known = options(type(self))
        return {name: one for name, one in known.items() if getattr(self, name) != one.default}

    def recorded(self) -> dict[str, Any]:
        """What was asked, as the bill has it: the command's name, its arguments, and its options
        other than their defaults: a text, several, or true; of an option that only Python can say,
        what kind of thing it was.
        """
        arguments: list[str] = []
        texts: dict[str, Any] = {}
        python: dict[str, str] = {}
        for name, one in self.said().items():
            value = getattr(self, name)
            if not one.same:
                continue
            text: Any = True if one.kind.flag else one.kind.spell(value)
            if text is None:
                python[name] = getattr(value, "__qualname__", type(value).__qualname__)
            elif one.argument:
                arguments.append(text)
            else:
                texts[flag(name).removeprefix("--")] = text
        done = {"command": verb(type(self)), "arguments": arguments, "options": texts}
        return {**done, "python": python} if python else done


def request(kind: type[R], values: Sequence[Any], keywords: Mapping[str, Any]) -> R:
    """The request that a call makes.

    Raises:
        RequestError: a keyword is unknown, an argument is missing, or a value cannot be.
    """
    called = verb(kind).replace("-", "_")
    signature = inspect.signature(kind)
    other = {one.also: name for name, one in options(kind).items() if one.also}
    keywords = {other.get(name, name): value for name, value in keywords.items()}
    for name in keywords:
        if name not in signature.parameters:
            near = difflib.get_close_matches(name, signature.parameters, n=1, cutoff=0.4)
            raise RequestError(
                f"lading.{called}({name}=)",
                found="no such keyword",
                expected=", ".join(signature.parameters),
                remedy=f"did you mean {near[0]}?" if near else "leave it out",
            )
    try:
        signature.bind(*values, **keywords)
    except TypeError as wrong:
        raise RequestError(
            f"lading.{called}",
            found=str(wrong),
            expected=f"{called}{signature}"[:300],
            remedy="correct the call",
        ) from None
    return kind(*values, **keywords)
