"""The page says what the bill says, loads nothing, and obeys no stranger's text."""

from __future__ import annotations

import html.parser
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lading import page as report
from lading.errors import InputError
from lading.page import tree
from lading.page.view import look
from lading.record import Bill, Picture, Unproved, to_json
from tests import bills

GOLD = Path(__file__).parent / "gold"
BLOCKS = {"p", "h1", "h2", "h3", "tr", "dt", "dd", "li", "figcaption", "summary", "pre", "caption",
          "text", "title", "label", "button", "legend", "output", "a"}  # fmt: skip


class Text(html.parser.HTMLParser):
    """What a reader reads, a line per block, cells apart; and every element with its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = [""]
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))
        self.silent += tag in ("style", "script")
        if tag in BLOCKS:
            self.lines.append("")
        elif tag in ("td", "th"):
            self.lines[-1] += " | "
        elif tag == "img":
            self.lines[-1] += f"[{dict(attrs)['alt']}]"

    def handle_endtag(self, tag: str) -> None:
        self.silent -= tag in ("style", "script")
        if tag in BLOCKS:
            self.lines.append("")

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.lines[-1] += data


def parsed(page: str) -> Text:
    reader = Text()
    reader.feed(page)
    return reader


def text_of(page: str) -> str:
    rows = (" ".join(line.split()) for line in parsed(page).lines)
    return "\n".join(row for row in rows if row) + "\n"


BILLS = {"full": bills.full, "failed": bills.failed, "bare": bills.bare}


@pytest.mark.parametrize("name", BILLS)
def test_the_page_says_what_it_said(name: str) -> None:
    """After a change that is meant: ``python -m tests.page.gold`` writes the files again."""
    shown = text_of(report.render(BILLS[name]()))
    assert shown == (GOLD / f"report-{name}.txt").read_text(encoding="utf-8")


def test_a_minute_is_enough() -> None:
    lines = text_of(report.render(bills.full())).splitlines()
    head = lines[: lines.index("Comparison")]
    assert "pass" in head
    assert "both files give what the original gives on 6 probes (worst 57.3 dB, gate 40)" in head
    assert head.index("33,473,330 parameters")
    assert len(look(bills.full()).numbers) == 5


def test_five_numbers_whatever_the_verdict() -> None:
    assert [len(look(make()).numbers) for make in (bills.full, bills.failed)] == [5, 5]
    numbers = {fact.label: fact for fact in look(bills.failed()).numbers}
    assert numbers["Misses its gate most"].value == "12.5 dB"
    assert numbers["Misses its gate most"].state == "bad"


def test_failing_and_unproved_say_so_first() -> None:
    assert look(bills.failed()).summary == (
        "CAMUS.mlpackage does not give what the original gives: logits psnr 12.5 dB, gate 40"
    )
    assert look(bills.bare()).summary == (
        "CAMUS.mlpackage was not compared with the original: Core ML exists on macOS only; this "
        "is Linux"
    )
    assert "do not use it in an app" in report.render(bills.failed())


def test_one_reading_is_no_spread_and_says_why_there_is_no_other() -> None:
    full, spread = bills.full(), "what devices do lies between"
    assert spread in report.render(full)
    (likely,) = (one for one in full.readings if one.name == "declared")
    numbers = tuple(replace(one, why="it was not run") for one in likely.measurements)
    shown = report.render(replace(full, readings=(replace(likely, measurements=numbers),)))
    assert spread not in shown
    assert "it was not run" in shown
    assert report.render(replace(full, readings=(replace(likely, measurements=()),)))


def test_what_was_left_open_stands_beside_its_comparison() -> None:
    one = bills.full()
    blind = replace(one.comparisons[0], unproved=(Unproved("scores", "<b>nobody looked</b>"),))
    lines = text_of(report.render(replace(one, comparisons=(blind,)))).splitlines()
    said = "only labels were compared, not the scores behind them: <b>nobody looked</b>"
    assert lines.index("CAMUS.mlpackage in lading.coreml.mil pass") < lines.index(said)


def test_a_page_of_full_size_is_small() -> None:
    bill = bills.full()
    assert bill.ledger_summary.names == 344
    assert bill.ledger_summary.parameters == 33_473_330
    pictures = tuple(Picture(f"demo/{i}", "t", "a", "A" * 80_000) for i in range(10))
    page = report.render(replace(bill, pictures=pictures))
    assert len(page.encode()) <= 1_500_000
    assert len(report.render(bill).encode()) <= 300_000


def test_every_name_is_there_with_its_fate() -> None:
    bill = bills.full()
    leaves = [a for tag, a in parsed(report.render(bill)).elements if a.get("class") == "leaf"]
    told = {(str(a["data-name"]).split()[0], a["data-fate"]) for a in leaves}
    assert len(leaves) == 344
    assert told == {(line.name, line.fate) for line in bill.ledger}


def test_the_tree_counts_numbers_once() -> None:
    root = tree.grow(bills.ledger())
    assert (root.names, root.parameters) == (344, 33_473_330)
    assert [child.name for child in root.children] == ["encoder.stages", "decoder"]
    repeated = root.children[1].children[0]
    assert (repeated.name, repeated.names, repeated.parameters) == ("encoder.stages", 112, 0)


def test_it_loads_nothing() -> None:
    page = report.render(bills.full())
    reader = parsed(page)
    for tag, attributes in reader.elements:
        assert tag not in ("link", "iframe", "object", "embed", "base", "audio", "video")
        for name in ("src", "href", "action", "srcset", "data", "style"):
            value = attributes.get(name) or ""
            assert value == "" or value.startswith(("#", "data:image/png;base64,")), (tag, value)
    (style,) = re.findall("<style>(.*?)</style>", page, re.S)
    assert not re.search(r"@import|url\(|expression", style)
    assert page.count("<script") == 1


def test_the_policy_knows_the_script_by_its_bytes() -> None:
    import base64
    import hashlib

    page = report.render(bills.full())
    for name in ("script", "style"):
        (body,) = re.findall(f"<{name}>(.*?)</{name}>", page, re.S)
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in page
    assert "default-src 'none'" in page


def test_a_strangers_text_makes_no_element_and_no_attribute() -> None:
    page = report.render(bills.hostile())
    page.encode("utf-8")
    reader = parsed(page)
    kinds = {tag for tag, _ in reader.elements}
    assert kinds <= {tag for tag, _ in parsed(report.render(bills.full())).elements}
    assert sum(tag == "script" for tag, _ in reader.elements) == 1
    assert sum(tag == "img" for tag, _ in reader.elements) == 1
    for _, attributes in reader.elements:
        assert not any(name.startswith("on") for name in attributes)
        assert "javascript" not in (attributes.get("href") or "")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", page)
    assert "weight⟨U+202E⟩gnp.exe⟨U+2066⟩" in page
    assert "{{ 7 * 7 }}" in page


def test_the_same_bill_gives_the_same_bytes() -> None:
    assert report.render(bills.full()) == report.render(bills.full())


def test_tables_have_headings_and_pictures_have_words() -> None:
    reader = parsed(report.render(bills.full()))
    for tag, attributes in reader.elements:
        if tag == "th":
            assert attributes.get("scope") in ("col", "row")
        if tag == "img":
            assert attributes.get("alt")
    tables = sum(tag == "table" for tag, _ in reader.elements)
    assert tables == sum(tag == "caption" for tag, _ in reader.elements) > 8


def test_what_was_settled_is_told_in_words_before_its_table() -> None:
    lines = text_of(report.render(bills.full())).splitlines()
    at = lines.index("Settled by pictures", lines.index("Comparison") + 20)
    answer = lines.index("measured: num_heads 4, use_new_attention_order false", at)
    table = lines.index("Candidates for attention, best first")
    assert at < answer < table
    first, second = lines[table + 2 : table + 4]
    assert first.endswith("| 64 | measured")
    assert second.endswith("| 9 % | 4.1 % to 13.9 % | 64 | worse")
    other = lines.index("Candidates for time, best first")
    assert all(line.endswith("| undecided") for line in lines[other + 2 : other + 4])
    assert "Settled by pictures" not in text_of(report.render(bills.bare()))


# ---------------------------------------------------------------------------- without the stages
def written(bill: Bill, folder: Path) -> Path:
    path = folder / "lading.json"
    path.write_text(json.dumps(to_json(bill)), encoding="utf-8")
    return path


WITHOUT = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "coremltools", "onnx", "onnxruntime", "onnxscript",
                                  "numpy", "PIL", "safetensors"}:
            raise ImportError(f"{name} is not on this computer")
sys.meta_path.insert(0, Blocked())
from lading.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_a_computer_without_torch_draws_it(tmp_path: Path) -> None:
    bill = written(bills.full(), tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, "report", str(bill)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == report.render(bills.full())
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, "report", "nowhere.json"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "remedy" in done.stderr


def test_the_block_blocks(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, "inspect", "x.pth"], capture_output=True, text=True
    )
    assert "is not on this computer" in done.stderr


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[1, 2]", "JSON without a schema number"),
        ('{"schema": 99}', "schema 99"),
        ('{"schema": 2, "lading": 3}', "no bill"),
        ('{"schema": 2}', "no bill"),
        ('{"schema": 1}', "schema 1, of an older lading"),
        ("\ufeff\x00", "no JSON"),
    ],
)
def test_what_is_no_bill_is_refused(content: str, found: str, tmp_path: Path) -> None:
    path = tmp_path / "lading.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError) as refused:
        report.read(path)
    assert found in refused.value.found
    assert refused.value.expected == "a bill of lading, schema 2"


def test_a_folder_stands_for_its_bill(tmp_path: Path) -> None:
    written(bills.bare(), tmp_path)
    assert report.read(tmp_path) == bills.bare()


def test_strange_numbers_are_drawn() -> None:
    import math

    one = bills.full()
    odd = tuple(
        replace(station, error=value, low=-value, high=value)
        for station, value in zip(one.walks[0].stations,
                                  (math.nan, math.inf, 0.0, 1e-30, 1e300), strict=False)
    )  # fmt: skip
    page = report.render(replace(one, walks=(replace(one.walks[0], stations=odd),)))
    for points in re.findall(r'points="([^"]*)"', page):
        assert "nan" not in points
        assert "inf" not in points
