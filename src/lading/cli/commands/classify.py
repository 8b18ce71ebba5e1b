"""``lading classify``: the class of a text, by an artifact or a checkpoint."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lading.cli.commands import Command, checkpoint_options, console, with_stages
from lading.errors import InputError, LadingError

if TYPE_CHECKING:
    from lading.job.classify import Answer


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own options."""
    parser.add_argument("path", type=Path, metavar="ARTIFACT", help="or a checkpoint")
    parser.add_argument(
        "text", nargs="*", metavar="TEXT", help="by default every line of standard input"
    )
    parser.add_argument("--runtime", metavar="NAME", help="onnxruntime, mil, coreml, ...")
    checkpoint_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """0; 2 where any text could not be classified."""
    from lading.job import classify

    loaded = with_stages(
        arguments,
        lambda stages: classify.classifier(
            arguments.path,
            arguments.runtime,
            given=arguments.set,
            fold=arguments.fold,
            progress=stages,
        ),
    )
    status = 0
    if arguments.text:
        for text in arguments.text:
            _show(arguments, loaded(text), loaded.runtime)
        return status
    for number, line in enumerate(_lines(), 1):
        try:
            _show(arguments, loaded(_decoded(line)), loaded.runtime)
        except LadingError as error:
            status = error.exit_status
            _complain(arguments, error, number)
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


def _show(arguments: argparse.Namespace, answer: Answer, runtime: str) -> None:
    if arguments.json:
        print(_compact({**vars(answer), "runtime": runtime}))
        return
    if arguments.quiet:
        return
    from lading.cli import terminal

    shown = console()
    ordered = sorted(answer.probabilities.items(), key=lambda item: -item[1])
    if not arguments.text:
        share = f"\t{ordered[0][1]:.4f}" if ordered else ""
        print(f"{answer.label}{share}\t{terminal.words(answer.text)}")
        return
    shown.print(terminal.words(answer.label, "bold"), terminal.words(repr(answer.text), "dim"))
    for name, part in ordered:
        shown.print(terminal.words(f"  {100 * part:8.4f} %  {name}"))
    for note in answer.notes:
        shown.print(terminal.words(f"  note: {note}", "yellow"))


def _complain(arguments: argparse.Namespace, error: LadingError, number: int) -> None:
    """A line of standard input that cannot be classified; the others go on."""
    if arguments.json:
        print(_compact({"line": number, **error.as_dict()}))
        return
    from lading.cli import terminal

    told = type(error)(
        f"line {number}: {error.subject}",
        found=error.found,
        expected=error.expected,
        remedy=error.remedy,
    )
    terminal.failure(console(sys.stderr), told)


def _compact(value: dict[str, Any]) -> str:
    """One object on one line."""
    return json.dumps(value, ensure_ascii=False)


COMMAND = Command(
    "the class of a text, by an artifact or a checkpoint",
    (
        'lading classify LayoutClassifier.mlpackage "ghbdtn"',
        "lading classify LayoutClassifier.onnx --json",
    ),
    arguments,
    run,
    rank=45,
)
