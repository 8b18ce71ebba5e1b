"""What a pickle may mention: the names that are known to do nothing, and those that could act.

A name is met in one of four ways:

1. ``known``: lading calls its own function in its place, or it is of torch, numpy or the standard
   library and known to do nothing. Nothing is said.
2. ``stranger``: a name from elsewhere (somebody's own classes), or one that lading has no reason to
   trust. It stays a placeholder, the file is read, and the name is reported.
3. ``acts``: any other name of torch, numpy, the standard library of any Python, or of what makes
   code from data. The file is refused.
"""

from __future__ import annotations

import re
import sys
from typing import Literal

from lading.checkpoint.allowed import CALLS, ELEMENTS, VALUES
from lading.checkpoint.inert import Named

Kind = Literal["known", "stranger", "acts"]

_ACTIVATIONS = """
relu relu6 gelu silu mish elu selu celu leaky_relu prelu hardtanh hardswish hardsigmoid softplus
softsign softmax log_softmax logsigmoid tanh sigmoid glu
"""
_TYPES = "Any Dict List Tuple Set Optional Union Callable Sequence Mapping"
#: Classes and functions that may be mentioned: whole names.
INERT = frozenset(
    {
        *(
            f"{module}.{name}{kind}"
            for module in ("torch", "torch.cuda", "torch.storage")
            for name in (*ELEMENTS, "QInt8", "QUInt8", "QInt32", "QUInt4x2", "QUInt2x4", "Typed")
            for kind in ("Storage", "Tensor")
        ),
        *("torch.Tensor", "torch.Generator", "torch.torch_version.TorchVersion"),
        "torch.serialization._get_layout",
        *(
            f"torch.{name}"
            for name in ["relu", "tanh", "sigmoid", "strided", "per_tensor_affine", "qint8"]
        ),
        *(
            f"{module}.{name}"
            for module in ("torch.nn.functional", "torch._C._nn")
            for name in _ACTIVATIONS.split()
        ),
        *(
            f"numpy.random._pickle.{name}"
            for name in ["__randomstate_ctor", "__generator_ctor", "__bit_generator_ctor"]
        ),
        *(
            f"torch.jit._pickle.{name}"
            for name in ["restore_type_tag"]
            + [f"build_{kind}list" for kind in ("int", "tensor", "double", "bool")]
        ),
        "numpy.random.bit_generator.__pyx_unpickle_SeedSequence",
        "numpy.ma.core._mareconstruct",
        "numpy.ndarray",
        *(f"numpy.{kind}{bits}" for kind in ("float", "int", "uint") for bits in (8, 16, 32, 64)),
        *(f"numpy.{name}" for name in ["bool", "bool_", "str_", "generic", "number"]),
        *(
            f"{module}.{name}"
            for module in ("builtins", "__builtin__")
            for name in ("object", "slice")
        ),
        *("decimal.Decimal", "fractions.Fraction", "random.Random", "abc.ABCMeta"),
        *(f"zoneinfo.ZoneInfo{method}" for method in ("", "._unpickle")),
        *(f"enum.{name}" for name in ["Enum", "IntEnum", "Flag", "IntFlag", "StrEnum"]),
        *(f"typing.{name}" for name in _TYPES.split()),
    }
)
#: Modules whose classes (names that begin with a capital) and rebuilding functions may be.
INERT_CLASSES = re.compile(
    r"(torch\.nn\.(modules|parameter|parallel|utils\.(parametr\w+|weight_norm|spectral_norm))\b.*"
    r"|torch\.nn|torch\.optim(\..*)?|torch\.amp(\..*)?|torch\.cuda\.amp(\..*)?"
    r"|torch\.ao\.(nn|quantization)\b.*|torch\.quantization(\..*)?|torch\.distributions(\..*)?"
    r"|torch\.distributed\.(tensor|_tensor|_shard|fsdp|device_mesh)\b.*"
    r"|numpy\.(dtypes|random|ma)(\..*)?)\._?[A-Z]\w*"
    r"|torch\._utils\._rebuild_\w+"
)
#: Names of known roots that are reported and not refused: they are met in honest files.
REPORTED = frozenset({"functools.partial", "uuid.UUID", "uuid.SafeUUID"})

#: Modules of the standard library of some Python from 2.6 to 3.15, beside those of this one.
_OTHER_PYTHONS = """
__builtin__ __builtins__ __phello__ _abcoll _android_support _apple_support _ast_unparse
_bootlocale _bootsubprocess _bsddb _colorize _compression _crypt _ctypes_test _dummy_thread _hmac
_hotshot _interpchannels _interpqueues _interpreters _ios_support _LWPCookieJar _MozillaCookieJar
_msi _opcode_metadata _peg_parser _py_warnings _pydatetime _pylong _pyrepl _remote_debugging _sha
_sha2 _sha256 _sha512 _suggestions _sysconfig _sysconfigdata _testbuffer _testcapi
_testimportmultiple _testinternalcapi _testmultiphase _tokenize _types _typing _winreg _wmi
_xxsubinterpreters _xxtestfuzz _zstd aepack aetools aetypes aifc al AL annotationlib anydbm
applesingle asynchat asyncore audiodev audioop autoGIL BaseHTTPServer Bastion binhex bsddb
buildtools Canvas Carbon cd cfmfile cgi CGIHTTPServer cgitb chunk ColorPicker commands compiler
compression ConfigParser Cookie cookielib copy_reg cPickle crypt cStringIO dbhash DEVICE Dialog
dircache distutils dl DocXMLRPCServer dumbdbm dummy_thread dummy_threading EasyDialogs exceptions
FileDialog findertools FixTk FL fl flp fm formatter fpectl fpformat FrameWork future_builtins gdbm
gensuitemodule GL gl hotshot htmlentitydefs htmllib HTMLParser httplib ic icopen ihooks imageop
imgfile imghdr imp imputil jpeg lib2to3 linuxaudiodev macerrors MacOS macostools macpath
macresource macurl2path mailcap markupbase md5 mhlib mimetools MimeWriter mimify MiniAEFrame msilib
multifile mutex Nav new nis nntplib os2emxpath ossaudiodev parser pipes PixMapWrapper popen2
posixfile profiling Queue repr rexec rfc822 robotparser ScrolledText sets sgmllib sha SimpleDialog
SimpleHTTPServer SimpleXMLRPCServer smtpd sndhdr SocketServer spwd sre statvfs StringIO stringold
strop sunau sunaudio SUNAUDIODEV sunaudiodev symbol telnetlib test thread Tix tkColorChooser
tkCommonDialog Tkconstants Tkdnd tkFileDialog tkFont Tkinter tkMessageBox tkSimpleDialog toaiff
tomllib ttk urllib2 urlparse user UserDict UserList UserString uu videoreader W whichdb xdrlib
xmllib xmlrpclib xxlimited xxsubtype
"""

#: Roots whose other names are refused: what could act, or make code.
ACTING = (
    frozenset(sys.stdlib_module_names)
    | frozenset(_OTHER_PYTHONS.split())
    | {
        *("torch", "numpy", "functorch", "torchgen", "caffe2", "nt", "posix", "lading"),
        *("setuptools", "pkg_resources", "pip", "wheel", "dill", "cloudpickle", "joblib"),
    }
)
#: Characters of a module's or a class's name.
LONGEST = 1_000


def kind_of(named: Named) -> Kind:
    """How a pickle that mentions `named` is met.

    >>> kind_of(Named("torch.nn", "Linear")), kind_of(Named("os", "system"))
    ('known', 'acts')
    >>> kind_of(Named("mypackage.nets", "UNet"))
    'stranger'
    """
    text = str(named)
    if text in CALLS or text in VALUES or text in INERT or text.startswith("__torch__."):
        return "known"  # the last are the classes of a TorchScript program, which no Python imports
    if named.module.split(".")[0] not in ACTING or text in REPORTED:
        return "stranger"
    plain = "." not in named.name and all(part.isidentifier() for part in text.split("."))
    return "known" if plain and INERT_CLASSES.fullmatch(text) else "acts"
