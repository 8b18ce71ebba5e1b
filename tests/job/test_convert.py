"""A conversion, end to end on a small network: what passes, what must not, what is left behind."""

from __future__ import annotations

import hashlib
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import onnx
import pytest
import torch

from lading.checkpoint import ledger
from lading.conversion import capture as capture_module
from lading.conversion import graphs
from lading.errors import CaptureError, ConflictError, LedgerError, RequestError
from lading.interface import Interface, Options, wrap
from lading.job.bill import dumps
from lading.job.convert import convert
from lading.job.request import Convert, Verify
from lading.job.verify import verify
from lading.network.source import Source, load
from lading.proof import compare, probes, verdict
from lading.proof.original import Original
from lading.record import Bill, Comparison, from_json, schema
from tests.standin import Changed, Fake


def tree(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


@pytest.fixture(scope="module")
def voyage(small_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Bill, Path]:
    out = tmp_path_factory.mktemp("voyage") / "out"
    return convert(Convert(small_checkpoint, out)), out


def test_both_artifacts_are_written_and_equal(voyage: tuple[Bill, Path]) -> None:
    bill, out = voyage
    assert bill.verdict == "pass"
    assert sorted(p.name for p in out.iterdir()) == [
        "Dataset001_CAMUS.mlpackage",
        "Dataset001_CAMUS.onnx",
        "golden",
        "lading.json",
        "lading.record.schema.json",
        "report.html",
    ]
    ran = {(c.artifact, c.runtime): c.verdict for c in bill.comparisons}
    assert ran["Dataset001_CAMUS.mlpackage", "mil"] == "pass"
    assert ran["Dataset001_CAMUS.onnx", "onnxruntime"] == "pass"
    if sys.platform != "darwin":
        assert ran["Dataset001_CAMUS.mlpackage", "coreml"] == "not run"


def test_the_bill_holds_to_its_schema_and_reads_back(voyage: tuple[Bill, Path]) -> None:
    bill, out = voyage
    written = json.loads((out / "lading.json").read_text())
    assert json.loads((out / "lading.record.schema.json").read_text()) == schema.of_bill()
    jsonschema.validate(written, schema.of_bill())
    assert from_json(Bill, written) == from_json(Bill, json.loads(dumps(bill)))
    del written["verdict"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(written, schema.of_bill())


def test_every_name_of_the_file_is_in_the_ledger(
    voyage: tuple[Bill, Path], small_network: Any
) -> None:
    bill, _ = voyage
    names = set(small_network.state_dict())
    assert {line.name for line in bill.ledger} == names
    summary = bill.ledger_summary
    assert summary.names == len(names)
    assert summary.tensors == len({t.data_ptr() for t in small_network.state_dict().values()})
    assert summary.loaded + summary.aliases + summary.unused == summary.names
    assert summary.unexplained == 0
    unused = [line for line in bill.ledger if line.fate == "unused"]
    assert {line.name for line in unused} == {
        "decoder.seg_layers.0.weight",
        "decoder.seg_layers.0.bias",
    }
    assert all("deep" in line.reason for line in unused)


def test_the_reference_is_the_genuine_network(
    voyage: tuple[Bill, Path], small_network: Any
) -> None:
    """Not our rebuild: nnU-Net's own class, on its own weights, against the file on disk."""
    from lading.coreml import mil

    _, out = voyage
    x = torch.randn(1, 1, 32, 32, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        expected = small_network(x)[0].numpy()
    got = mil.load(out / "Dataset001_CAMUS.mlpackage").predict({"image": x.numpy()})["logits"]
    noise = float(np.sqrt(np.mean((expected - got) ** 2)))
    assert 20 * math.log10(float(np.abs(expected).max()) / noise) > 50  # fp16: see verdict.GATES


def test_two_voyages_give_the_same_bytes(
    voyage: tuple[Bill, Path], small_checkpoint: Path, tmp_path: Path
) -> None:
    """In another process, where addresses, hash seeds and temporary names differ."""
    _, out = voyage
    again = tmp_path / "out"
    code = (
        "import sys; from pathlib import Path; from lading.job.convert import convert;"
        "from lading.job.request import Convert, Verify;"
        "convert(Convert(Path(sys.argv[1]), Path(sys.argv[2])))"
    )
    subprocess.run([sys.executable, "-c", code, str(small_checkpoint), str(again)], check=True)
    first, second = tree(out), tree(again)
    for told in ("lading.json", "report.html"):  # both name the folder that was asked for
        mine = (out / told).read_text().replace(str(out), "OUT")
        assert mine == (again / told).read_text().replace(str(again), "OUT")
        del first[told], second[told]
    assert first == second


def test_files_name_no_path_of_this_computer(voyage: tuple[Bill, Path]) -> None:
    _, out = voyage
    for path in out.rglob("*"):
        if path.is_file() and path.name not in ("lading.json", "report.html"):
            data = path.read_bytes()
            for word in (str(Path.cwd()), sys.prefix, str(Path.home()) + "/", "site-packages"):
                assert word.encode() not in data, (path, word)


def test_verify_agrees_with_convert(voyage: tuple[Bill, Path], small_checkpoint: Path) -> None:
    bill, out = voyage
    again = verify(Verify(out / "Dataset001_CAMUS.mlpackage", small_checkpoint))
    assert again.verdict == "pass"
    (mine,) = [c for c in again.comparisons if c.runtime == "mil"]
    (theirs,) = [c for c in bill.comparisons if c.runtime == "mil"]
    assert mine.measurements == theirs.measurements


def test_verify_tells_another_checkpoint(
    voyage: tuple[Bill, Path], altered: Callable[[Callable[[Any], None]], Path]
) -> None:
    def nudge(contents: Any) -> None:
        # Not a convolution before a norm: the norm would divide the factor out again.
        contents["network_weights"]["decoder.transpconvs.0.weight"].mul_(1.02)

    _, out = voyage
    other = altered(nudge)
    bill = verify(Verify(out / "Dataset001_CAMUS.onnx", other))
    assert bill.verdict == "fail"
    assert "made from another file" in bill.notices[0]


def test_verify_refuses_an_artifact_of_other_ports(
    voyage: tuple[Bill, Path], small_checkpoint: Path, tmp_path: Path
) -> None:
    _, out = voyage
    model = onnx.load(str(out / "Dataset001_CAMUS.onnx"))
    model.graph.input[0].type.tensor_type.shape.dim[3].dim_value = 64
    onnx.save(model, str(tmp_path / "wide.onnx"))
    with pytest.raises(RequestError) as caught:
        verify(Verify(tmp_path / "wide.onnx", small_checkpoint))
    assert caught.value.found == "image float32 1×1×32×64"
    assert caught.value.expected == "image float32 1×1×32×32"


# -------------------------------------------------------------------------- what must not pass
def sabotage(monkeypatch: pytest.MonkeyPatch, change: Callable[[Any], None]) -> None:
    """Changes the module between the reference and the capture, as a wrong converter would."""
    genuine = capture_module.capture

    def wrong(interface: Any, *arguments: Any) -> Any:
        import copy

        module = copy.deepcopy(interface.module)
        with torch.no_grad():
            change(module.network)
        return genuine(replace(interface, module=module), *arguments)

    monkeypatch.setattr(graphs, "capture", wrong)


def drop_norms(network: Any) -> None:
    for name, module in list(network.named_modules()):
        if name.endswith(".norm"):
            module.weight.fill_(1.0)
            module.bias.zero_()


def wrong_eps(network: Any) -> None:
    for module in network.modules():
        if hasattr(module, "eps"):
            module.eps = 1e-2


def swap_head(network: Any) -> None:
    for name, tensor in network.named_parameters():
        if "seg_layers" in name:
            tensor.copy_(tensor.flip(0))


def cut_decoder(network: Any) -> None:
    for name, tensor in network.named_parameters():
        if name.startswith("decoder.stages"):
            tensor.mul_(0.5)


def wrong_slope(network: Any) -> None:
    for module in network.modules():
        if hasattr(module, "negative_slope"):
            module.negative_slope = 0.1


@pytest.mark.parametrize("change", [drop_norms, wrong_eps, swap_head, cut_decoder, wrong_slope])
def test_a_wrong_conversion_fails_and_is_set_apart(
    change: Callable[[Any], None],
    small_checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sabotage(monkeypatch, change)
    out = tmp_path / "out"
    bill = convert(Convert(small_checkpoint, out, route="export"))
    assert bill.verdict == "fail"
    assert sorted(p.name for p in out.iterdir()) == [
        "golden",
        "lading.json",
        "lading.record.schema.json",
        "rejected",
        "report.html",
    ]
    assert sorted(p.name for p in (out / "rejected").iterdir()) == [
        "Dataset001_CAMUS.mlpackage",
        "Dataset001_CAMUS.onnx",
    ]
    failed = [c for c in bill.comparisons if c.verdict == "fail"]
    assert {c.runtime for c in failed} == {"mil", "onnxruntime"}
    assert all("misses its gate" in c.reason for c in failed)


def test_trace_is_the_second_opinion(
    small_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = capture_module.capture

    def refusing(interface: Any, route: str, *rest: Any) -> Any:
        if route == "export":
            raise CaptureError("x", found="GuardOnDataDependentSymNode", expected="", remedy="")
        return genuine(interface, "trace", *rest)

    monkeypatch.setattr(graphs, "capture", refusing)
    bill = convert(Convert(small_checkpoint, tmp_path / "out", to=("onnx",)))
    assert bill.verdict == "pass"
    assert bill.capture is not None
    assert bill.capture.route == "trace"
    assert bill.capture.attempts == ("onnx by export: GuardOnDataDependentSymNode",)


@pytest.mark.parametrize("route", ["export", "trace"])
def test_a_forced_route_is_said_to_be_forced(
    route: Any, small_checkpoint: Path, tmp_path: Path
) -> None:
    bill = convert(Convert(small_checkpoint, tmp_path / "out", to=("onnx",), route=route))
    assert bill.capture is not None
    assert (bill.capture.route, bill.capture.attempts) == (route, ())
    assert bill.capture.reason == f"asked for with --route {route}"


def test_trace_is_asked_when_the_exports_result_is_wrong(
    small_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = capture_module.capture

    def half_wrong(interface: Any, route: Any, *rest: Any) -> Any:
        if route == "trace":
            return genuine(interface, route, *rest)
        sabotage_module = torch.nn.Sequential(interface.module, torch.nn.Softsign()).eval()
        return genuine(replace(interface, module=sabotage_module), route, *rest)

    monkeypatch.setattr(graphs, "capture", half_wrong)
    bill = convert(Convert(small_checkpoint, tmp_path / "out", to=("coreml",)))
    assert bill.verdict == "pass"
    assert bill.artifacts[0].route == "trace"
    assert bill.capture is not None
    assert "misses its gate" in bill.capture.attempts[0]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "Dataset001_CAMUS.mlpackage",
        "golden",
        "lading.json",
        "lading.record.schema.json",
        "report.html",
    ]


# ------------------------------------------------------------------------- the published mistake
def encoder_convolutions_only(name: str) -> bool:
    return name.startswith("encoder.") and ".conv." in name


def test_the_published_mistake_is_refused_by_the_ledger(
    altered: Callable[[Callable[[Any], None]], Path],
) -> None:
    """A rebuild that takes the encoder's convolutions and leaves norms and decoder behind."""

    def strip(contents: Any) -> None:
        weights = contents["network_weights"]
        for name in list(weights):
            if not encoder_convolutions_only(name):
                del weights[name]

    with pytest.raises(Exception, match="signs of nnU-Net v2") as caught:
        load(Source(altered(strip)))
    assert "missing" in str(caught.value)


def test_the_published_mistake_is_refused_from_the_other_side(small_checkpoint: Path) -> None:
    """The file is whole; the rebuilt module has no place for norms and decoder."""
    from lading import checkpoint as checkpoints

    class Mistake(torch.nn.Module):
        def __init__(self, kept: dict[str, torch.Tensor]) -> None:
            super().__init__()
            for name, tensor in kept.items():
                owner: torch.nn.Module = self
                *path, leaf = name.split(".")
                for part in path:
                    if part not in owner._modules:
                        owner.add_module(part, torch.nn.Module())
                    owner = owner._modules[part]  # type: ignore[assignment]
                owner.register_parameter(leaf, torch.nn.Parameter(torch.zeros_like(tensor)))

    whole = checkpoints.read(small_checkpoint)
    kept = {n: t for n, t in whole.tensors.items() if encoder_convolutions_only(n)}
    with pytest.raises(LedgerError) as caught:
        ledger.close(Mistake(kept), whole, {})
    lost = len(
        {t.data_ptr() for t in whole.tensors.values()} - {t.data_ptr() for t in kept.values()}
    )
    assert f"{lost} of " in caught.value.found


def test_with_the_ledger_off_the_comparison_and_the_coin_toss_catch_it(
    small_checkpoint: Path, small_network: Any, tmp_path: Path
) -> None:
    """The rebuild with a decoder that was never loaded, compared with the true network, and the
    export of that rebuild compared with itself: the first fails by numbers, the second by its own
    output.
    """
    loaded = load(Source(small_checkpoint))
    true = wrap(loaded.network, loaded.task, Options())
    drawn = probes.make(true)

    mistaken = load(Source(small_checkpoint))
    torch.manual_seed(1)
    with torch.no_grad():
        for name, tensor in mistaken.network.named_parameters():
            if not encoder_convolutions_only(name):
                if tensor.ndim == 1:
                    tensor.fill_(1.0 if name.endswith("norm.weight") else 0.0)
                else:  # an untrained layer's weights are small
                    tensor.copy_(0.01 * torch.randn_like(tensor))
    wrong = wrap(mistaken.network, mistaken.task, Options())
    artifact = Fake(wrong, Changed(wrong))

    def judged(reference: Interface) -> Comparison:
        original = Original(reference, drawn)
        (comparison,) = compare.every_runtime(original, artifact, artifact.record, lambda *_: None)
        return comparison

    against_truth = judged(true)
    assert against_truth.verdict == "fail"
    assert "psnr" in against_truth.reason

    with_itself = judged(wrong)
    assert all(one.passed for one in with_itself.measurements)  # "perfect match 0.000000"
    assert with_itself.verdict == "fail"
    assert {finding.name for finding in with_itself.findings} == {"near-uniform"}
    assert verdict.overall([with_itself]) == "fail"


# ------------------------------------------------------------------------------- bad checkpoints
def rename_one(contents: Any) -> None:
    weights = contents["network_weights"]
    del weights["decoder.transpconvs.0.weight"]


def one_extra(contents: Any) -> None:
    contents["network_weights"]["encoder.extra.weight"] = torch.zeros(3)


def other_shape(contents: Any) -> None:
    contents["network_weights"]["decoder.transpconvs.1.bias"] = torch.zeros(5)


def not_a_number(contents: Any) -> None:
    contents["network_weights"]["decoder.transpconvs.1.bias"][2] = float("nan")


def plans_disagree(contents: Any) -> None:
    plans = contents["init_args"]["plans"]["configurations"]["2d"]
    plans["architecture"]["arch_kwargs"]["features_per_stage"] = [8, 16, 64]


@pytest.mark.parametrize(
    ("change", "kind", "word"),
    [
        (rename_one, Exception, "transpconvs.0"),
        (one_extra, LedgerError, "encoder.extra.weight"),
        (other_shape, LedgerError, "decoder.transpconvs.1.bias"),
        (not_a_number, LedgerError, "decoder.transpconvs.1.bias"),
        (plans_disagree, ConflictError, "features_per_stage"),
    ],
)
def test_a_bad_checkpoint_is_named_and_nothing_is_written(
    change: Callable[[Any], None],
    kind: type[Exception],
    word: str,
    altered: Callable[[Callable[[Any], None]], Path],
    tmp_path: Path,
) -> None:
    with pytest.raises(kind) as caught:
        convert(Convert(altered(change), tmp_path / "out"))
    assert word in str(caught.value)
    assert getattr(caught.value, "exit_status", None) == 2
    assert not (tmp_path / "out").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["altered.pth"]


# ---------------------------------------------------------------------------------------- options
def test_precision_and_metadata_are_as_asked(small_checkpoint: Path, tmp_path: Path) -> None:
    asked = Convert(
        small_checkpoint, tmp_path / "out", to=("coreml",), precision="fp32", author="A",
        license="CC0", description="D",
    )  # fmt: skip
    bill = convert(asked)
    (artifact,) = bill.artifacts
    assert artifact.precision == "fp32"
    (ran,) = [c for c in bill.comparisons if c.verdict == "pass"]
    (psnr,) = [m for m in ran.measurements if m.kind == "psnr" and m.steady]
    assert psnr.gate is not None
    assert psnr.gate >= 60.0
    assert psnr.value >= 100.0


def test_the_users_pictures_are_probes(small_checkpoint: Path, tmp_path: Path) -> None:
    from PIL import Image

    picture = tmp_path / "echo.png"
    pixels = np.random.default_rng(0).integers(0, 255, (40, 50), dtype=np.uint8)
    Image.fromarray(pixels).save(picture)
    bill = convert(Convert(small_checkpoint, tmp_path / "out", to=("onnx",), data=picture))
    assert [p.name for p in bill.probes if p.kind == "data"] == ["echo.png"]


@pytest.mark.parametrize("delay", [0.3, 1.5, 3.0, 4.5, 6.0, 7.5])
def test_killed_at_any_moment_no_half_artifact_is_left(
    delay: float, small_checkpoint: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    code = (
        "import sys; from pathlib import Path; from lading.job.convert import convert;"
        "from lading.job.request import Convert, Verify;"
        "convert(Convert(Path(sys.argv[1]), Path(sys.argv[2])))"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(small_checkpoint), str(out)])
    time.sleep(delay)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    if out.exists():  # then it is whole
        bill = from_json(Bill, json.loads((out / "lading.json").read_text()))
        assert all((out / artifact.path).exists() for artifact in bill.artifacts)
