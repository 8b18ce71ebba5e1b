"""Pages in a real Chromium: from a file, silent, searchable, folding, readable by everybody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lading import page as report
from lading.page import diff
from lading.proof import own_gates
from lading.record import Bill
from tests import bills
from tests.browser.conftest import Seen, printed
from tests.page.test_diff import retrained
from tests.page.test_trajectories import ABSENT, LOST, MIL, diffusion

PAGES = {
    "full": lambda: report.render(bills.full()),
    "failed": lambda: report.render(bills.failed()),
    "bare": lambda: report.render(bills.bare()),
    "diff": lambda: diff.render(diff.compare(bills.full(), retrained(), ("before", "after"))),
}
Open = Callable[..., Seen]


@pytest.mark.parametrize("name", PAGES)
def test_it_loads_from_a_file_and_says_nothing(name: str, opened: Open) -> None:
    seen = opened(PAGES[name]())
    seen.page.wait_for_load_state("networkidle")
    assert seen.said == []
    rest = [url for url in seen.asked[1:] if not url.startswith("data:image/png;base64,")]
    assert rest == []
    assert seen.asked[0].startswith("file://")


def test_the_ear_hears(opened: Open) -> None:
    """What a page that breaks the rules would have been caught at."""
    page = PAGES["full"]().replace("<main", '<img src="x.png" onerror="alert(1)"><main', 1)
    seen = opened(page)
    seen.page.wait_for_load_state("networkidle")
    assert any("Content Security Policy" in said for said in seen.said)


def held(bill: Bill) -> Bill:
    """By the user's own gates, which stand beside the measured ones."""
    own = [
        replace(one, measurements=tuple(own_gates.held(one.measurements, {"psnr": 80.0})))
        for one in bill.comparisons
    ]
    return replace(bill, comparisons=tuple(own))


#: axe looks at every element: fewer names and stations, every kind of them.
SHORT = {
    "full": lambda: report.render(bills.short(bills.full())),
    "failed": lambda: report.render(bills.short(bills.failed())),
    "bare": lambda: report.render(bills.short(bills.bare())),
    "diffusion": lambda: report.render(bills.short(diffusion(LOST, MIL, ABSENT))),
    "own": lambda: report.render(held(bills.short(bills.full()))),
    "diff": PAGES["diff"],
}


@pytest.mark.parametrize("name", [name for name in SHORT if name != "own"])
def test_axe_finds_no_fault(name: str, opened: Open) -> None:
    page = opened(SHORT[name]()).page
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    assert axe(page) == []
    page.emulate_media(color_scheme="dark")
    assert axe(page, "color-contrast", "link-in-text-block") == []


def axe(page: Any, *rules: str) -> list[str]:
    """axe-core's violations, of WCAG 2 A and AA and of its best practices, or of `rules` alone.

    The script is run by the browser's own hand: the page's policy would refuse it, as it should.
    """
    import axe_playwright_python

    source = Path(axe_playwright_python.__file__).parent / "axe.min.js"
    page.evaluate(source.read_text(encoding="utf-8"))
    only = {"runOnly": list(rules)} if rules else {}
    found = page.evaluate(
        "options => axe.run(document, options)", {"resultTypes": ["violations"], **only}
    )
    assert found["passes"]
    return [
        f"{one['id']} ({one['impact']}): {node['html'][:120]} {node['failureSummary'][:200]}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


def test_axe_would_find_one(opened: Open) -> None:
    page = SHORT["full"]().replace('alt="An ultrasound frame of a heart."', "", 1)
    faults = axe(opened(page).page, "image-alt")
    assert [fault.split()[0] for fault in faults] == ["image-alt"]


def test_contrast_is_measured(opened: Open) -> None:
    page = opened(SHORT["diff"]()).page
    page.evaluate("document.documentElement.attributeStyleMap.set('--soft', '#b0b0a0')")
    faults = axe(page, "color-contrast")
    assert any(fault.startswith("color-contrast") for fault in faults)


@pytest.mark.parametrize("width", [390, 740, 930, 1024, 1280, 1600])
def test_the_table_of_a_comparison_is_seen_whole(width: int, opened: Open) -> None:
    page = opened(PAGES["full"]()).page
    page.set_viewport_size({"width": width, "height": 900})
    hidden = page.evaluate(
        "Array.from(document.querySelectorAll('.scroll:has(.gauge)'))"
        ".map(one => one.scrollWidth - one.clientWidth)"
    )
    assert hidden
    assert max(hidden) <= 0


# ----------------------------------------------------------------------------------- the ledger
def shown(page: Any) -> list[str]:
    """The names that can be seen."""
    names: list[str] = page.evaluate(
        "Array.from(document.querySelectorAll('.leaf')).filter(one => one.checkVisibility())"
        ".map(one => one.dataset.name.split(' ')[0])"
    )
    return names


def test_search_filters_the_ledger(opened: Open) -> None:
    page = opened(PAGES["full"]()).page
    assert page.get_by_role("status").inner_text() == "344 of 344 names"
    before = shown(page)
    page.get_by_role("searchbox").fill("transpconvs.3")
    assert shown(page) == ["decoder.transpconvs.3.weight", "decoder.transpconvs.3.bias"]
    assert page.get_by_role("status").inner_text() == "2 of 344 names"
    page.get_by_role("searchbox").fill("TRANSPCONVS bias")
    assert len(shown(page)) == 6
    page.get_by_role("searchbox").fill("512×1024×3×3")
    assert {name.split(".")[1] for name in shown(page)} == {"stages"}
    page.get_by_role("searchbox").fill("no such name")
    assert shown(page) == []
    assert page.get_by_role("status").inner_text() == "0 of 344 names"
    page.get_by_role("searchbox").fill("")
    assert shown(page) == before
    assert page.get_by_role("status").inner_text() == "344 of 344 names"


def test_fates_filter_the_ledger(opened: Open) -> None:
    page = opened(PAGES["full"]()).page
    page.get_by_label("alias (216)").uncheck()
    assert len(shown(page)) == 128
    page.get_by_label("loaded (118)").uncheck()
    names = shown(page)
    assert len(names) == 10
    assert all("seg_layers" in name for name in names)


def test_the_ledger_opens_and_folds(opened: Open) -> None:
    page = opened(PAGES["full"]()).page
    page.get_by_role("button", name="Open all").click()
    assert len(shown(page)) == 344
    page.get_by_role("button", name="Fold all").click()
    assert shown(page) == []
    page.get_by_role("searchbox").fill("seg_layers.5")
    assert len(shown(page)) == 2


# ------------------------------------------------------------------------------------- the page
def test_sections_fold_by_keyboard(opened: Open) -> None:
    page = opened(PAGES["full"]()).page
    heading = page.get_by_role("heading", name="Hazards", exact=True)
    inner = page.locator("#hazards .inner")
    assert inner.is_visible()
    page.locator("#hazards > details > summary").focus()
    page.keyboard.press("Enter")
    assert not inner.is_visible()
    assert heading.is_visible()
    page.keyboard.press("Space")
    assert inner.is_visible()


def test_the_contents_open_what_is_folded(opened: Open) -> None:
    page = opened(PAGES["full"]()).page
    page.locator("#ledger > details > summary").click()
    assert not page.locator("#ledger-tree").is_visible()
    page.get_by_role("link", name="Ledger", exact=True).click()
    assert page.locator("#ledger-tree").is_visible()


def test_tab_reaches_everything_and_skips_at_first(opened: Open) -> None:
    page = opened(PAGES["full"]()).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.tagName + document.activeElement.id"))
    assert {"SUMMARY", "INPUTledger-search", "BUTTONledger-open"} <= reached


def test_landmarks(opened: Open) -> None:
    page = opened(PAGES["full"]()).page
    for role in ("banner", "main", "navigation", "contentinfo", "search"):
        assert page.get_by_role(role).count() == 1, role
    assert page.get_by_role("heading", level=1).inner_text() == "CAMUS"
    assert page.get_by_role("heading", level=2).count() == 15


@pytest.mark.parametrize("name", PAGES)
def test_a_phone_does_not_scroll_sideways(name: str, opened: Open) -> None:
    page = opened(PAGES[name]()).page
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    for width in (320, 390, 768):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", ["full", "failed", "own", "diffusion"])
def test_no_column_is_cut_and_every_verdict_is_seen(name: str, width: int, opened: Open) -> None:
    page = opened(SHORT[name](), width=width).page
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    cut = page.evaluate("""() => [...document.querySelectorAll('.scroll')]
        .filter(one => one.querySelector('table') && one.scrollWidth > one.clientWidth + 1)
        .map(one => one.ariaLabel)""")
    assert cut == []
    beyond = page.evaluate("""() => [...document.querySelectorAll('td.verdict .tag')]
        .filter(one => one.getBoundingClientRect().right > innerWidth).length""")
    assert beyond == 0


@pytest.mark.parametrize("name", ["full", "diffusion"])
def test_no_two_labels_of_a_chart_overlap(name: str, opened: Open) -> None:
    page = opened(SHORT[name](), width=1280).page
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    over = page.evaluate("""() => [...document.querySelectorAll('svg.chart')].flatMap(chart => {
        const texts = [...chart.querySelectorAll('text:not([transform])')]
            .map(one => [one.textContent, one.getBoundingClientRect()])
        return texts.flatMap(([a, x], i) => texts.slice(i + 1)
            .filter(([b, y]) => x.left < y.right - 1 && y.left < x.right - 1 &&
                                x.top < y.bottom - 3 && y.top < x.bottom - 3)
            .map(([b]) => a + ' | ' + b))
    })""")
    assert over == []


def test_all_is_printed(opened: Open) -> None:
    page = opened(PAGES["full"]()).page
    assert len(shown(page)) < 344
    with printed(page):
        assert len(shown(page)) == 344
        assert not page.get_by_role("searchbox").is_visible()
        assert not page.get_by_role("navigation").is_visible()
    assert len(shown(page)) < 344


def test_without_scripts_it_is_whole(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(PAGES["full"](), encoding="utf-8")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(path.as_uri())
    assert not page.locator("#ledger-tools").is_visible()
    assert page.locator("#ledger-tree").is_visible()
    assert page.locator("#walk svg").is_visible()
    context.close()


def test_a_strangers_text_does_nothing(opened: Open) -> None:
    bill = bills.hostile()
    for html in (report.render(bill), diff.render(diff.compare(bills.full(), bill))):
        seen = opened(html, width=390)
        seen.page.wait_for_load_state("networkidle")
        for name in ("pass", "script", "x" * 50):
            box = seen.page.get_by_role("searchbox")
            if box.count():
                box.fill(name)
        assert seen.said == []
        assert [u for u in seen.asked[1:] if not u.startswith("data:image/png")] == []
        assert seen.page.title() != "owned"
        assert seen.page.evaluate("document.querySelectorAll('script').length") == 1
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= 390
        for link in seen.page.locator("a").all():
            assert (link.get_attribute("href") or "").startswith("#")
