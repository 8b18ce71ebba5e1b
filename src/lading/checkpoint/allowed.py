"""The allow-list: every name that a pickle may call, and what lading does in its place.

`CALLS` are names that are really called, each with lading's own function in place of the original.
`VALUES` are names that stand for a value. What may be mentioned beside these says
`lading.checkpoint.names`.
"""

from __future__ import annotations

import datetime
import pathlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch

from lading.checkpoint import rebuild
from lading.checkpoint.inert import Named, NotPlainError, Placeholder

#: Functions of `CALLS` that make keys: they take the check of a key first.
KEYED: set[Callable[..., Any]] = set()
Check = Callable[[Any], Any]


def _keyed(function: Callable[..., Any]) -> Callable[..., Any]:
    KEYED.add(function)
    return function


# ------------------------------------------------------------------------------------ plain data
def _plain(kind: type[Any], *taken: type[Any]) -> Callable[..., Any]:
    """`kind` of nothing or of one value of the types `taken`."""

    def make(*args: Any) -> Any:
        if len(args) > 1 or (args and not isinstance(args[0], taken)):
            raise NotPlainError
        return kind(*args)

    return make


@_keyed
def _mapping(check: Check, *args: Any) -> dict[Any, Any]:
    return _fill(check, {}, args)


@_keyed
def _ordered(check: Check, *args: Any) -> OrderedDict[Any, Any]:
    made: OrderedDict[Any, Any] = OrderedDict()
    _fill(check, made, args)
    return made


@_keyed
def _default_dict(check: Check, factory: Any = None, *args: Any) -> dict[Any, Any]:
    return _fill(check, {}, args)


def _fill(check: Check, made: dict[Any, Any], args: tuple[Any, ...]) -> dict[Any, Any]:
    if not args:
        return made
    if len(args) > 1 or not isinstance(args[0], (dict, list, tuple)):
        raise NotPlainError
    for pair in args[0].items() if isinstance(args[0], dict) else args[0]:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise NotPlainError
        made[check(pair[0])] = pair[1]
    return made


def _members(check: Check, kind: type[Any], values: Any = ()) -> Any:
    if not isinstance(values, (list, tuple)):
        raise NotPlainError
    return kind([check(value) for value in values])


def _sets(kind: type[Any]) -> Callable[..., Any]:
    return _keyed(lambda check, values=(): _members(check, kind, values))


def _deque(values: Any = (), longest: Any = None) -> list[Any]:
    if not isinstance(values, (list, tuple)):
        raise NotPlainError
    return list(values)


def _encoded(text: Any, encoding: Any = "utf-8") -> bytes:
    """``_codecs.encode``: how protocol 2 writes bytes."""
    if not isinstance(text, str) or encoding not in ("latin-1", "latin1", "utf-8", "ascii"):
        raise NotPlainError
    return text.encode(encoding)


def _bytes(kind: type[Any]) -> Callable[..., Any]:
    def make(*args: Any) -> Any:
        if not args:
            return kind()
        if isinstance(args[0], (bytes, bytearray)) and len(args) == 1:
            return kind(args[0])
        return kind(_encoded(*args))

    return make


def _path(kind: type[pathlib.PurePath]) -> Callable[..., Any]:
    def make(*parts: Any) -> pathlib.PurePath:
        if not all(isinstance(part, str) for part in parts):
            raise NotPlainError
        return kind(*parts)

    return make


def _complex(*args: Any) -> complex:
    if not all(isinstance(one, (int, float)) for one in args):
        raise NotPlainError
    return complex(*args)


def _moment(kind: type[Any]) -> Callable[..., Any]:
    def make(*args: Any) -> Any:
        if args and isinstance(args[0], str):
            args = (args[0].encode("latin-1"), *args[1:])
        known = (int, float, bytes, str, type(None), datetime.timedelta, datetime.timezone)
        if not all(isinstance(one, known) for one in args):
            raise NotPlainError
        try:
            return kind(*args)
        except (TypeError, ValueError, OverflowError):
            raise NotPlainError from None

    return make


@_keyed
def _instance(check: Check, kind: Any, base: Any = None, state: Any = None) -> Any:
    """``copyreg._reconstructor(kind, base, state)``: an instance without its ``__init__``."""
    if not isinstance(kind, Named):
        raise NotPlainError
    if str(kind) in _NAMESPACES:
        return {}
    return Placeholder(kind.module, kind.name, () if state is None else (state,))


@_keyed
def _new_instance(check: Check, kind: Any, *args: Any) -> Any:
    if not isinstance(kind, Named):
        raise NotPlainError
    function = CALLS.get(str(kind))
    if function is None:
        return Placeholder(kind.module, kind.name, args)
    return function(check, *args) if function in KEYED else function(*args)


#: Namespaces become plain dicts: ``args.lr`` is read as ``args["lr"]``.
_NAMESPACES = ("argparse.Namespace", "types.SimpleNamespace")

_NUMPY_CORES = ("numpy.core", "numpy._core")

_BUILTINS: dict[str, Callable[..., Any]] = {
    "dict": _mapping,
    "list": _plain(list, list, tuple),
    "tuple": _plain(tuple, list, tuple),
    "set": _sets(set),
    "frozenset": _sets(frozenset),
    "bytes": _bytes(bytes),
    "bytearray": _bytes(bytearray),
    "str": _plain(str, str),
    "int": _plain(int, int, float),
    "float": _plain(float, int, float),
    "bool": _plain(bool, int, float, str),
    "complex": _complex,
}

# -------------------------------------------------------------------------------------- the list
CALLS: dict[str, Callable[..., Any]] = {
    "torch._utils._rebuild_tensor": rebuild.tensor_v2,
    "torch._utils._rebuild_tensor_v2": rebuild.tensor_v2,
    "torch._utils._rebuild_tensor_v3": rebuild.tensor_v3,
    "torch._utils._rebuild_parameter": rebuild.parameter,
    "torch._utils._rebuild_parameter_with_state": rebuild.parameter,
    "torch.nn.parameter.Parameter": rebuild.parameter,
    "torch.nn.parameter.Buffer": rebuild.parameter,
    "torch._tensor._rebuild_from_type": rebuild.from_type,
    "torch._tensor._rebuild_from_type_v2": rebuild.from_type,
    "torch._utils._rebuild_device_tensor_from_numpy": rebuild.from_array,
    "torch._utils._rebuild_xla_tensor": rebuild.from_array,
    "torch.Size": rebuild.size,
    "torch.device": rebuild.device,
    "numpy.dtype": rebuild.waiting_dtype,
    **{f"{core}.multiarray.scalar": rebuild.scalar for core in _NUMPY_CORES},
    **{f"{core}.multiarray._reconstruct": rebuild.waiting_array for core in _NUMPY_CORES},
    **{f"{core}.numeric._frombuffer": rebuild.array for core in _NUMPY_CORES},
    "collections.OrderedDict": _ordered,
    "collections.defaultdict": _default_dict,
    "collections.Counter": _mapping,
    "collections.deque": _deque,
    **dict.fromkeys(_NAMESPACES, _mapping),
    **{
        f"{module}.{kind}": make
        for module in ("builtins", "__builtin__")
        for kind, make in _BUILTINS.items()
    },
    "_codecs.encode": _encoded,
    "copyreg._reconstructor": _instance,
    "copy_reg._reconstructor": _instance,
    "copyreg.__newobj__": _new_instance,
    "copy_reg.__newobj__": _new_instance,
    "datetime.datetime": _moment(datetime.datetime),
    "datetime.date": _moment(datetime.date),
    "datetime.time": _moment(datetime.time),
    "datetime.timedelta": _moment(datetime.timedelta),
    "datetime.timezone": _moment(datetime.timezone),
    **{
        f"{module}.{kind}": _path(made)
        for module in ("pathlib", "pathlib._local")
        for kind, made in {
            "Path": pathlib.PurePosixPath,
            "PosixPath": pathlib.PurePosixPath,
            "PurePosixPath": pathlib.PurePosixPath,
            "WindowsPath": pathlib.PureWindowsPath,
            "PureWindowsPath": pathlib.PureWindowsPath,
        }.items()
    },
}

_DTYPES = (
    "float64 double float32 float float16 half bfloat16 int64 long int32 int int16 short int8 "
    "uint8 uint16 uint32 uint64 bool complex32 chalf complex64 cfloat complex128 cdouble "
    "float8_e4m3fn float8_e5m2 float8_e4m3fnuz float8_e5m2fnuz float8_e8m0fnu"
)

VALUES: dict[str, Any] = {
    f"torch.{name}": getattr(torch, name) for name in _DTYPES.split() if hasattr(torch, name)
}

#: Names of element types: of storages (``torch.FloatStorage``) and of tensors in the oldest files.
ELEMENTS: dict[str, torch.dtype] = {
    "Double": torch.float64,
    "Float": torch.float32,
    "Half": torch.float16,
    "BFloat16": torch.bfloat16,
    "Long": torch.int64,
    "Int": torch.int32,
    "Short": torch.int16,
    "Char": torch.int8,
    "Byte": torch.uint8,
    "Bool": torch.bool,
    "ComplexFloat": torch.complex64,
    "ComplexDouble": torch.complex128,
    "Untyped": torch.uint8,
}
