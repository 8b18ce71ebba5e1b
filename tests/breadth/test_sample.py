"""A sample of the table: networks that need no library, each in another form; and the table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from lading import cli
from tests.breadth import document, forms, make, suite
from tests.breadth.cases import Case, cases

#: Small ones, by name; each of another file form and another difficulty.
SAMPLE = {
    "torch InnerModel": "legacy pickle",
    "torch Tied": "safetensors",
    "torch SameName": "DataParallel",
    "torch Arithmetic": "compiled",
    "torch Metric": "averaged",
    "torch Put": "whole module",
    "torch LayerScale": "half precision",
    "torch Experts": "sharded safetensors",
    "torch Autoencoder": "torch.export",
    "torch PointNet": "trainer's dict",
}


@pytest.mark.parametrize("name", SAMPLE)
def test_it_is_carried_as_it_was_saved(name: str, tmp_path: Path) -> None:
    known = next(one for one in cases() if one.name == name)
    case = Case(name, known.library, known.code, known.inputs, SAMPLE[name], known.arguments)
    path = forms.FORMS[case.form](make.network(case), tmp_path, make.examples(case))
    out = tmp_path / "out"
    status = cli.main([*suite.command(case, path, out), "--to", "onnx", "--quiet"])
    bill = json.loads((out / "lading.json").read_text())
    assert (status, bill["verdict"]) == (0, "pass"), [c["reason"] for c in bill["comparisons"]]
    assert bill["ledger_summary"]["unexplained"] == 0


def test_the_table_is_as_wide_as_it_says() -> None:
    known = cases()
    assert len({one.name for one in known}) == len(known) >= 100
    assert len({one.library for one in known}) >= 8
    assert len({one.form for one in known} | set(SAMPLE.values())) >= 10
    assert {one.form for one in known} == set(forms.FORMS)


def test_a_miss_says_whose_it_is() -> None:
    signed = {"route": "export", "signed": True, "why": ""}
    lost = {"route": "trace", "signed": False, "why": "too far"}
    base = {"name": "n", "library": "l", "form": "f", "made": True}
    refusal = {"title": "ONNX", "reasons": ["no such operation"]}
    rows = [
        {**base, "formats": {"coreml": signed, "onnx": signed}},
        {**base, "formats": {"coreml": lost, "onnx": signed}},
        {**base, "formats": {"coreml": signed}, "refused": [refusal]},
        {**base, "said": "lading: net.pth\n  found     nothing\n"},
        {**base, "traceback": True},
    ]
    faults = [document.fault(row) for row in rows]
    assert faults == ["", "verdict", "conversion", "refused", "traceback"]
    assert document.why(rows[2]) == "conversion: ONNX: no such operation"
    assert document.why(rows[3]) == "refused: lading: net.pth found     nothing"
    page = document.text(rows, 9)
    assert "5 of 9 networks of 1 libraries in 1 file forms were run: **1 signed in both" in page
    assert page.count("\n| n |") == 5


def test_norms_have_seen_data() -> None:
    """Else what a deep narrow network gives does not depend on what it is fed."""
    torch.manual_seed(0)
    layers = [
        nn.Sequential(nn.Conv2d(8, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU6())
        for _ in range(20)
    ]
    fresh = forms.alive(nn.Sequential(nn.Conv2d(3, 8, 1), *layers))
    x = torch.randn(2, 3, 16, 16)

    def moves() -> float:
        with torch.no_grad():
            first, second = fresh(x)
        return float((first - second).std() / first.std())

    blind = moves()
    forms.trained(fresh, (x[:1],), {})
    assert blind < 0.05 < 0.3 < moves()
