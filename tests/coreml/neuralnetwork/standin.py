"""A pytest plugin: coremltools' own tests of the format's layers, answered by this library.

Off a Mac these tests build a model and compare nothing. With this plugin in place they believe
themselves on macOS, and `MLModel.predict` is `lading.coreml.neuralnetwork`'s.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any


class Proxy:
    """The native model object, with the calls that coremltools makes."""

    def __init__(self, path: str, *_: Any, **__: Any) -> None:
        from lading.coreml import neuralnetwork

        self.model = neuralnetwork.load(path)

    def predict(self, data: Mapping[str, Any], state: Any = None) -> dict[str, Any]:
        return self.model.predict(data)

    @staticmethod
    def maximum_supported_specification_version() -> int:
        return 9

    @staticmethod
    def auto_set_specification_version(spec: Any) -> Any:
        return spec


def _install() -> None:
    module = ModuleType("coremltools.libcoremlpython")
    others = ("_MLModelAssetProxy", "_MLComputePlanProxy", "_MLCPUComputeDeviceProxy",
              "_MLGPUComputeDeviceProxy", "_MLNeuralEngineComputeDeviceProxy")  # fmt: skip
    vars(module).update(_MLModelProxy=Proxy, **{name: type(name, (), {}) for name in others})
    sys.modules["coremltools.libcoremlpython"] = module

    import coremltools

    assert coremltools
    believed = {
        "_IS_MACOS": True,
        "_is_macos": lambda: True,
        "_macos_version": lambda: (15, 5),
    }
    for name, loaded in list(sys.modules.items()):
        if name.partition(".")[0] == "coremltools":
            for key, value in believed.items():
                if key in vars(loaded):
                    setattr(loaded, key, value)


_install()
