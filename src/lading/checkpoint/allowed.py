"""The allow-list: every name that a pickle may mention, and what it becomes.

Three lists and one rule. `CALLS` are names that are really called, each with lading's own function
in place of the original. `VALUES` are names that stand for a value. `INERT` are names from torch,
numpy and the standard library that may be mentioned and become placeholders. Any other name under
a root in `ACTING` is refused. A name from elsewhere (somebody's own classes) is a placeholder.
"""

from __future__ import annotations

import datetime
import pathlib
import sys
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch

from lading.checkpoint import rebuild
from lading.checkpoint.inert import Named, NotPlainError, Placeholder


# ------------------------------------------------------------------------------------ plain data
def _plain(kind: type[Any], *taken: type[Any]) -> Callable[..., Any]:
    """`kind` of nothing or of one value of the types `taken`."""

    def make(*args: Any) -> Any:
        if len(args) > 1 or (args and not isinstance(args[0], taken)):
            raise NotPlainError
        return kind(*args)

    return make


def _mapping(*args: Any) -> dict[Any, Any]:
    return _fill({}, args)


def _ordered(*args: Any) -> OrderedDict[Any, Any]:
    made: OrderedDict[Any, Any] = OrderedDict()
    _fill(made, args)
    return made


def _fill(made: dict[Any, Any], args: tuple[Any, ...]) -> dict[Any, Any]:
    if not args:
        return made
    pairs = args[0].items() if isinstance(args[0], dict) else args[0]
    if len(args) > 1 or not (isinstance(args[0], (dict, list, tuple))):
        raise NotPlainError
    for key, value in pairs:
        if not isinstance(key, (str, int, float, bytes, type(None))):
            raise NotPlainError
        made[key] = value
    return made


def _members(kind: type[Any]) -> Callable[..., Any]:
    def make(values: Any = ()) -> Any:
        if not isinstance(values, (list, tuple)) or not all(
            isinstance(one, (str, int, float, bytes, type(None))) for one in values
        ):
            raise NotPlainError
        return kind(values)

    return make


def _default_dict(factory: Any = None, *args: Any) -> dict[Any, Any]:
    return _fill({}, args)


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


def _moment(kind: type[Any]) -> Callable[..., Any]:
    def make(*args: Any) -> Any:
        if args and isinstance(args[0], str):
            args = (args[0].encode("latin-1"), *args[1:])
        try:
            return kind(*args)
        except (TypeError, ValueError, OverflowError):
            raise NotPlainError from None

    return make


def _instance(kind: Any, base: Any = None, state: Any = None) -> Any:
    """``copyreg._reconstructor(kind, base, state)``: an instance without its ``__init__``."""
    if not isinstance(kind, Named):
        raise NotPlainError
    if str(kind) in _NAMESPACES:
        return {}
    return Placeholder(kind.module, kind.name, () if state is None else (state,))


def _new_instance(kind: Any, *args: Any) -> Any:
    if not isinstance(kind, Named):
        raise NotPlainError
    function = CALLS.get(str(kind))
    return function(*args) if function else Placeholder(kind.module, kind.name, args)


#: Namespaces become plain dicts: ``args.lr`` is read as ``args["lr"]``.
_NAMESPACES = ("argparse.Namespace", "types.SimpleNamespace")

_NUMPY_CORES = ("numpy.core", "numpy._core")

_BUILTINS: dict[str, Callable[..., Any]] = {
    "dict": _mapping,
    "list": _plain(list, list, tuple),
    "tuple": _plain(tuple, list, tuple),
    "set": _members(set),
    "frozenset": _members(frozenset),
    "bytes": _bytes(bytes),
    "bytearray": _bytes(bytearray),
    "str": _plain(str, str),
    "int": _plain(int, int, float),
    "float": _plain(float, int, float),
    "bool": _plain(bool, int, float, str),
    "complex": complex,
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
    **dict.fromkeys(_NAMESPACES, dict),
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

#: What may be mentioned without being known: a name, or the beginning of one (with a dot or ``_``).
INERT = (
    *(
        f"{module}.{name}{kind}"
        for module in ("torch", "torch.cuda", "torch.storage")
        for name in (*ELEMENTS, "QInt8", "QUInt8", "QInt32", "QUInt4x2", "QUInt2x4", "Typed")
        for kind in ("Storage", "Tensor")
    ),
    "torch.Tensor",
    "torch.Generator",
    "torch.nn.",
    "torch.optim.",
    "torch.amp.",
    "torch.cuda.amp.",
    "torch.ao.nn.",
    "torch.ao.quantization.",
    "torch.quantization.",
    "torch.distributed.",
    "torch.distributions.",
    "torch._C._nn.",
    "torch._utils._rebuild_",
    "torch.serialization._get_layout",
    "torch.torch_version.TorchVersion",
    *(
        f"torch.{name}"
        for name in ["relu", "tanh", "sigmoid", "strided", "per_tensor_affine", "qint8"]
    ),
    "numpy.random.",
    "numpy.ma.",
    "numpy.dtypes.",
    "numpy.ndarray",
    *(f"numpy.{kind}{bits}" for kind in ("float", "int", "uint") for bits in (8, 16, 32, 64)),
    *(f"numpy.{name}" for name in ["bool", "bool_", "str_", "generic", "number"]),
    *(f"{module}.{name}" for module in ("builtins", "__builtin__") for name in ("object", "slice")),
    "functools.partial",
    "decimal.Decimal",
    "fractions.Fraction",
    "uuid.UUID",
    "random.Random",
    "enum.",
    "typing.",
    "zoneinfo.",
    "__main__.",
    "abc.ABCMeta",
)

#: Roots whose other names are refused: what could act, or make code.
ACTING = frozenset(sys.stdlib_module_names) | {
    *("torch", "numpy", "functorch", "torchgen", "caffe2"),
    *("__builtin__", "__builtins__", "copy_reg", "commands", "exceptions", "imp", "distutils"),
    *("urllib2", "cPickle", "nt", "posix", "setuptools", "pkg_resources", "pip", "wheel"),
    *("dill", "cloudpickle", "joblib", "lading"),
}


def is_harmless(named: Named) -> bool:
    """Whether a pickle may mention `named`.

    >>> is_harmless(Named("mypackage.nets", "UNet")), is_harmless(Named("os", "system"))
    (True, False)
    """
    text = str(named)
    if text in CALLS or text in VALUES:
        return True
    if named.module.split(".")[0] not in ACTING:
        return True
    if "." in named.name or not all(part.isidentifier() for part in text.split(".")):
        return False
    return any(text.startswith(one) if one.endswith((".", "_")) else text == one for one in INERT)
