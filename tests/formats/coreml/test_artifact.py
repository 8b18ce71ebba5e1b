"""An ML Program, opened: which files are one, and what in it draws random numbers."""

from __future__ import annotations

import shutil
from pathlib import Path

from coremltools.converters.mil import Builder
from torch import nn

from lading.conversion.capture import capture
from lading.formats import open_artifact
from lading.formats.coreml import FORMAT
from lading.formats.coreml.artifact import MLProgram
from lading.interface.settings import Settings
from lading.proof import compare, probes
from lading.proof.original import Original
from tests.coreml.mil.conftest import save_built
from tests.toys import interface


def test_a_program_in_one_file(tmp_path: Path) -> None:
    """A ``.mlmodel`` may hold a program too, where its weights are not in a file of their own."""
    FORMAT.convert(
        capture(interface(), "trace"), Settings(precision="fp32"), tmp_path / "a.mlpackage"
    )
    inside = tmp_path / "a.mlpackage" / "Data" / "com.apple.CoreML"
    shutil.copytree(inside, tmp_path / "alone")
    artifact = open_artifact(tmp_path / "alone" / "model.mlmodel")
    assert isinstance(artifact, MLProgram)
    assert artifact.record.format == "coreml"


def test_what_draws_random_numbers_is_never_passed(tmp_path: Path) -> None:
    """However small they are: what is drawn in one run says nothing of the next."""

    def program(image):  # type: ignore[no-untyped-def]
        drawn = Builder.random_normal(shape=(1, 1, 16, 16), stddev=1e-9, seed=1, name="drawn")
        return Builder.add(x=image, y=drawn, name="logits")

    path = save_built(program, {"image": ((1, 1, 16, 16), "fp32")}, "iOS16", tmp_path)
    artifact = FORMAT.open(path)
    assert artifact.randomness() == "random_normal drawn draws random numbers"
    one = interface(classes=1)
    one.module.network = nn.Identity()
    original = Original(one, probes.make(one))
    verdicts = {
        comparison.runtime: (comparison.verdict, comparison.reason)
        for comparison in compare.every_runtime(
            original, artifact, artifact.record, lambda *_: None
        )
    }
    assert verdicts["mil"] == ("fail", "random_normal drawn draws random numbers")
