"""Every row of a table: counts against numpy's own, judgements, interruption without a trace."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lading.errors import InputError
from lading.formats import Runtime
from lading.interface import Interface, Options, wrap
from lading.interface.original import TorchSide
from lading.interface.side import Array
from lading.network.families.keyboard_layout import alphabet
from lading.proof.table import dataset
from lading.proof.table.dataset import Keep, Opened, compare
from lading.record import ArtifactRecord, Comparison, DatasetRecord, Port, Task

TASK = alphabet.task(20)


class Toy(nn.Module):
    """Nine scores of a text: a bag of its characters."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.embedding = nn.Embedding(189, 9)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.embedding(ids).sum(dim=1)


STANDIN = Runtime("stand-in", "a stand-in")


class Altered:
    """The original with `change` applied to its scores."""

    def __init__(self, interface: Interface, change: Any, batches: bool = True) -> None:
        self.original, self.change, self.sizes = TorchSide(interface), change, list[int]()
        self.batches = batches

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        (ids,) = inputs.values()
        self.sizes.append(len(ids))
        return {"classLogits": self.change(self.original.run(inputs)["classLogits"])}


def interface() -> Interface:
    return wrap(Toy().eval(), TASK, Options())


def rows(count: int, seed: int = 0) -> list[tuple[str, str]]:
    chance = np.random.default_rng(seed)
    letters = list(alphabet.CHARACTERS.replace('"', "").replace(",", ""))
    return [
        ("".join(chance.choice(letters, chance.integers(1, 25))), str(chance.choice(TASK.labels)))
        for _ in range(count)
    ]


def written(folder: Path, many: Sequence[tuple[str, str]]) -> Path:
    path = folder / "set.csv"
    lines = ["text,label", *(f'"{text}",{label}' for text, label in many)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def artifact(precision: str = "fp32", output: Port | None = None) -> ArtifactRecord:
    ports = (TASK.inputs[0],), (output or TASK.outputs[0],)
    return ArtifactRecord("onnx", "a.onnx", 1, "0" * 64, precision, *ports, "export")


def judged(
    path: Path, change: Any, precision: str = "fp32", **settings: Any
) -> tuple[Comparison, DatasetRecord]:
    original = interface()
    sides = [Opened(STANDIN, Altered(original, change), batched=True)]
    (both,) = compare(path, artifact(precision), sides, original, **settings)
    return both


def largest(comparison: Comparison) -> float:
    return next(one.value for one in comparison.measurements if one.kind == "max_abs")


def softmax(scores: Array) -> Array:
    powers = np.exp(scores.astype(np.float64))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def test_the_counts_are_numpy_s(tmp_path: Path) -> None:
    """Against the whole set at once, computed here."""
    many = rows(301)
    noise = np.random.default_rng(1).normal(0, 1.0, (301, 9)).astype(np.float32)
    seen = [0]

    def noisy(scores: Array) -> Array:
        seen[0] += len(scores)
        return scores + noise[seen[0] - len(scores) : seen[0]]

    comparison, record = judged(written(tmp_path, many), noisy, batch=64)
    ids = torch.tensor([alphabet.encode(text) for text, _ in many])
    with torch.inference_mode():
        wanted = Toy().eval()(ids).numpy()
    truth = np.array([TASK.labels.index(label) for _, label in many])
    p, q = softmax(wanted), softmax(wanted + noise)
    apart = np.abs(p - q).max(axis=1)
    assert record.samples == comparison.probes == 301
    assert record.right_original == (p.argmax(1) == truth).sum()
    assert record.right_artifact == (q.argmax(1) == truth).sum()
    assert record.changed == (p.argmax(1) != q.argmax(1)).sum() > 20
    assert largest(comparison) == pytest.approx(apart.max(), abs=1e-6)
    worst = comparison.measurements[0].probe
    assert worst.startswith(f"row {apart.argmax() + 1}: {many[apart.argmax()][0]}")
    table = np.zeros((9, 9), int)
    np.add.at(table, (truth, q.argmax(1)), 1)
    got = np.zeros((9, 9), int)
    for label, said, count in record.confusion:
        got[label, said] = count
    np.testing.assert_array_equal(got, table)
    assert sum(n for *_, n in record.confusion_original) == 301
    bins, _ = np.histogram(apart, [0.0, *record.edges])
    np.testing.assert_array_equal(record.errors[:-1], bins)
    margins = np.sort(p, axis=1)
    margins = margins[:, -1] - margins[:, -2]
    differs = np.flatnonzero(p.argmax(1) != q.argmax(1))
    assert record.examples[0].margin == pytest.approx(margins[differs].max(), abs=1e-6)
    assert record.examples[0].row == differs[margins[differs].argmax()] + 1
    assert comparison.verdict == "fail"
    assert comparison.data == record.data == "set.csv"


def test_rounding_passes_and_is_reported(tmp_path: Path) -> None:
    path = written(tmp_path, rows(300))
    comparison, record = judged(path, lambda scores: scores * np.float32(1 + 2**-20))
    assert comparison.verdict == "pass", comparison.reason
    assert 0 < largest(comparison) < 1e-5
    assert record.right_original == record.right_artifact
    assert (record.changed, record.examples, record.notes) == (0, (), ())


@pytest.mark.parametrize(("precision", "verdict"), [("fp32", "fail"), ("fp16", "pass")])
def test_the_gate_follows_the_precision(tmp_path: Path, precision: str, verdict: str) -> None:
    path = written(tmp_path, rows(50))
    comparison, record = judged(path, lambda scores: scores * np.float32(1.01), precision)
    assert 1e-3 < largest(comparison) < 1e-2
    assert comparison.verdict == verdict
    assert record.gate == {"fp32": 1e-3, "fp16": 1e-2}[precision]


def test_one_sample_far_off_fails_and_is_named(tmp_path: Path) -> None:
    many = rows(200)
    many[137] = ("needle", "en")
    target = np.array(alphabet.encode("needle"))
    original = interface()

    class OneWrong(Altered):
        def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
            scores = super().run(inputs)["classLogits"]
            (ids,) = inputs.values()
            scores[(ids == target).all(axis=1)] += np.eye(9, dtype=np.float32)[0] * 30
            return {"classLogits": scores}

    sides = [Opened(STANDIN, OneWrong(original, lambda s: s), batched=True)]
    ((comparison, _),) = compare(written(tmp_path, many), artifact(), sides, original)
    assert comparison.verdict == "fail"
    assert "row 138: needle" in comparison.reason


def test_two_classes_swapped_change_beyond_the_error_or_not_at_all(tmp_path: Path) -> None:
    """A swap of classes is an error as large as the margin; the accuracy tells it too."""
    many = [(text, "ru") for text, _ in rows(100)]
    comparison, record = judged(written(tmp_path, many), lambda s: s[:, [1, 0, *range(2, 9)]])
    assert comparison.verdict == "fail"
    assert record.changed > 0
    assert "accuracy apart" in comparison.reason


def test_an_artifact_that_gives_nothing_but_classes(tmp_path: Path) -> None:
    path = written(tmp_path, rows(80))
    labels = Port("labels", "tensor", "int32", (1,), meaning="labels")
    original = interface()

    class Labels(Altered):
        def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
            return {"labels": self.change(super().run(inputs)["classLogits"].argmax(axis=1))}

    for change, verdict in ((lambda s: s, "pass"), (lambda s: (s + 1) % 9, "fail")):
        class_only = Labels(original, lambda s: s)
        run = class_only.run
        class_only.run = lambda i, r=run, c=change: {"labels": c(r(i)["labels"])}  # type: ignore[method-assign]
        sides = [Opened(STANDIN, class_only, batched=True)]
        ((comparison, record),) = compare(path, artifact(output=labels), sides, original)
        assert comparison.verdict == verdict, comparison.reason
        assert sum(record.errors) == 0
        assert "max_abs" not in {one.kind for one in comparison.measurements}


def test_what_is_not_a_number_fails(tmp_path: Path) -> None:
    def broken(scores: Array) -> Array:
        scores[:, 4] = np.where(np.arange(len(scores)) % 50 == 7, np.nan, scores[:, 4])
        return scores

    comparison, record = judged(written(tmp_path, rows(100)), broken)
    assert comparison.verdict == "fail"
    assert math.isnan(largest(comparison))
    assert record.errors[-1] == 2
    assert {one.artifact for one in record.examples} >= {"no class"}


def test_a_side_with_a_fixed_batch_gets_one_at_a_time(tmp_path: Path) -> None:
    original = interface()
    alone, together = (Altered(original, lambda s: s) for _ in range(2))
    path = written(tmp_path, rows(10))
    sides = [Opened(STANDIN, alone, False)]
    compare(path, artifact(), sides, original, batch=4)
    compare(path, artifact(), [Opened(STANDIN, together, True)], original, batch=4)
    assert alone.sizes == [1] * 10
    assert together.sizes == [4, 4, 2]


def test_an_original_that_mixes_its_batch_runs_alone(tmp_path: Path) -> None:
    class Mixing(Toy):
        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            scores: torch.Tensor = super().forward(ids)
            return scores - scores.mean(dim=0, keepdim=True)

    original = wrap(Mixing().eval(), TASK, Options())
    sides = [Opened(STANDIN, Altered(original, lambda s: s), batched=False)]
    ((comparison, record),) = compare(written(tmp_path, rows(5)), artifact(), sides, original)
    assert comparison.verdict == "pass"
    assert record.notes == ("the original ran one sample at a time",)


def test_texts_of_unknown_characters_are_compared_and_counted(tmp_path: Path) -> None:
    path = written(tmp_path, [("漢字", "ru"), ("", "en"), ("a", "en")])
    _, record = judged(path, lambda s: s)
    assert record.samples == 3
    assert record.notes == ("2 texts hold no character that the network knows",)


def test_a_table_without_rows_is_no_pass(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        judged(written(tmp_path, []), lambda s: s)
    assert refused.value.found == "no row below the first line"


# ------------------------------------------------------------------------------------ interruption
class Stopped(BaseException):
    """As Ctrl-C: no `Exception`."""


@pytest.mark.parametrize("stops", [[1], [3], [2, 5], [1, 1, 1, 1]])
def test_an_interrupted_comparison_ends_as_an_uninterrupted_one(
    tmp_path: Path, stops: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset, "SAVED_EVERY", 0.0)
    path = written(tmp_path, rows(500))
    chance = np.random.default_rng(2).normal(0, 0.7, 9).astype(np.float32)

    def shifted(scores: Array) -> Array:
        return scores + chance * np.abs(scores[:, :1])

    whole = judged(path, shifted, batch=64)
    keep = Keep(tmp_path / "state.json", {"artifact": "0"})
    started = []
    for stop in stops:
        calls = [0]

        def stopping(scores: Array, calls: list[int] = calls, stop: int = stop) -> Array:
            calls[0] += 1
            if calls[0] > stop:
                raise Stopped
            return shifted(scores)

        def advance(done: int, whole: int, samples: int) -> None:
            started.append(samples)

        with pytest.raises(Stopped):
            judged(path, stopping, keep=keep, advance=advance, batch=64)
        assert keep.path.exists()
    assert started == [64 * n for n in range(1, sum(stops) + 1)]  # no row was run twice
    assert judged(path, shifted, keep=keep, batch=64) == whole
    assert not keep.path.exists()


@pytest.mark.parametrize("what", ["another artifact", "other rows", "a damaged state", "batch"])
def test_a_state_of_something_else_is_not_gone_on_with(tmp_path: Path, what: str) -> None:
    path = written(tmp_path, rows(200))
    keep = Keep(tmp_path / "state.json", {"artifact": "0"})
    calls = [0]

    def stopping(scores: Array) -> Array:
        calls[0] += 1
        if calls[0] > 2:
            raise Stopped
        return scores + 1000 * np.eye(9, dtype=np.float32)[0]

    with pytest.raises(Stopped):
        judged(path, stopping, keep=keep, batch=64)
    size = 64
    if what == "another artifact":
        keep = Keep(keep.path, {"artifact": "1"})
    elif what == "other rows":
        path = written(tmp_path, rows(200, seed=9))
    elif what == "batch":
        size = 32
    else:
        keep.path.write_text(keep.path.read_text()[:-20])
    comparison, record = judged(path, lambda s: s, keep=keep, batch=size)
    assert comparison.verdict == "pass"
    assert record.samples == 200
    assert record.changed == 0


def test_a_bad_row_after_good_ones_keeps_what_was_counted(tmp_path: Path) -> None:
    many = rows(200)
    path = written(tmp_path, [*many[:150], ("x", "nonsense"), *many[151:]])
    keep = Keep(tmp_path / "state.json", {})
    with pytest.raises(InputError) as refused:
        judged(path, lambda s: s, keep=keep, batch=64)
    assert refused.value.subject.endswith("set.csv, line 152")
    seen: list[int] = []
    mended = written(tmp_path, [*many[:150], ("x", "en"), *many[151:]])
    _, record = judged(
        mended, lambda s: s, keep=keep, batch=64, advance=lambda *n: seen.append(n[2])
    )
    assert seen == [192, 200]
    assert record == judged(mended, lambda s: s, batch=64)[1]


# ---------------------------------------------------------------------------------------- pictures
def test_pictures_by_path_for_networks_that_take_no_text(tmp_path: Path) -> None:
    port = Port("image", "tensor", "float32", (1, 1, 4, 4), value_range=(0.0, 1.0))
    scores = Port("scores", "tensor", "float32", (1, 2), meaning="logits", class_axis=1)
    task = Task("classification", (port,), (scores,), ("dark", "light"), "softmax")
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 2)).eval()
    original = wrap(network, task, Options())
    values = np.random.default_rng(0).random((3, 1, 4, 4)).astype(np.float32)
    np.save(tmp_path / "a.npy", values[0:1])
    np.save(tmp_path / "b.npy", values[1])
    path = tmp_path / "set.csv"
    path.write_text("path,label\na.npy,dark\nb.npy,light\n")
    record = ArtifactRecord("onnx", "a", 1, "", "fp32", (port,), (scores,), "export")
    fed: list[Array] = []

    class Noting:
        def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
            fed.append(inputs["image"])
            return TorchSide(original).run(inputs)

    ((comparison, _),) = compare(path, record, [Opened(STANDIN, Noting(), True)], original)
    assert comparison.verdict == "pass"
    np.testing.assert_array_equal(fed[0], values[:2])
    path.write_text("path,label\na.npy,dark\nnone.npy,light\n")
    with pytest.raises(InputError) as refused:
        compare(path, record, [Opened(STANDIN, Noting(), True)], original)
    assert refused.value.subject.startswith("line 3: ")
