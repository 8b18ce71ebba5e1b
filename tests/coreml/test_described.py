"""A Core ML file of any kind is described from the file alone, whether it runs here or not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lading import cli
from lading.conversion.described import system_of
from lading.coreml import described
from lading.coreml.described import Described
from lading.coreml.mil import description
from lading.errors import ProgramError
from lading.formats import is_artifact, open_artifact
from tests.fuzz import coreml
from tests.fuzz.kind import lay

TYPES = [one.name for one in description.proto().Model.DESCRIPTOR.oneofs_by_name["Type"].fields]


def of(spec: Any) -> Described:
    return described.describe(Path("a.mlmodel"), spec)


def record(spec: Any, folder: Path) -> Any:
    path = folder / "a.mlmodel"
    path.write_bytes(coreml.raw(spec))
    return open_artifact(path).record


# ----------------------------------------------------------------------------------- every type
@pytest.mark.parametrize("kind", TYPES)
def test_every_type_has_its_name_and_its_ports(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.mlmodel"
    path.write_bytes(coreml.raw(coreml.model(kind)))
    assert cli.main(["inspect", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "takes x float32 3" in shown
    assert "com.apple.author: somebody" in shown
    assert kind == "mlProgram" or f"type: {kind}" in shown
    runs = kind.startswith(("mlProgram", "pipeline", "neuralNetwork"))
    assert runs or f"Core ML ({kind}), " in shown
    assert runs or f"cannot be run here: a model of type {kind}" in shown


def test_what_models_are_made_of(tmp_path: Path) -> None:
    tree = coreml.model("treeEnsembleClassifier", classes=True)
    for number in range(5):
        node = tree.treeEnsembleClassifier.treeEnsemble.nodes.add(nodeId=number)
        node.evaluationInfo.add(evaluationValue=1.0)
    told = record(tree, tmp_path).details
    assert told["operations"] == "TreeNode 5, EvaluationInfo 5"
    assert told["classes"] == "2"
    svm = coreml.model("supportVectorRegressor")
    vectors = svm.supportVectorRegressor.denseSupportVectors.vectors
    for _ in range(2):
        vectors.add().values.extend([1.0, 2.0, 3.0])
    assert (of(svm).kinds, of(svm).stored) == ({"DenseVector": 2}, {"fp64": 6})
    text = coreml.model("textClassifier")
    text.textClassifier.modelParameterData = b"x" * 9
    assert of(text).stored == {"bytes": 9}
    own = coreml.model("customModel")
    own.customModel.className = "MyModel"
    assert record(own, tmp_path).details["code of the app"] == "MyModel"


def test_layers_inside_layers_and_what_they_store(tmp_path: Path) -> None:
    spec = coreml.model("neuralNetwork")
    spec.isUpdatable = True
    layer = spec.neuralNetwork.layers.add(name="if", input=["x"], output=["y"])
    inner = layer.branch.ifBranch.layers.add(name="in")
    weights = inner.innerProduct.weights
    weights.rawValue, weights.quantization.numberOfBits = bytes(6), 4
    inner.innerProduct.bias.float16Value = bytes(4)
    own = layer.branch.elseBranch.layers.add(name="own")
    own.custom.className = "MyLayer"
    own.custom.weights.add().floatValue.extend([1.0])
    found = record(spec, tmp_path)
    assert found.details["operations"] == "branch 1, custom 1, innerProduct 1"
    assert found.details["weights"] == "12 in 4 bits, 2 in fp16, 1 in fp32"
    assert found.details["code of the app"] == "MyLayer"
    assert found.details["updatable"] == "on a device"
    assert found.precision == "fp16"


def test_the_parts_of_a_pipeline(tmp_path: Path) -> None:
    spec = coreml.model("pipelineClassifier")
    pipeline = spec.pipelineClassifier.pipeline
    pipeline.names.append("first")
    for kind in ("scaler", "glmClassifier"):
        pipeline.models.add().CopyFrom(coreml.model(kind))
    inner = pipeline.models.add()
    inner.CopyFrom(coreml.model("pipeline"))
    inner.pipeline.models.add().CopyFrom(coreml.model("neuralNetwork"))
    found = record(spec, tmp_path)
    assert found.details["parts"] == ("first (scaler), model 1 (glmClassifier), model 2 (pipeline)")
    assert found.title == "Core ML (pipelineClassifier)"
    assert [one.type for one in of(spec).all()][-1] == "neuralNetwork"


@pytest.mark.parametrize(("version", "name"), [(1, "iOS11"), (6, "iOS15"), (10, "iOS26"),
                                               (99, "specification 99")])  # fmt: skip
def test_every_version_has_its_first_system(version: int, name: str, tmp_path: Path) -> None:
    spec = coreml.model("scaler")
    spec.specificationVersion = version
    assert record(spec, tmp_path).details["deployment"] == name == system_of(version)


def test_ports_that_are_no_arrays(tmp_path: Path) -> None:
    spec = coreml.model("identity")
    for kind in ("int64Type", "doubleType", "stringType", "dictionaryType", "sequenceType"):
        port = spec.description.input.add(name=kind)
        getattr(port.type, kind).SetInParent()
    ports = {one.name: (one.kind, one.dtype, one.shape) for one in record(spec, tmp_path).inputs}
    assert ports == {
        "x": ("tensor", "float32", (3,)),
        "int64Type": ("string", "int64", ()),
        "doubleType": ("tensor", "double", ()),
        "stringType": ("string", "string", ()),
        "dictionaryType": ("dictionary", "dictionary", ()),
        "sequenceType": ("tensor", "sequence", ()),
    }


# ------------------------------------------------------------------------------------- compiled
def test_a_compiled_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "net.mlmodelc"
    with_notes, without = coreml.compiled()
    lay(with_notes, path)
    assert is_artifact(path)
    assert cli.main(["inspect", str(path)]) == 0
    shown = capsys.readouterr().out
    for line in (
        "Core ML fp16, ",
        "cannot be run here: a compiled model",
        "takes x Image (Grayscale 8 × 8) scalar",
        "Ios16.conv 3",
    ):
        assert line in shown
    assert "weight.bin 128 bytes" in open_artifact(path).record.details["weights"]
    lay(without, path)
    assert "Core ML (compiled model)" in open_artifact(path).record.title
    for notes in (b"3", b"[", b"[[]]", b"\xff"):
        (path / "metadata.json").write_bytes(notes)
        with pytest.raises(ProgramError):
            assert open_artifact(path).record
    (path / "metadata.json").write_bytes(
        json.dumps([{"modelType": 3, "inputSchema": [3]}]).encode()
    )
    assert open_artifact(path).record.title == "Core ML (3)"
