"""Networks of every kind as records, for tests that write packages and convert nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from lading import page
from lading.app import Contents
from lading.job.device import MARK
from lading.proof.golden import FOLDER, load
from lading.record import ArtifactRecord, Port, Task

HOSTILE = 'a"\\(fatalError())\n*/ \u202e` \u2028"""#"'


def contents(folder: Path, name: str, task: Task, *, made: str = "By a test.") -> Contents:
    """A package's contents: a model of one byte, and golden vectors that hold nothing."""
    model = folder / f"{name}.model"
    model.mkdir(parents=True)
    (model / "weights").write_bytes(b"0")
    golden = folder / "golden"
    golden.mkdir()
    vector = {"raw": {"x": {}}, "text": {"x": ""}, "after": {"labels": {}}}
    (golden / "index.json").write_text(json.dumps({"vectors": [vector]}))
    record = ArtifactRecord(
        "any", model.name, 1, "ab" * 32, "fp16", task.inputs, task.outputs, "export"
    )
    return Contents(name, record, model, task, "cd" * 32, golden, made=made)


def device_log(
    result: Path, units: str, rms: float, share: float = 1.0, vectors: int | None = None
) -> str:
    """What a package's tests print on a device, of the segmentation network in `result`."""
    bill = page.read(result)
    record = next(one for one in bill.artifacts if one.path.endswith(".mlpackage"))
    lines = ["Test Suite 'All tests' started"]
    for vector in load(result / FOLDER).vectors[:vectors]:
        facts = {
            "artifact": record.sha256, "units": units, "vector": vector.name,
            "machine": "iPhone15,4", "system": "Version 18.1",
        }  # fmt: skip
        psnr = {**facts, "output": "logits", "kind": "psnr", "rms": str(rms), "peak": "2.0"}
        same = {**facts, "output": "labels", "kind": "label_agreement", "share": str(share)}
        lines += [f"2026 x[1] {MARK}{json.dumps(psnr)}", MARK + json.dumps(same), "noise"]
    return "\n".join(lines) + "\n"


IMAGE = Port("image", "tensor", "float32", (1, 1, 32, 32), multiples=(1, 1, 4, 4),
             meaning="normalised grey levels")  # fmt: skip
SCORES = Port("logits", "tensor", "float32", (1, 2, 32, 32), meaning="logits", class_axis=1)
X = Port("x", "tensor", "float32", (1, 3, 16, 16), meaning="normalised", value_range=(-1.0, 1.0))
TIME = Port("timesteps", "tensor", "int32", (1,), value_range=(0.0, 99.0))
NOTES = {
    "diffusion_steps": "100", "noise_schedule": "cosine", "rescale_timesteps": "false",
    "predict_xstart": "false", "learn_sigma": "false", "sigma_small": "true",
}  # fmt: skip


def tasks() -> dict[str, Task]:
    """One of each kind, with names and texts that mean harm."""
    plain = Task(
        "module",
        (Port("class", "tensor", "float16", (1, 4)), Port(HOSTILE, "tensor", "int32", (1, 4)),
         Port("in_put", "tensor", "float32", (1, 2), ((1, 1), (2, -1)), multiples=(1, 2))),
        (Port("self", "tensor", "float32", (1, 4), meaning=HOSTILE),
         Port("мир", "tensor", "int32", (1,))),
    )  # fmt: skip
    listed = replace(
        IMAGE, kind="image", color="grayscale", meaning="grey levels",
        enumerated=((1, 1, 32, 32), (1, 1, 64, 64)),
    )  # fmt: skip
    labels = Port("labels", "tensor", "int32", (1, 32, 32), meaning="labels")
    shares = Port("probabilities", "dictionary", "float32", (1, 2), meaning="probabilities",
                  class_axis=1)  # fmt: skip
    rgb = Port("photo", "image", "float32", (1, 3, 8, 8), color="rgb", meaning="RGB values")
    noise = replace(X, name="noise")
    regions = Task(
        "segmentation", (IMAGE,), (SCORES,), ("none", HOSTILE), "sigmoid", (2, 1),
        notes={"tile_step": "0.5", "mirroring_axes": "1", "spacing": "0.5, 0.25",
               "normalisation": HOSTILE},
    )  # fmt: skip
    return {
        "Plain": plain,
        "Regions": regions,
        "Maps": Task("segmentation", (listed,), (labels,), ("a", "b")),
        "Volumes": Task(
            "segmentation", (replace(IMAGE, shape=(1, 1, 8, 8, 8), multiples=()),),
            (replace(SCORES, shape=(1, 2, 8, 8, 8)),), ("a", "b"), "softmax",
        ),
        "Photos": Task("classification", (rgb,), (shares,), ("cat", HOSTILE), "softmax"),
        "Rows": Task(
            "classification", (Port("row", "tensor", "float32", (1, 7)),),
            (Port("scores", "tensor", "float32", (1, 1), meaning="logits", class_axis=1),),
            ("one",), "softmax",
        ),
        "Texts": Task(
            "classification", (Port("ids", "tensor", "int32", (1, 9)),),
            (Port("scores", "tensor", "float32", (1, 2), meaning="logits", class_axis=1),),
            ("a", "b"), "softmax", notes={"vocabulary": json.dumps('ab"\\ё')},
        ),
        "Classes": Task(
            "diffusion", (X, TIME, Port("y", "tensor", "int32", (1,), value_range=(0.0, 9.0))),
            (replace(X, name="prediction"),), notes=NOTES,
        ),
        "Steps": Task(
            "diffusion", (X, TIME, noise), (replace(X, name="x_before"),), notes=NOTES
        ),
        "Larger": Task(
            "diffusion", (X, TIME, replace(X, name="low_res")), (replace(X, name="prediction"),),
            notes=NOTES,
        ),
    }  # fmt: skip
