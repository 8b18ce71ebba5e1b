"""What libraries say is gathered, once each, without paths; nothing reaches the terminal."""

from __future__ import annotations

import logging
import sys
import warnings

import pytest

from lading.base.notices import Notices, gathered


def test_warnings_and_log_lines_are_gathered_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    notices = Notices()
    hushed = logging.getLogger("coremltools")
    level = hushed.level
    hushed.setLevel(logging.CRITICAL)  # as some program before may have left it
    with gathered(notices):
        logging.getLogger("coremltools").warning("an op is slow")
        logging.getLogger("torch.onnx").error("a pass failed")
        logging.getLogger("coremltools").info("not worth a word")
        print("progress 10 %")
        print("progress 20 %", file=sys.stderr)
        warnings.warn("first", UserWarning, stacklevel=1)
        warnings.warn("first", UserWarning, stacklevel=1)
    assert hushed.level == logging.CRITICAL
    hushed.setLevel(level)
    assert notices == ["an op is slow", "a pass failed", "UserWarning: first"]
    assert capsys.readouterr() == ("", "")


def test_housekeeping_and_the_normal_are_left_out() -> None:
    notices = Notices()
    with gathered(notices):
        warnings.warn("old name", DeprecationWarning, stacklevel=1)
        warnings.warn("open file", ResourceWarning, stacklevel=1)
        logging.getLogger("coremltools").warning(
            "Failed to load _MLModelProxy: No module named 'coremltools.libcoremlpython'"
        )
        logging.getLogger("coremltools").warning(
            "Torch version 2.13.0 has not been tested with coremltools. You may run into errors."
        )
    assert notices == []


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("/home/ann/lib/python3.11/convert.py:12: odd", "convert.py:12: odd"),
        (r"C:\Users\ann\convert.py: odd", "convert.py: odd"),
        ("object at 0x7f00deadbeef lost", "object at 0x… lost"),
        ("two\n   lines", "two lines"),
        ("a ratio of 1/2", "a ratio of 1/2"),
    ],
)
def test_paths_and_addresses_of_this_computer_go(said: str, kept: str) -> None:
    notices = Notices()
    notices.add(said)
    assert notices == [kept]


def test_loggers_and_streams_are_as_before_even_after_an_error() -> None:
    logger = logging.getLogger("coremltools")
    before = (logger.handlers[:], logger.propagate, sys.stdout, sys.stderr, warnings.filters[:])
    with pytest.raises(RuntimeError), gathered(Notices()):
        raise RuntimeError
    after = (logger.handlers[:], logger.propagate, sys.stdout, sys.stderr, warnings.filters[:])
    assert after == before


def test_what_was_said_before_an_error_is_kept() -> None:
    notices = Notices()

    def hint_and_fail() -> None:
        warnings.warn("a hint", UserWarning, stacklevel=1)
        raise RuntimeError

    with pytest.raises(RuntimeError), gathered(notices):
        hint_and_fail()
    assert notices == ["UserWarning: a hint"]
