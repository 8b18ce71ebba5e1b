"""A pytest plugin: a project's Core ML tests, run where there is no Core ML.

``pytest --coreml-stand-in``, or ``coreml_stand_in = true`` in the project's settings, puts
`lading.coreml.stand_in` in place before any test module is imported. On a Mac it steps aside.
Without the switch the plugin does nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

    from lading.coreml.standin import StandIn

SWITCH = "coreml_stand_in"
#: The words by which a skipped test asks for a Mac; see `pytest_terminal_summary`.
_MAC = ("macos", "mac os", "darwin", "a mac", "libcoremlpython")

_on: list[StandIn] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    text = "answer coremltools' predict by lading.coreml where there is no Core ML"
    group = parser.getgroup("coreml")
    group.addoption("--coreml-stand-in", action="store_true", dest=SWITCH, help=text)
    parser.addini(SWITCH, text, type="bool", default=False)


def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Before conftest files and test modules: they import coremltools and ask it for macOS."""
    if early_config.known_args_namespace.coreml_stand_in or early_config.getini(SWITCH):
        from lading.coreml import stand_in

        _on.append(stand_in())
        _on[-1].start()


def pytest_unconfigure() -> None:
    while _on:
        _on.pop().stop()


def pytest_report_header() -> str | None:
    if not _on:
        return None
    from lading.coreml.standin import on_a_mac

    who = "Core ML itself, on this Mac" if on_a_mac() else "lading.coreml, not Core ML itself"
    return f"coreml stand-in: predictions by {who}"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Silence is no success: tests that were left out for want of a Mac are counted."""
    if not _on:
        return
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = [str(report.longrepr[2]) for report in skipped if isinstance(report.longrepr, tuple)]
    left = [text for text in reasons if any(word in text.lower() for word in _MAC)]
    if left:
        terminalreporter.write_line(
            f"coreml stand-in: {len(left)} skipped for want of macOS, e.g. {left[0]!r}; a test "
            "that asks coremltools.utils._is_macos() instead of the system's name runs here"
        )
