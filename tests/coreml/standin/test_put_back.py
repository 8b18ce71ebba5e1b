"""The stand-in is put in place whole and taken away whole."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lading.coreml import standin
from lading.coreml.standin import native

ct: Any = pytest.importorskip("coremltools")
mb: Any = pytest.importorskip("coremltools.converters.mil").Builder

pytestmark = pytest.mark.filterwarnings("ignore")


@mb.program(input_specs=[mb.TensorSpec(shape=(2,))])
def relu(x: Any) -> Any:
    return mb.relu(x=x, name="y")


def state_of_coremltools() -> dict[tuple[str, str], Any]:
    names = [*native.CLASSES, "_IS_MACOS", "_is_macos", "_macos_version", "libcoremlpython"]
    return {
        (title, name): vars(module)[name]
        for title, module in list(sys.modules.items())
        if title.partition(".")[0] == "coremltools"
        for name in names
        if name in vars(module)
    }


def test_everything_is_put_back() -> None:
    assert not standin._on, "another test left it on"
    before = state_of_coremltools()
    with standin.stand_in(), standin.stand_in():
        assert ct.utils._is_macos()
        assert ct.utils._macos_version() == standin.MACOS
        assert ct.models.model._MLModelProxy is native.ModelProxy
        # A module that is first imported meanwhile is put right as well.
        sys.modules.pop("coremltools.models._compiled_model", None)
        import coremltools.models._compiled_model as late

        assert late._MLModelProxy is native.ModelProxy
    sys.modules["coremltools.models._compiled_model"] = late
    assert late._MLModelProxy is None
    assert state_of_coremltools() == before
    assert standin.NATIVE not in sys.modules
    with pytest.raises(RuntimeError, match="was not started"):
        standin.stand_in().stop()


def test_a_model_outlives_its_context_and_its_package(tmp_path: Path) -> None:
    path = str(tmp_path / "a.mlpackage")
    with standin.stand_in():
        ct.convert(relu).save(path)
        model = ct.models.MLModel(path)
    shutil.rmtree(path)
    assert model.predict({"x": np.float32([-1, 1])})["y"].tolist() == [0, 1]


def test_on_a_mac_core_ml_itself_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standin, "on_a_mac", lambda: True)
    with standin.stand_in():
        assert ct.models.model._MLModelProxy is not native.ModelProxy


@standin.stand_in()
def test_as_a_decorator() -> None:
    assert ct.utils._is_macos()
