"""What the libraries underneath say while they work, gathered instead of sprayed.

Their warnings, log lines and progress bars would bury what lading has to say; their text belongs
into the bill, once each, where a reader can weigh it.
"""

from __future__ import annotations

import contextlib
import io
import logging
import re
import warnings
from collections.abc import Iterator

#: Nothing a reader could act on: each is normal on every computer that is not a Mac, or everywhere.
_NORMAL = (
    re.compile(r"Failed to load _ML"),
    re.compile(r"torchvision is not installed"),
    re.compile(r"scikit-learn version|XGBoost version|TensorFlow version|Keras version"),
    re.compile(r"has not been tested with coremltools"),  # in `environment` and `doctor` instead
)
#: About the libraries' own code or housekeeping; some name temporary files.
_HOUSEKEEPING = (DeprecationWarning, PendingDeprecationWarning, FutureWarning, ResourceWarning)
_PATHS = re.compile(r"(?<![\w.])(?:[A-Za-z]:)?[/\\][^\s'\":]*[/\\]")

_ADDRESS = re.compile(r"0x[0-9a-f]{6,}")


class Notices(list[str]):
    """Messages in the order they first came, each once, without this computer's paths and
    memory addresses."""

    def add(self, text: str) -> None:
        """Takes `text` unless it is known to be normal or already there."""
        line = _ADDRESS.sub("0x…", _PATHS.sub("", " ".join(text.split())))
        if line and line not in self and not any(p.search(line) for p in _NORMAL):
            self.append(line)


class _Collector(logging.Handler):
    def __init__(self, into: Notices) -> None:
        super().__init__(logging.WARNING)
        self.into = into

    def emit(self, record: logging.LogRecord) -> None:
        self.into.add(record.getMessage())


@contextlib.contextmanager
def gathered(into: Notices) -> Iterator[Notices]:
    """Within it, warnings and log lines go to `into`; progress bars and prints go nowhere.

    >>> notices = Notices()
    >>> with gathered(notices):
    ...     warnings.warn("this op is experimental")
    >>> notices
    ['UserWarning: this op is experimental']
    """
    collector = _Collector(into)
    loggers = [logging.getLogger(n) for n in (None, "coremltools", "torch", "torch.onnx")]
    kept = [(one, one.handlers[:], one.propagate, one.level) for one in loggers]
    for one in loggers:
        one.handlers[:] = [collector]
        one.setLevel(logging.WARNING)  # whoever hushed a library before: the bill wants its words
        one.propagate = False
    try:
        with (
            warnings.catch_warnings(record=True) as caught,
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("always")
            try:
                yield into
            finally:  # what was said before an error may well be its reason
                for warning in caught:
                    if not issubclass(warning.category, _HOUSEKEEPING):
                        into.add(f"{warning.category.__name__}: {warning.message}")
    finally:
        for one, handlers, propagate, level in kept:
            one.handlers[:] = handlers
            one.propagate = propagate
            one.setLevel(level)
