"""The family against networks written apart from it: recognition, rebuild to the bit, refusals."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from lading import checkpoint as checkpoints
from lading.checkpoint import Checkpoint, ledger
from lading.errors import LedgerError, RecognitionError, RequestError
from lading.network.families import Rebuilt, recognise
from lading.network.families.keyboard_layout import FAMILY, alphabet, network
from lading.record import CheckpointRecord

author = importlib.import_module("recipes.keyboard_layout.network")

RECORD = CheckpointRecord("weights.pth", "0" * 64, 1, "zip")


class FirstCNN(nn.Module):
    """The first network, as its author would have written it."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(189, 32)
        self.conv1 = nn.Conv1d(32, 64, kernel_size=3, padding=1)
        self.pool = nn.MaxPool1d(2)
        self.conv2 = nn.Conv1d(64, 128, kernel_size=3, padding=1)
        self.fc = nn.Linear(128, 9)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.embedding(x).permute(0, 2, 1)
        x = self.pool(F.relu(self.conv1(x)))
        x = F.relu(self.conv2(x))
        return self.fc(x.mean(dim=2))


GENUINE = {
    "ensemble": (author.LayoutEnsemble, 3_462_292),
    "cnn": (author.LayoutCNN, 2_636_169),
    "transformer": (author.LayoutTransformer, 826_121),
    "basic": (FirstCNN, 189 * 32 + 32 * 64 * 3 + 64 + 64 * 128 * 3 + 128 + 128 * 9 + 9),
}


def trained(kind: type[nn.Module], seed: int = 0) -> nn.Module:
    """Values as after training: no norm left at one and zero, no layer equal to another."""
    torch.manual_seed(seed)
    module = kind().eval()
    with torch.no_grad():
        for name, value in module.state_dict().items():
            if name.endswith("running_var"):
                value.add_(torch.rand_like(value))
            elif value.is_floating_point() and value.ndim and not name.endswith(".pe"):
                value.add_(0.05 * torch.randn_like(value))
    return module


def of(tensors: Mapping[str, torch.Tensor]) -> Checkpoint:
    return Checkpoint(RECORD, dict(tensors))


def rebuild(
    checkpoint: Checkpoint, given: Mapping[str, str] | None = None
) -> tuple[Rebuilt, ledger.Ledger]:
    family, recognition = recognise(checkpoint, given or {})
    assert family is FAMILY
    rebuilt = family.build(recognition)
    return rebuilt, ledger.close(rebuilt.module, checkpoint, rebuilt.unused, rebuilt.spellings)


# ------------------------------------------------------------------------------- the four networks
@pytest.mark.parametrize("name", GENUINE)
def test_the_rebuild_gives_the_author_s_bits(name: str) -> None:
    kind, parameters = GENUINE[name]
    original = trained(kind)
    rebuilt, closed = rebuild(of(original.state_dict()))
    assert closed.summary.parameters == parameters
    assert closed.summary.unused == closed.summary.unexplained == 0
    ids = torch.randint(0, 189, (5, 20), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        assert torch.equal(rebuilt.module(ids), original(ids))
        assert torch.equal(rebuilt.module(ids.int()), original(ids))


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod."])
def test_a_file_with_prefixes_in_a_container(tmp_path: Path, prefix: str) -> None:
    original = trained(author.LayoutEnsemble)
    state = {prefix + name: value for name, value in original.state_dict().items()}
    torch.save({"epoch": 7, "model_state_dict": state}, tmp_path / "model_production.pth")
    rebuilt, _ = rebuild(checkpoints.read(tmp_path / "model_production.pth"))
    ids = torch.arange(20).reshape(1, 20)
    with torch.inference_mode():
        assert torch.equal(rebuilt.module(ids), original(ids))


def test_evidence_of_every_value() -> None:
    _, recognition = recognise(of(trained(author.LayoutEnsemble).state_dict()), {})
    evidence = {one.name: (one.evidence, one.value) for one in recognition.hyperparameters}
    assumed = {name: value for name, (kind, value) in evidence.items() if kind == "assumed"}
    assert assumed == {
        "heads": 8,
        "norm_first": False,
        "activation": "gelu",
        "embedding_scale": 1.0,
        "norm_eps": 1e-5,
        "length": 20,
    }
    assert {kind for kind, _ in evidence.values()} == {"tensors", "assumed"}
    assert recognition["network"] == "ensemble"
    assert recognition["transformer_layers"] == 4
    assert recognition["feed_forward"] == 512
    assert recognition["cnn_hidden"] == [384, 192]
    assert not recognition.conflicts


@pytest.mark.parametrize("table", [(40, 128), (40, 1, 128), (1, 20, 128)])
@pytest.mark.parametrize("encoder", ["transformer", "transformer_encoder"])
def test_tables_of_positions_and_names_of_encoders(table: tuple[int, ...], encoder: str) -> None:
    original = trained(author.LayoutTransformer)
    rows = original.pos_encoder.pe[0, : max(table[:-1])]
    state = {
        name.replace("transformer.layers", f"{encoder}.layers"): value
        for name, value in original.state_dict().items()
    }
    state["pos_encoder.pe"] = rows.reshape(table)
    rebuilt, _ = rebuild(of(state))
    ids = torch.arange(40).reshape(2, 20)
    with torch.inference_mode():
        assert torch.equal(rebuilt.module(ids), original(ids))


def test_blend_weights_with_one_element_of_their_own() -> None:
    state = dict(trained(author.LayoutEnsemble).state_dict())
    state |= {name: state[name].reshape(1) for name in ("weight_cnn", "weight_transformer")}
    rebuilt, _ = rebuild(of(state))
    assert rebuilt.module.weight_cnn.shape == (1,)


# ------------------------------------------------------------------------------ sizes of any kind
@st.composite
def cnns(draw: st.DrawFn) -> network.CNNPlan:
    small = st.integers(1, 5)
    return network.CNNPlan(
        vocabulary=189, width=draw(small), filters=draw(small), wide=(draw(small), draw(small)),
        wide_kernels=(draw(st.integers(1, 6)), draw(st.integers(1, 6))), deep=draw(small),
        deep_kernel=draw(st.integers(1, 5)), hidden=(draw(small), draw(small)), classes=9,
    )  # fmt: skip


@st.composite
def transformers(draw: st.DrawFn) -> network.TransformerPlan:
    heads, small = draw(st.integers(1, 3)), st.integers(1, 5)
    width = heads * draw(small)
    longest = draw(st.integers(20, 30))
    tables = [(1, longest, width), (longest, 1, width), (longest, width)]
    return network.TransformerPlan(
        vocabulary=189, width=width, table=draw(st.sampled_from(tables)),
        encoder=draw(st.sampled_from(["transformer", "encoder"])), layers=draw(st.integers(1, 3)),
        heads=heads, feed_forward=draw(small), final_norm=draw(st.booleans()),
        norm_first=draw(st.booleans()), activation=draw(st.sampled_from(["gelu", "relu"])),
        scale=draw(st.sampled_from([1.0, 2.0])), hidden=draw(small), classes=9,
    )  # fmt: skip


def told(plan: network.TransformerPlan) -> dict[str, str]:
    """What no shape shows, as the user would set it."""
    return {
        "heads": str(plan.heads),
        "norm_first": str(plan.norm_first).lower(),
        "activation": plan.activation,
        "embedding_scale": str(plan.scale),
    }


few = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@few
@given(cnn=cnns(), transformer=transformers(), blend=st.sampled_from([(), (1,)]))
def test_an_ensemble_of_any_size_comes_back(
    cnn: network.CNNPlan, transformer: network.TransformerPlan, blend: tuple[int, ...]
) -> None:
    original = network.Ensemble(cnn, transformer, blend).eval()
    rebuilt, _ = rebuild(of(original.state_dict()), told(transformer))
    module: Any = rebuilt.module
    assert module.transformer.plan == transformer
    ids = torch.randint(0, 189, (2, 20))
    with torch.inference_mode():
        assert torch.equal(module(ids), original(ids))


@few
@given(plan=cnns())
def test_a_cnn_of_any_size_comes_back(plan: network.CNNPlan) -> None:
    original = network.CNN(plan).eval()
    rebuilt, _ = rebuild(of(original.state_dict()))
    ids = torch.randint(0, 189, (2, 20))
    with torch.inference_mode():
        assert torch.equal(rebuilt.module(ids), original(ids))


# -------------------------------------------------------------------------------- what an app sees
def test_the_vocabulary_is_the_family_s() -> None:
    assert len(alphabet.CHARACTERS) == len(set(alphabet.CHARACTERS)) == 188
    place = {character: number for number, character in enumerate(alphabet.CHARACTERS, 1)}
    known = {"a": 1, "Z": 52, "1": 53, "0": 62, " ": 63, "-": 64, "~": 95, "а": 96, "ё": 102,
             "я": 128, "А": 129, "Ё": 135, "א": 162, "ת": 183, "ך": 184, "ץ": 188}  # fmt: skip
    assert {character: place[character] for character in known} == known
    assert alphabet.encode("№" + "а" * 30) == [0] + [96] * 19


def test_the_task() -> None:
    rebuilt, _ = rebuild(of(trained(author.LayoutCNN).state_dict()))
    task = rebuilt.task
    assert task.kind == "classification"
    ids, scores = task.inputs[0], task.outputs[0]
    assert (ids.name, ids.dtype, ids.shape, ids.value_range) == (
        "input_ids", "int32", (1, 20), (0, 188),
    )  # fmt: skip
    assert (scores.name, scores.dtype, scores.shape, scores.class_axis) == (
        "classLogits", "float32", (1, 9), 1,
    )  # fmt: skip
    assert task.labels == (
        "ru", "en", "he", "ru_from_en", "he_from_en", "en_from_ru", "en_from_he", "he_from_ru",
        "ru_from_he",
    )  # fmt: skip
    assert task.activation == "softmax"
    assert json.loads(task.notes["vocabulary"]) == alphabet.CHARACTERS


# ----------------------------------------------------------------------------------------- settings
def test_another_head_count_changes_the_output_and_is_the_user_s() -> None:
    checkpoint = of(trained(author.LayoutTransformer).state_dict())
    _, recognition = recognise(checkpoint, {"heads": "4"})
    heads = next(one for one in recognition.hyperparameters if one.name == "heads")
    assert (heads.value, heads.evidence) == (4, "user")
    ids = torch.arange(20).reshape(1, 20)
    with torch.inference_mode():
        four, eight = (rebuild(checkpoint, given)[0].module(ids) for given in ({"heads": "4"}, {}))
    assert (four - eight).abs().max() > 1e-4


@pytest.mark.parametrize(
    ("given", "found", "expected"),
    [
        ({"heads": "3"}, "3 heads over a width of 128", "a divisor of 128: 1, 2, 4, 8, 16"),
        ({"heads": "many"}, "many", "a whole number of at least 1"),
        ({"length": "65"}, "65 positions", "at most 64, as many as pos_encoder.pe has"),
        ({"transformer_layers": "5"}, "5", "4, which the tensors prove"),
        ({"activation": "tanh"}, "tanh", "one of gelu, relu"),
        ({"haeds": "8"}, "no hyper-parameter 'haeds'", "one of "),
    ],
)
def test_settings_that_cannot_be(given: dict[str, str], found: str, expected: str) -> None:
    with pytest.raises(RequestError) as refused:
        recognise(of(trained(author.LayoutTransformer).state_dict()), given)
    assert found in refused.value.found
    assert refused.value.expected.startswith(expected)


def test_the_first_cnn_needs_room() -> None:
    checkpoint = of(trained(FirstCNN).state_dict())
    assert recognise(checkpoint, {"padding": "0", "length": "8"})[1]["padding"] == 0
    with pytest.raises(RequestError) as refused:
        recognise(checkpoint, {"padding": "0", "length": "6"})
    assert "the convolutions leave nothing" in refused.value.found
    for length in range(8, 24):
        rebuilt, _ = rebuild(checkpoint, {"padding": "0", "length": str(length)})
        assert rebuilt.module(torch.zeros(1, length, dtype=torch.int32)).shape == (1, 9)


# ----------------------------------------------------------------------------------------- refusals
def refusal(state: Mapping[str, torch.Tensor]) -> RecognitionError:
    with pytest.raises(RecognitionError) as refused:
        recognise(of(state), {}, {FAMILY.name: FAMILY})
    return refused.value


def test_another_vocabulary_is_named() -> None:
    state = dict(trained(FirstCNN).state_dict())
    state["embedding.weight"] = torch.zeros(100, 32)
    error = refusal(state)
    assert "2 of 3 signs of Keyboard layout classifier" in error.found
    assert "missing first: an embedding of 189 characters (found 100)" in error.found


def test_other_classes_are_named() -> None:
    state = dict(trained(author.LayoutCNN).state_dict())
    state |= {"fc3.weight": torch.zeros(7, 192), "fc3.bias": torch.zeros(7)}
    assert "missing first: 9 scores (found 7)" in refusal(state).found


@pytest.mark.parametrize("name", ["embedding.weight", "fc3.weight"])
def test_tensors_without_axes_are_no_sign(name: str) -> None:
    state = dict(trained(author.LayoutCNN).state_dict())
    state[name] = torch.tensor(1.0)
    refusal(state)


def test_a_missing_tensor_is_named() -> None:
    state = dict(trained(author.LayoutCNN).state_dict())
    del state["conv4.weight"]
    assert refusal(state).found == "no tensor conv4.weight"


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("cnn.conv4.weight", torch.zeros(96, 128, 3), "conv4.weight with a kernel of 3"),
        ("cnn.conv2_a.weight", torch.zeros(3, 4), "conv2_a.weight with 2 axes in place of 3"),
        ("transformer.pos_encoder.pe", torch.zeros(1, 20, 64), "pos_encoder.pe of shape"),
        ("transformer.pos_encoder.pe", torch.zeros(2, 20, 128), "pos_encoder.pe of shape"),
        ("transformer.pos_encoder.pe", torch.tensor(0.0), "pos_encoder.pe of shape []"),
    ],
)
def test_a_shape_that_no_layer_has(name: str, value: torch.Tensor, found: str) -> None:
    state = dict(trained(author.LayoutEnsemble).state_dict())
    state[name] = value
    assert found in refusal(state).found


def test_an_encoder_whose_name_would_hide_a_part_of_the_module() -> None:
    state = {
        name.replace("transformer.layers", "forward.layers"): value
        for name, value in trained(author.LayoutTransformer).state_dict().items()
    }
    assert refusal(state).found == "an encoder of the name 'forward'"


def test_two_embeddings_that_disagree_are_no_ensemble() -> None:
    state = dict(trained(author.LayoutEnsemble).state_dict())
    state["transformer.embedding.weight"] = torch.zeros(150, 128)
    assert "found 189, 150" in refusal(state).found


def test_a_tensor_too_many_does_not_pass_the_ledger() -> None:
    state = dict(trained(author.LayoutCNN).state_dict())
    state["fc4.weight"] = torch.zeros(3, 3)
    with pytest.raises(LedgerError) as refused:
        rebuild(of(state))
    assert "fc4.weight" in refused.value.found
