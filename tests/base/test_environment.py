"""The versions in the bill are those that are imported."""

from __future__ import annotations

import platform

import numpy as np
import torch

from lading.base.environment import PACKAGES, describe, version


def test_it_names_what_matters() -> None:
    told = describe()
    assert set(told) == {"system", "machine", "python", *PACKAGES}
    assert told["numpy"] == np.__version__
    assert told["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert told["python"] == platform.python_version()


def test_it_names_nobody() -> None:
    assert platform.node() not in describe().values()


def test_an_absent_package_is_said() -> None:
    assert version("no-such-package-anywhere") == "not installed"
