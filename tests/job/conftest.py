"""A small network in every format."""

from __future__ import annotations

from pathlib import Path

import pytest

from lading.conversion.capture import capture
from lading.formats import formats
from lading.interface.settings import Settings
from tests.toys import interface


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """`tests.toys.interface` in fp32, by the name of the format; nothing may change them."""
    folder, made = tmp_path_factory.mktemp("formats"), {}
    captured = capture(interface(), "export")
    for name, form in formats().items():
        made[name] = folder / f"net{form.suffix}"
        form.convert(captured, Settings(precision="fp32"), made[name])
    return made
