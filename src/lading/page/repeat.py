"""The commands that repeat a voyage, spelled for a shell from what the bill says was asked.

Every option that was used is there; what was left at its default is left out. A path or a text is
one word whatever is in it, and one that begins with a dash is not taken for an option.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from lading.page.text import obeyed
from lading.record import Bill

#: `Request.options` and `Request.settings` as they are when nobody asked for anything else.
_OPTIONS: dict[str, Any] = {
    "output": "logits",
    "bake": [],
    "image": None,
    "scale": 1.0,
    "bias": [0.0],
    "sizes": {},
    "dynamic": [],
    "classifier": False,
    "part": "network",
    "eta": 0.0,
    "timesteps": "",
}
_SETTINGS: dict[str, Any] = {
    "precision": "fp16", "auto": False, "deployment": "iOS16", "opset": 18,
    "author": "", "license": "", "description": "",
}  # fmt: skip
#: Python packages of the environment that pip installs.
_PACKAGES = (
    "torch", "coremltools", "numpy", "onnx", "onnxscript", "onnxruntime", "safetensors"
)  # fmt: skip

UNSAID = "The bill does not say what was asked."


@dataclass(frozen=True)
class Repeat:
    """How to do it again.

    Attributes:
        commands: to install the same versions, and lading's own; empty where no command does it.
        told: why there is none; empty where there are.
    """

    commands: tuple[str, ...] = ()
    told: str = ""


class _UnspokenError(Exception):
    """No command says it, and why."""


def repeat(bill: Bill) -> Repeat:
    """The commands that repeat the voyage: the packages, then lading itself."""
    try:
        if "to" in bill.request:
            done = _convert(bill.request)
        elif "against" in bill.request:
            done = _verify(bill.request)
        else:
            return Repeat(told=UNSAID)
    except _UnspokenError as reason:
        return Repeat(told=str(reason))
    except (TypeError, ValueError, KeyError, AttributeError):  # a stranger's bill says anything
        return Repeat(told=UNSAID)
    # Without what stands after "+": the index of packages has no build of that name, and pip takes
    # one for another.
    versions = [
        f"{name}=={bill.environment[name].partition('+')[0]}"
        for name in _PACKAGES
        if bill.environment.get(name, "not installed") != "not installed"
    ]
    install = ["pip", "install", f"lading=={bill.lading}", *versions]
    return Repeat(tuple(" ".join(word(one) for one in words) for words in (install, done)))


def word(text: str) -> str:
    """`text` as one word of bash or zsh, and nothing that a page could not show.

    >>> word("a b"), word("it's"), word("a\\n")
    ("'a b'", '\\'it\\'"\\'"\\'s\\'', "$'a\\\\x0a'")
    """
    if not any(obeyed(one) or one in "\n\t" for one in text):
        return shlex.quote(text)
    spelled = []
    for one in text:
        if one in "\\'":
            spelled.append(f"\\{one}")
        elif obeyed(one) or one in "\n\t":
            spelled += [f"\\x{byte:02x}" for byte in _bytes(one)]
        else:
            spelled.append(one)
    return f"$'{''.join(spelled)}'"


def _bytes(character: str) -> bytes:
    """As a path has it: Python stands for a byte that is no UTF-8 by a surrogate."""
    try:
        return os.fsencode(character)
    except UnicodeEncodeError:
        return character.encode("utf-8", "surrogatepass")


# ---------------------------------------------------------------------------------- the commands
def _convert(request: Mapping[str, Any]) -> list[str]:
    words = ["lading", "convert", _place(request["path"])]
    words += _option("out", _place(request.get("out")))
    for target in request["to"]:
        words += _option("to", target)
    for name in ("name", "route"):
        words += _option(name, request.get(name))
    words += _read(request)
    words += _files("settle-with", request.get("settle", ()))
    words += _of_interface({**_OPTIONS, **request.get("options", {})})
    words += _of_files({**_SETTINGS, **request.get("settings", {})})
    return words + _files("data", request.get("data", ()))


def _verify(request: Mapping[str, Any]) -> list[str]:
    words = ["lading", "verify", _place(request["artifact"])]
    words += _option("against", _place(request["against"]))
    words += _read(request)
    if request.get("table"):
        return words + _option("data", _place(request["table"]))
    return words + _files("data", request.get("data", ()))


def _read(request: Mapping[str, Any]) -> list[str]:
    """How the checkpoint is read, and whose network it fills."""
    words = []
    for name, value in request.get("given", {}).items():
        words += _option("set", f"{name}={value}")
    words += _option("fold", request.get("fold"))
    words += _option("config", _place(request.get("config")))
    if request.get("made_by"):
        raise _UnspokenError(
            f"The network was made in Python, by {request['made_by']}: the same call of "
            f"lading.{'convert' if 'to' in request else 'verify'} repeats it, and no command does."
        )
    words += _option("trajectory", request.get("trajectory"))
    words += _option("model", request.get("model"))
    for one in request.get("input", ()):
        words += _option("input", one)
    return words


def _of_interface(options: Mapping[str, Any]) -> list[str]:
    """What the artifact takes and gives."""
    words = ["--classifier"] if options["classifier"] else []
    # A classifier gives probabilities unless something else was asked for.
    if options["output"] != ("probabilities" if options["classifier"] else "logits"):
        words += _option("output", options["output"])
    for step in options["bake"]:
        words += _option("bake", step)
    words += _option("input-image", options["image"])
    if options["scale"] != 1.0:
        words += _option("scale", _number(options["scale"]))
    if list(options["bias"]) != [0.0]:
        words += _option("bias", ",".join(map(_number, options["bias"])))
    sizes = options["sizes"]
    if sizes.get("listed"):
        words += _option("shapes", ",".join("x".join(map(str, one)) for one in sizes["listed"]))
    if sizes.get("ranges"):
        words += _option("shapes", "x".join(f"{low}..{high}" for low, high in sizes["ranges"]))
    words += _option("dynamic", ",".join(options["dynamic"]))
    if options["part"] != "network":
        words += ["--part", "step"]
    if options["part"] == "ddim":
        words += ["--sampler", "ddim"]
    if options["eta"] != 0.0:
        words += _option("eta", _number(options["eta"]))
    return words + _option("timesteps", options["timesteps"])


def _of_files(settings: Mapping[str, Any]) -> list[str]:
    """How the files are written."""
    words = []
    precision = "auto" if settings["auto"] else settings["precision"]
    if precision != _SETTINGS["precision"]:
        words += _option("precision", precision)
    system = str(settings["deployment"])
    for kind in ("iOS", "macOS"):
        if system.startswith(kind) and system != _SETTINGS["deployment"]:
            words += _option(kind.lower(), system.removeprefix(kind))
    if settings["opset"] != _SETTINGS["opset"]:
        words += _option("opset", settings["opset"])
    for name in ("author", "license", "description"):
        words += _option(name, settings[name])
    return words


# ------------------------------------------------------------------------------------- the words
def _option(name: str, value: Any) -> list[str]:
    """``--name value``, or nothing where there is no value."""
    if value is None or value == "":
        return []
    text = str(value)
    return [f"--{name}={text}"] if text.startswith("-") else [f"--{name}", text]


def _place(path: Any) -> str:
    """A path, never like an option; empty where there is none."""
    text = "" if path is None else str(path)
    return f"./{text}" if text.startswith("-") else text


def _number(value: Any) -> str:
    """As many digits as tell it apart: ``0.1``, not ``0.10000000000000001``."""
    return repr(float(value)).removesuffix(".0")


def _files(name: str, paths: Sequence[Any]) -> list[str]:
    """The option takes a folder or one file: the folder that all files lie in.

    Raises:
        _UnspokenError: they lie in several.
    """
    if not paths:
        return []
    if len(paths) == 1:
        return _option(name, _place(paths[0]))
    folders = {str(PurePath(one).parent) for one in paths}
    if len(folders) > 1:
        raise _UnspokenError(
            f"Its {len(paths)} files for --{name} lie in {len(folders)} folders, and the option "
            "takes one: it was asked in Python."
        )
    return _option(name, _place(folders.pop()))
