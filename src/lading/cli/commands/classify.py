"""``lading classify``: the class of a text, by an artifact or a checkpoint."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from lading.cli.commands import Command, Display, console, print_json, with_stages
from lading.errors import InputError, LadingError
from lading.job.request import Classify

if TYPE_CHECKING:
    from lading.job.classify import Answer


def run(request: Classify, display: Display) -> int:
    """0; 1 where the answer to a text is none, 2 where one could not be classified."""
    from lading.job.classify import classifier

    loaded = with_stages(display, request, classifier)
    status = 0
    if request.text:
        for text in request.text:
            _show(display, loaded(text), loaded.runtime, alone=True)
        return status
    for number, line in enumerate(_lines(), 1):
        try:
            _show(display, loaded(_decoded(line)), loaded.runtime)
        except LadingError as error:
            status = max(status, error.exit_status)
            _complain(display, error, number)
        sys.stdout.flush()
    return status


def _lines() -> Iterator[bytes]:
    """Standard input line by line as they come, without their ends."""
    stream = getattr(sys.stdin, "buffer", None)
    for line in stream if stream is not None else (text.encode() for text in sys.stdin):
        yield line.rstrip(b"\r\n")


def _decoded(line: bytes) -> str:
    try:
        return line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            "text",
            found=f"byte 0x{line[error.start]:02x}, which is not UTF-8",
            expected="text in UTF-8",
            remedy="convert the text first, e.g. with iconv",
        ) from error


def _show(display: Display, answer: Answer, runtime: str, *, alone: bool = False) -> None:
    if display.json:
        print_json({**vars(answer), "runtime": runtime}, None)
        return
    if display.quiet:
        return
    from lading.cli import terminal

    shown = console()
    ordered = sorted(answer.probabilities.items(), key=lambda item: -item[1])
    if not alone:
        share = f"\t{ordered[0][1]:.4f}" if ordered else ""
        print(terminal.words(f"{answer.label}{share}\t{answer.text}"))
        return
    shown.print(terminal.words(answer.label, "bold"), terminal.words(repr(answer.text), "dim"))
    for name, part in ordered:
        shown.print(terminal.words(f"  {100 * part:8.4f} %  {name}"))
    for note in answer.notes:
        shown.print(terminal.words(f"  note: {note}", "yellow"))


def _complain(display: Display, error: LadingError, number: int) -> None:
    """A line of standard input that cannot be classified; the others go on."""
    if display.json:
        print_json({"line": number, **error.as_dict()}, None)
        return
    from lading.cli import terminal

    told = type(error)(
        f"line {number}: {error.subject}",
        found=error.found,
        expected=error.expected,
        remedy=error.remedy,
    )
    terminal.failure(console(sys.stderr), told)


COMMAND = Command(
    "the class of a text, by an artifact or a checkpoint",
    (
        'lading classify LayoutClassifier.mlpackage "ghbdtn"',
        "lading classify LayoutClassifier.onnx --json",
    ),
    Classify,
    run,
    rank=45,
)
