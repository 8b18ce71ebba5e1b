"""The verbs that read a bill or what was made with it."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field

from lading.job.options import (  # fmt: skip
    FLAG,
    PATH,
    TEXT,
    Request,
    StrPath,
    argument,
    option,
)


@dataclass(frozen=True)
class Report(Request):
    """Draws the page of a bill again.

    Raises:
        LadingError: there is no bill, or the page cannot be written.
    """

    bill: StrPath = field(metadata=argument(PATH, "BILL", "a lading.json, or its folder"))
    out: StrPath | None = option(None, PATH, "default: report.html beside the bill", short="o")
    _: KW_ONLY
    open: bool = option(False, FLAG, "show it in the browser")


@dataclass(frozen=True)
class Diff(Request):
    """What changed between two bills; written to `out` as a page or as Markdown, if it is named.

    Raises:
        LadingError: there is no bill, or the page cannot be written.
    """

    a: StrPath = field(metadata=argument(PATH, "BILL_A", "a lading.json, or its folder"))
    b: StrPath = field(metadata=argument(PATH, "BILL_B", "another"))
    out: StrPath | None = option(None, PATH, "a page, .html; or .md, Markdown", short="o")


@dataclass(frozen=True)
class Swift(Request):
    """Writes a Swift package: the model, what stands around it, and its golden vectors as tests.

    Raises:
        LadingError: there is no bill, no artifact for Core ML that passed, no golden vector, the
            name cannot be one, or the package cannot be written.
    """

    bill: StrPath = field(metadata=argument(PATH, "BILL", "a lading.json, or its folder"))
    out: StrPath | None = option(None, PATH, "default: NAME-swift", metavar="DIR", short="o")
    _: KW_ONLY
    name: str = option("", TEXT, "of module and class; default: the artifact's", metavar="NAME")
    artifact: str = option("", TEXT, "of several for Core ML: which", metavar="FILE")


@dataclass(frozen=True)
class DeviceCheck(Request):
    """The commands that test a package on a Mac and on a device.

    Raises:
        LadingError: it is no package that lading wrote.
    """

    package: StrPath = field(metadata=argument(PATH, "PACKAGE", "what lading swift wrote"))


@dataclass(frozen=True)
class DeviceReport(Request):
    """Reads what the tests of a package printed on a device into its bill, and draws the page.

    Raises:
        LadingError: nothing of the kind was printed, or it is of another artifact.
    """

    report: StrPath = field(metadata=argument(PATH, "FILE", "what the tests printed"))
    bill: StrPath = field(metadata=argument(PATH, "BILL", "a lading.json, or its folder"))
    _: KW_ONLY
    device: str = option("", TEXT, 'what people call it, such as "iPhone 15"', metavar="NAME")
