"""What lies beside a checkpoint: nnU-Net's folder with its JSON, and configurations."""

from __future__ import annotations

import json

from tests.fuzz.checkpoints import configurations, configured, inspected, model_folder
from tests.fuzz.headers import CONFIGURATION, SIDES
from tests.fuzz.kind import Kind
from tests.fuzz.mutate import PLAIN


def _as_json() -> list[bytes]:
    nested = {"model": {"params": [1, 2.5, None, "x", {"a": [[1]]}]}, "num_heads": 4}
    return [json.dumps(nested).encode(), b'\xef\xbb\xbf{"a": 1}', b'{"a": NaN, "b": 1e999}']


KIND = (
    Kind("model folder", "Task__Plans__2d", model_folder, (*PLAIN, *SIDES), inspected),
    Kind("configuration yaml", "model.yaml", configurations, (*PLAIN, *CONFIGURATION), configured),
    Kind("configuration json", "model.json", _as_json, (*PLAIN, *CONFIGURATION), configured),
)
