"""Which name of a checkpoint is which place of a module: prefixes, values, what is set aside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from lading import checkpoint as checkpoints
from lading.errors import LadingError, LedgerError, RequestError
from lading.network.own_module import from_python
from lading.network.source import Loaded, Source, load

X = ["x:float32[1,4]"]


class Inner(nn.Module):
    """Its own attribute is called ``model``."""

    def __init__(self) -> None:
        super().__init__()
        self.model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.model(x)
        return answer


def taken(state: dict[str, Any], make: Any, folder: Path, **how: Any) -> Loaded:
    path = folder / "net.pth"
    torch.save(state, path)
    return load(Source(path, code=from_python(make, X), **how))


def prefixed(prefix: str, module: nn.Module) -> dict[str, torch.Tensor]:
    return {prefix + name: value for name, value in module.state_dict().items()}


@pytest.mark.parametrize(
    "prefix", ["", "model.", "module.", "_orig_mod.", "net.backbone.", "module.model."]
)
def test_the_prefix_is_the_one_that_closes_the_ledger(prefix: str, tmp_path: Path) -> None:
    module = Inner().eval()
    loaded = taken(prefixed(prefix, module), Inner, tmp_path)
    x = torch.rand(1, 4)
    assert torch.equal(loaded.network(x), module(x))
    assert loaded.ledger.summary.unexplained == 0


def test_a_prefix_that_only_the_network_has(tmp_path: Path) -> None:
    module = Inner().eval()
    loaded = taken(module.model.state_dict(), Inner, tmp_path)
    assert "with 'model.' before them" in loaded.checkpoint.record.steps[-1]


def test_one_of_several_networks_is_named(tmp_path: Path) -> None:
    one, other = Inner().eval(), Inner().eval()
    state = prefixed("ema_model.", one) | prefixed("online_model.", other)
    with pytest.raises(RequestError) as caught:
        taken(state, Inner, tmp_path)
    assert caught.value.found == "several networks that fit: ema_model, online_model"
    assert caught.value.remedy.endswith("--which ema_model")
    loaded = taken({"state_dict": state, "epoch": 1}, Inner, tmp_path, which="online_model")
    x = torch.rand(1, 4)
    assert torch.equal(loaded.network(x), other(x))


def test_what_is_set_aside_is_said(tmp_path: Path) -> None:
    state = Inner().state_dict() | {"loss.weight": torch.ones(2), "loss.bias": torch.ones(1)}
    with pytest.raises(LedgerError):
        taken(state, Inner, tmp_path)
    lines = taken(state, Inner, tmp_path, ignore=("loss.*",)).ledger.lines
    assert [one.reason for one in lines if one.fate == "unused"] == 2 * [
        "set aside by --ignore loss.*"
    ]
    for pattern, found in (("model.*", "model.0.weight, which the network reads"),
                           ("head.*", "no tensor of that name")):  # fmt: skip
        with pytest.raises(RequestError) as caught:
            taken(state, Inner, tmp_path, ignore=(pattern,))
        assert caught.value.found == found


def test_a_buffer_that_the_network_makes_itself_needs_no_place(tmp_path: Path) -> None:
    class Positions(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 4)
            self.register_buffer("ids", torch.arange(4), persistent=False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            answer: torch.Tensor = self.linear(x) + self.ids
            return answer

    state = Positions().state_dict()
    assert taken(state | {"ids": torch.arange(4)}, Positions, tmp_path).ledger.summary.unused == 1
    with pytest.raises(LedgerError):
        taken(state | {"ids": torch.arange(4) + 1}, Positions, tmp_path)


def test_tied_parameters_of_which_one_was_kept(tmp_path: Path) -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)
            self.second.weight = self.first.weight

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            answer: torch.Tensor = self.second(self.first(x))
            return answer

    module = Tied()
    state = {"second.weight": module.second.weight.detach()}
    x = torch.rand(1, 4)
    assert torch.equal(taken(state, Tied, tmp_path).network(x), module(x))


def test_a_factory_that_reads_the_file_itself_is_known_by_its_values(tmp_path: Path) -> None:
    renamed = {"encoder.w": torch.rand(3, 4), "encoder.b": torch.rand(3)}
    torch.save(renamed, tmp_path / "net.pth")
    (tmp_path / "code.py").write_text(
        "import torch\n"
        "def load(checkpoint_path):\n"
        "    state = torch.load(checkpoint_path, weights_only=True)\n"
        "    net = torch.nn.Linear(4, 3)\n"
        "    net.load_state_dict({'weight': state['encoder.w'], 'bias': state['encoder.b']})\n"
        "    return net\n"
    )
    from lading.network.own_module import from_text

    code = from_text(f"{tmp_path / 'code.py'}:load", X, {})
    loaded = load(Source(tmp_path / "net.pth", code=code))
    assert [one.reason for one in loaded.ledger.lines] == ["as weight", "as bias"]
    torch.save(renamed | {"encoder.b": torch.rand(3)}, tmp_path / "other.pth")
    text = (tmp_path / "code.py").read_text().replace("checkpoint_path,", "PATH,")
    (tmp_path / "code.py").write_text(f"PATH = {str(tmp_path / 'net.pth')!r}\n{text}")
    code = from_text(f"{tmp_path / 'code.py'}:load", X, {})
    with pytest.raises(LedgerError):
        load(Source(tmp_path / "other.pth", code=code))


def test_a_module_at_hand_needs_no_file() -> None:
    module = Inner().eval()
    found = checkpoints.of_module(module)
    assert (found.record.path, found.record.container) == ("Inner", "live module")
    other = Inner()
    other.load_state_dict(module.state_dict())
    assert checkpoints.of_module(other).record.sha256 == found.record.sha256
    other.model[0].bias.data[0] += 1  # type: ignore[operator,union-attr,index]
    assert checkpoints.of_module(other).record.sha256 != found.record.sha256


def test_several_files_are_one_network(tmp_path: Path) -> None:
    import json

    from safetensors.torch import save_file

    module = Inner().eval()
    state = module.state_dict()
    names = list(state)
    files = {name: f"part-{place % 2}.safetensors" for place, name in enumerate(names)}
    for file in set(files.values()):
        save_file({n: state[n] for n in names if files[n] == file}, tmp_path / file)
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": files}))
    for path in (tmp_path, index):
        found = checkpoints.read(path)
        assert {f"model.{name}" for name in found.tensors} == set(names)
        assert "read 2 files as one" in found.record.steps
    index.write_text(json.dumps({"weight_map": files | {"more": "part-9.safetensors"}}))
    with pytest.raises(LadingError) as caught:
        checkpoints.read(tmp_path)
    assert caught.value.found == "1 files that are not there: part-9.safetensors"
    index.write_text(json.dumps({"weight_map": {"a": "../../elsewhere"}}))
    with pytest.raises(LadingError) as caught:
        checkpoints.read(tmp_path)
    assert caught.value.found == "no weight_map from names to files beside it"
