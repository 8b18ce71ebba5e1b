"""The ledger: every name has a line, and a line left open is refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from lading.checkpoint import Checkpoint
from lading.checkpoint.ledger import Ledger, close
from lading.checkpoint.tensors import digest
from lading.errors import LedgerError
from lading.network.families import recognise
from lading.network.families.nnunet.network import Plan, Style, UNet
from lading.record import CheckpointRecord

RECORD = CheckpointRecord("weights.pth", "0" * 64, 1, "zip")


class Net(nn.Module):
    """Parameters, buffers, a counter, and a constant that no state dict holds."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)
        self.norm = nn.BatchNorm2d(2)


def net() -> Net:
    with torch.device("meta"):
        return Net().eval()


def weights() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    state: dict[str, torch.Tensor] = Net().state_dict()
    return {n: torch.randn_like(t) if t.is_floating_point() else t + 7 for n, t in state.items()}


def checkpoint(tensors: dict[str, torch.Tensor], **aliases: str) -> Checkpoint:
    return Checkpoint(RECORD, tensors, {n.replace("__", "."): f for n, f in aliases.items()})


def refused(module: nn.Module, tensors: dict[str, torch.Tensor], **more: Any) -> LedgerError:
    with pytest.raises(LedgerError, match=r"weights\.pth: the ledger does not close") as caught:
        close(module, checkpoint(tensors), more.pop("unused", {}), more.pop("spellings", None))
    return caught.value


def line(ledger: Ledger, name: str) -> tuple[str, str]:
    return next((one.fate, one.reason) for one in ledger.lines if one.name == name)


# ------------------------------------------------------------------------------------ it closes
def test_closes() -> None:
    module, tensors = net(), weights()
    ledger = close(module, checkpoint(tensors), {})
    told = ledger.summary
    assert (told.names, told.tensors, told.loaded, told.unexplained) == (7, 7, 7, 0)
    assert told.parameters == 2 * 9 + 2 + 2 + 2
    assert [one.name for one in ledger.lines] == list(tensors)
    for one in ledger.lines:
        assert (one.shape, one.fate) == (tuple(tensors[one.name].shape), "loaded")
        assert one.sha256 == digest(tensors[one.name])
    for name, value in module.state_dict().items():
        assert torch.equal(value, tensors[name])
        assert value.data_ptr() == tensors[name].data_ptr()  # assigned, not copied


def test_aliases_and_unused() -> None:
    tensors = weights()
    tensors["twice.weight"] = tensors["conv.weight"]
    tensors["head.weight"] = torch.ones(5)
    tensors["head.again"] = tensors["head.weight"]
    file = checkpoint(tensors, twice__weight="conv.weight", head__again="head.weight")
    ledger = close(net(), file, {"head.weight": "for training only", "not.there": "nothing"})
    assert line(ledger, "twice.weight") == ("alias", "second name of conv.weight")
    assert line(ledger, "head.weight") == ("unused", "for training only")
    assert line(ledger, "head.again") == ("alias", "second name of head.weight")
    told = ledger.summary
    assert (told.names, told.tensors, told.aliases, told.unused) == (10, 8, 2, 1)
    assert told.names == told.loaded + told.aliases + told.unused
    assert told.parameters == 24 + 5


def test_the_first_name_need_not_be_the_module_s() -> None:
    tensors = weights()
    tensors = {"a.first": tensors["conv.weight"], **tensors}
    ledger = close(net(), checkpoint(tensors, conv__weight="a.first"), {})
    assert line(ledger, "a.first") == ("alias", "second name of conv.weight")
    assert line(ledger, "conv.weight") == ("loaded", "")


def test_another_spelling() -> None:
    tensors = weights()
    tensors["enc.weight"] = tensors.pop("conv.weight")
    ledger = close(net(), checkpoint(tensors), {}, {"enc.weight": "conv.weight"})
    assert line(ledger, "enc.weight") == ("loaded", "as conv.weight")


def test_an_unshared_second_name() -> None:
    tensors = weights()
    tensors["enc.weight"] = tensors["conv.weight"].clone()
    ledger = close(net(), checkpoint(tensors), {}, {"enc.weight": "conv.weight"})
    assert line(ledger, "enc.weight") == ("alias", "second name of conv.weight")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_lifted(dtype: torch.dtype) -> None:
    tensors = {n: t.to(dtype) if t.is_floating_point() else t for n, t in weights().items()}
    module = net()
    ledger = close(module, checkpoint(tensors), {})
    name = str(dtype).removeprefix("torch.")
    assert line(ledger, "conv.weight") == ("loaded", f"lifted from {name} to float32, exactly")
    assert ledger.lines[0].dtype == name
    assert module.conv.weight.dtype == torch.float32
    assert torch.equal(module.conv.weight, tensors["conv.weight"].float())


def test_double_precision_only_if_exact() -> None:
    tensors = weights()
    tensors["conv.bias"] = torch.tensor([1.0, 2.5], dtype=torch.float64)
    close(net(), checkpoint(tensors), {})
    tensors["conv.bias"] = torch.tensor([1.0, 0.1], dtype=torch.float64)
    error = refused(net(), tensors)
    assert "1 of a dtype that cannot be loaded exactly: conv.bias is float64" in error.found


def test_counters() -> None:
    tensors = weights()
    del tensors["norm.num_batches_tracked"]
    module = net()
    ledger = close(module, checkpoint(tensors), {})
    assert ledger.summary.names == 6
    assert int(module.norm.num_batches_tracked) == 0
    quiet = nn.ModuleDict({"conv": nn.Conv2d(1, 2, 3), "norm": nn.BatchNorm2d(2)}).eval()
    quiet["norm"].num_batches_tracked = None
    ledger = close(quiet, checkpoint(weights()), {})
    fate = line(ledger, "norm.num_batches_tracked")
    assert fate == ("unused", "counts training batches; not read at inference")
    assert ledger.summary.parameters == 24
    lonely = {n: t for n, t in weights().items() if n != "norm.running_mean"}
    assert "norm.running_mean" in refused(quiet, lonely).found


# ------------------------------------------------------------------------------- it does not
def test_a_tensor_without_owner() -> None:
    error = refused(net(), weights() | {"attention.weight": torch.ones(3)})
    assert error.found == "1 of 8 tensors without an owner: attention.weight"


def test_an_owner_without_tensor() -> None:
    tensors = weights()
    tensors["norms.weight"] = tensors.pop("norm.weight")
    error = refused(net(), tensors)
    assert error.found == (
        "1 of 7 tensors without an owner: norms.weight; "
        "1 of 7 places in the network without a tensor: norm.weight"
    )
    assert error.remedy == (
        "nearest to the empty place norm.weight is norms.weight: compare their names"
    )


def test_another_shape() -> None:
    error = refused(net(), weights() | {"conv.weight": torch.ones(2, 1, 5, 5)})
    assert error.found == "1 of another shape: conv.weight is 2x1x5x5, its place 2x1x3x3"


def test_a_whole_number_is_no_weight() -> None:
    error = refused(net(), weights() | {"conv.bias": torch.ones(2, dtype=torch.int8)})
    assert "conv.bias is int8, its place float32" in error.found


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_weight_that_is_not_finite(value: float) -> None:
    tensors = weights()
    tensors["conv.weight"][1, 0, 2, 1] = value
    error = refused(net(), tensors)
    assert error.found == (
        f"1 with values that are not finite: conv.weight: 1 of 18, first {value} at [1, 0, 2, 1]"
    )
    assert "earlier checkpoint" in error.remedy


def test_a_scalar_that_is_not_finite() -> None:
    class Mix(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.share = nn.Parameter(torch.zeros(()))

    error = refused(Mix(), {"share": torch.tensor(float("inf"))})
    assert "share: 1 of 1, first inf at []" in error.found


def test_a_dtype_of_eight_bits_is_refused() -> None:
    tensors = weights()
    tensors["conv.bias"] = tensors["conv.bias"].to(torch.float8_e4m3fn)
    assert "conv.bias is float8_e4m3fn, its place float32" in refused(net(), tensors).found


def test_another_spelling_of_something_unused() -> None:
    tensors = weights() | {"old.head": torch.ones(2)}
    ledger = close(net(), checkpoint(tensors), {"head": "for training"}, {"old.head": "head"})
    assert line(ledger, "old.head") == ("unused", "for training")


def test_any_layout_becomes_the_plain_one() -> None:
    tensors = weights()
    kept = tensors["conv.weight"].clone()
    tensors["conv.weight"] = kept.transpose(2, 3).contiguous().transpose(2, 3)
    assert not tensors["conv.weight"].is_contiguous()
    tensors["norm.weight"] = torch.arange(1.0, 9.0)[::4].requires_grad_()
    module = net()
    close(module, checkpoint(tensors), {})
    assert module.conv.weight.is_contiguous()
    assert module.norm.weight.stride() == (1,)
    assert torch.equal(module.conv.weight, kept)
    assert module.norm.weight.tolist() == [1.0, 5.0]


def test_two_names_that_should_be_one() -> None:
    tensors = weights()
    tensors["enc.weight"] = tensors["conv.weight"] + 1
    error = refused(net(), tensors, spellings={"enc.weight": "conv.weight"})
    assert "1 second names that are not the same tensor: enc.weight differs from conv.weight" in (
        error.found
    )


def test_unused_and_loaded_at_once() -> None:
    with pytest.raises(LedgerError, match="does not close"):
        close(net(), checkpoint(weights()), {"conv.weight": "not needed"})


def test_a_constant_left_on_the_meta_device() -> None:
    module = net()
    module.register_buffer("table", torch.empty(3, device="meta"), persistent=False)
    assert "left unset: table" in refused(module, weights()).found


def test_a_module_that_changes_its_weights() -> None:
    class Meddling(Net):
        def _load_from_state_dict(self, state: Any, prefix: str, *more: Any) -> None:
            state["conv.bias"] = state["conv.bias"] * 2
            super()._load_from_state_dict(state, prefix, *more)

    with pytest.raises(LedgerError, match="loading changed values") as caught:
        close(Meddling().eval(), checkpoint(weights()), {})
    assert "conv.bias" in caught.value.found


def test_nothing_in_the_file() -> None:
    assert refused(net(), {}).found == (
        "6 of 7 places in the network without a tensor: conv.weight, conv.bias, norm.weight, "
        "norm.bias, norm.running_mean and 1 more"
    )


# --------------------------------------------------------------------- the published mistake
def test_a_rebuild_without_norms_and_decoder() -> None:
    """Once published as "100 % weight loading": 40 of the 128 tensors, no norm, no decoder."""
    style = Style(2, True, "instance", True, 1e-5, "LeakyReLU", 0.01, False)
    features = (32, 64, 128, 256, 512, 512, 512)
    plan = Plan(
        "PlainConvUNet", style, 1, 3, features, ((3, 3),) * 7, ((1, 1), *((2, 2),) * 6),
        (2,) * 7, (2,) * 6,
    )  # fmt: skip
    with torch.device("meta"):
        whole = UNet(plan)
    tensors = {n: torch.zeros(t.shape) for n, t in whole.state_dict().items()}
    for head in range(5):
        channels = features[-2 - head]
        tensors[f"decoder.seg_layers.{head}.weight"] = torch.zeros(3, channels, 1, 1)
        tensors[f"decoder.seg_layers.{head}.bias"] = torch.zeros(3)
    assert len(tensors) == 128
    aliases = {"decoder." + n: n for n in tensors if n.startswith("encoder.")}
    tensors |= {second: tensors[first] for second, first in aliases.items()}
    file = Checkpoint(RECORD, tensors, aliases)

    class Rebuild(nn.Module):
        """The encoder's convolutions and the heads, and nothing between them."""

        def __init__(self) -> None:
            super().__init__()
            self.encoder = whole.encoder
            self.decoder = nn.Module()
            heads = [nn.Conv2d(features[-2 - n], 3, 1, device="meta") for n in range(6)]
            self.decoder.seg_layers = nn.ModuleList(heads)

    rebuild = Rebuild()
    for module in rebuild.modules():
        if hasattr(module, "norm"):
            module.norm = None
    assert len(rebuild.state_dict()) == 40
    family, _ = recognise(file, {})
    assert family.name == "nnunet"
    with pytest.raises(LedgerError) as caught:
        close(rebuild, file, {})
    # 28 norm tensors of the encoder and 60 of the decoder; the encoder's once more by second name
    assert caught.value.found.startswith("88 of 128 tensors (116 names) without an owner: ")
    assert caught.value.found.endswith(" and 83 more")
    assert "encoder.stages.0.0.convs.0.norm.weight" in caught.value.found
