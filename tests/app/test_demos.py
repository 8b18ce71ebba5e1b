"""The packages of the three demonstrations and of plain tensors: linted, built, and tested.

The network is a replay here, and called so; what needs Core ML is skipped and says so.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from lading.cli.demos import DATA, RECIPES
from lading.job.convert import convert
from lading.job.request import Convert, Swift
from lading.job.swift import swift
from lading.record import Bill
from tests.swift import harness

pytestmark = harness.needs_swift
PHANTOM = DATA / "camus_segmentation" / "phantom_002.png"
RECIPE = RECIPES[0]
ROOT = Path(__file__).parents[2]


def segmentation(out: Path) -> Bill:
    return convert(
        Convert(DATA / "camus_segmentation.pth", out, name="Phantoms", to="coreml", data=PHANTOM)
    )


def layouts(out: Path) -> Bill:
    return convert(Convert(RECIPE / "keyboard_layout" / "keyboard_layout.pth", out, to="mlmodel"))


def diffusion(out: Path) -> Bill:
    folder = RECIPE / "camus_diffusion"
    return convert(
        Convert(
            folder / "camus_diffusion.pth", out, name="EchoDiffusion", to="coreml", trajectory=4,
            config=folder / "camus_diffusion.json",
        )
    )  # fmt: skip


def plain(out: Path) -> Bill:
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))
    out.parent.mkdir(parents=True, exist_ok=True)
    torch.save(module.state_dict(), out.parent / "plain.pt")
    return convert(
        Convert(
            out.parent / "plain.pt", out, name="Rows", to="coreml", model=lambda: module,
            input="in_put:float32[1,6]",
        )
    )  # fmt: skip


#: What each package's tests print on this system; every golden vector goes the whole way.
PRINTED = {
    segmentation: (
        r"raw to prepared: [1-9]\d* pictures, differ by 0\.0",
        r"outputs to finished: [1-9]\d{5} labels, all the same",
        r"the whole way: [1-9]\d* of them begin with what a user has",
        "the whole way: {} vectors, the network a replay",
    ),
    layouts: (
        r"raw to prepared: [1-9]\d* texts, every id the same",
        r"outputs to finished: [1-9]\d* probabilities differ",
        r"the whole way: [1-9]\d* of them begin with what a user has",
        "the whole way: {} vectors, the network a replay",
    ),
    diffusion: (
        "a walk of 4 moves: differs by",
        "the whole way: {} vectors, the network a replay",
    ),
    plain: ("the whole way: {} vectors, the network a replay",),
}


@pytest.mark.parametrize("made", list(PRINTED), ids=lambda made: made.__name__)
def test_its_tests_pass(made: Callable[[Path], Bill], tmp_path: Path) -> None:
    bill = made(tmp_path / "made")
    assert bill.verdict == "pass"
    package = tmp_path / "package"
    vectors = swift(Swift(tmp_path / "made", package)).vectors
    assert vectors >= 4
    harness.lint(package / "Package.swift", package / "Sources", package / "Tests")
    stubs = harness.stubs(tmp_path)
    harness.checked(package, stubs, version="5")
    shown_code_fits(package, stubs)
    printed = outcome(package)
    for line in PRINTED[made]:
        assert re.search(line.replace("{}", str(vectors)), printed), line
    assert "not run: Core ML exists on Apple's systems only" in printed
    (ran, skipped, failed) = re.findall(
        r"Executed (\d+) tests, with (\d+) tests? skipped and (\d+) failures", printed
    )[-1]
    assert int(ran) >= 3
    assert (skipped, failed) == ("1", "0")
    if made is segmentation:
        one_label_changed(package)
        with pytest.raises(AssertionError, match=r"phantom_002\.png: labels that differ"):
            outcome(package)


def outcome(package: Path) -> str:
    """What the package's tests print; a warning is an error.

    Its code is compiled in Swift's language mode 6, as the manifest asks where Swift has it.
    """
    strict = ("-Xswiftc", "-warnings-as-errors")
    done = subprocess.run(
        ["swift", "test", "--disable-swift-testing", "--package-path", str(package), *strict],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-4000:]
    return said


def shown_code_fits(package: Path, stubs: Path) -> None:
    """What the README of a package shows fits it, and so does an example app, but for its views."""
    (block,) = re.findall(r"^```swift\n(.*?)^```", (package / "README.md").read_text(), re.M | re.S)
    imports, body = block.split("\n", 1)
    code = f"{imports}\nimport CoreGraphics\nfunc shown(_ image: CGImage) async throws {{{body}}}\n"
    path = stubs / "shown.swift"
    path.write_text(code)
    loose = ("-typecheck", "-parse-as-library", "-swift-version", "6", "-I", stubs)
    harness.ran("swiftc", *loose, path)
    guide = (ROOT / "docs" / "ios.md").read_text()
    name = imports.removeprefix("import ")
    assert (f"import {name}\n" in guide) == (block in guide)
    for example in (ROOT / "examples" / "ios").glob("*/*.swift"):
        text = example.read_text()
        if f"import {name}\n" in text:
            harness.ran("swiftc", *loose, "-warnings-as-errors", example)
            harness.ran("swiftc", "-parse", "-parse-as-library", example.with_name("App.swift"))


def test_the_examples_are_formatted() -> None:
    assert len(list((ROOT / "examples" / "ios").glob("*/App.swift"))) == 3
    harness.lint(ROOT / "examples")


def one_label_changed(package: Path) -> None:
    """In what a golden vector says a user sees."""
    (folder,) = package.glob("Tests/*/golden")
    vector = json.loads((folder / "index.json").read_text())["vectors"][0]
    path = folder / vector["after"]["labels"]["file"]
    data = bytearray(path.read_bytes())
    data[5] ^= 1
    path.write_bytes(bytes(data))
