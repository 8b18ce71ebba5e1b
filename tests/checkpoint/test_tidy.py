"""Finding the network in what trainers save; every step is said."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from lading.checkpoint.inert import Placeholder
from lading.checkpoint.search import AVERAGES, NETWORKS
from lading.checkpoint.tidy import tidy
from lading.errors import CheckpointError, RequestError

W = torch.ones(2)


def state(value: float = 1.0, prefix: str = "") -> dict[str, torch.Tensor]:
    return {f"{prefix}a.weight": torch.full((2,), value), f"{prefix}b.weight": torch.zeros(1)}


def test_a_bare_state_dict_takes_no_step() -> None:
    tensors, metadata, steps = tidy(state(), "m.pth")
    assert list(tensors) == ["a.weight", "b.weight"]
    assert (metadata, steps) == ({}, [])


@pytest.mark.parametrize("key", [*NETWORKS, *AVERAGES, "my_unet"])
def test_a_trainers_dict(key: str) -> None:
    tensors, metadata, steps = tidy({"epoch": 3, key: state(), "optimizer": {"state": {}}}, "m")
    assert list(tensors) == ["a.weight", "b.weight"]
    assert metadata == {"epoch": 3, "optimizer": {"state": {}}}
    assert steps == [f"took {key!r} out of the file's 3 entries"]


def test_an_optimizer_that_looks_like_a_network_is_none() -> None:
    root = {"optimizer": {"exp_avg": W}, "unet": state()}
    assert list(tidy(root, "m")[0]) == ["a.weight", "b.weight"]


def test_averaged_weights_are_preferred_and_it_is_said() -> None:
    root = {"params": state(1), "params_ema": state(2), "step": 5}
    tensors, metadata, steps = tidy(root, "m")
    assert tensors["a.weight"].tolist() == [2, 2]
    assert set(metadata) == {"params", "step"}
    assert steps == ["took 'params_ema', the averaged weights (--which takes another: params)"]
    tensors, _, steps = tidy(root, "m", "params")
    assert tensors["a.weight"].tolist() == [1, 1]
    assert steps == ["took 'params', as asked"]


def test_two_networks_are_the_users_choice() -> None:
    root = {"generator": state(1), "discriminator": state(2)}
    with pytest.raises(RequestError) as caught:
        tidy(root, "m.pth")
    assert caught.value.found == "several networks: generator, discriminator"
    assert caught.value.remedy == "name the one to convert, e.g. --which generator"
    assert tidy(root, "m", "discriminator")[0]["a.weight"].tolist() == [2, 2]


@pytest.mark.parametrize("which", ["encoder", "generator.a", "generator.a.weight", "epoch", "."])
def test_a_key_that_leads_to_no_network_is_told_what_does(which: str) -> None:
    root = {
        "generator": state(1),
        "discriminator": {"model": state(2), "ema": state(3)},
        "epoch": 1,
    }
    with pytest.raises(RequestError) as caught:
        tidy(root, "m.pth", which)
    error = caught.value
    known = "discriminator.ema, discriminator.model, generator"
    assert error.subject == f"--which {which}"
    assert sorted(error.found.partition("at hand: ")[2].split(", ")) == known.split(", ")
    for one in known.split(", "):
        assert tidy(root, "m.pth", one)[0]["b.weight"].tolist() == [0]
    with pytest.raises(RequestError) as caught:
        tidy(state(), "m.pth", which)
    assert caught.value.remedy == "leave --which out"


def test_keys_may_hold_dots_and_others_are_named_from_the_top() -> None:
    root = {"run": {"G.ema": state(1), "G": state(2), "params": state(3)}}
    for which, value in (("run.G.ema", 1), ("run.G", 2), ("run.params", 3)):
        assert tidy({**root}, "m", which)[0]["a.weight"].tolist() == [value] * 2
    nested = {"model": {"ema": state(1), "net": state(2)}}
    assert "(--which takes another: model.net)" in tidy(nested, "m")[2][1]
    assert tidy(nested, "m", "model.net")[2] == ["took 'model.net', as asked"]


def test_a_container_inside_itself_ends() -> None:
    loop: dict[str, Any] = {"generator": state(1), "discriminator": state(2)}
    loop["model"] = loop
    with pytest.raises(RequestError):
        tidy(loop, "m", "model.model.model." * 50 + "nowhere")


def test_containers_in_containers() -> None:
    root = {"model": {"state_dict": state(), "name": "unet"}, "epoch": 1}
    tensors, metadata, steps = tidy(root, "m")
    assert list(tensors) == ["a.weight", "b.weight"]
    assert metadata == {"epoch": 1, "model": {"name": "unet"}}
    assert len(steps) == 2
    assert tidy(root, "m", "model.state_dict")[1] == metadata


@pytest.mark.parametrize(
    "prefix", ["module.", "_orig_mod.", "model.", "module._orig_mod.", "model.module.model."]
)
def test_prefixes_that_every_name_carries(prefix: str) -> None:
    tensors, _, steps = tidy(state(prefix=prefix), "m")
    assert list(tensors) == ["a.weight", "b.weight"]
    assert len(steps) == prefix.count(".")
    assert all("off all 2 names" in step for step in steps)


@pytest.mark.parametrize("names", [["module.a", "b"], ["module.", "module.a"], ["modulea"]])
def test_prefixes_that_stay(names: list[str]) -> None:
    tensors, _, steps = tidy(dict.fromkeys(names, W), "m")
    assert list(tensors) == names
    assert steps == []


def test_what_lies_beside_the_tensors_is_kept_and_said() -> None:
    tensors, metadata, steps = tidy({**state(), "version": 2, 7: "seven"}, "m")
    assert list(tensors) == ["a.weight", "b.weight"]
    assert metadata == {"version": 2, "7": "seven"}
    assert steps == ["set aside 2 entries that are no tensors: version, 7"]


def test_a_dict_subclass_nobody_knows() -> None:
    root = Placeholder("their.code", "StateDict", entries=dict(state()))
    assert list(tidy(root, "m")[0]) == ["a.weight", "b.weight"]


def module(**change: Any) -> Placeholder:
    inner: dict[str, Any] = {"_parameters": {"w": W}, "_buffers": {}, "_modules": {}, **change}
    return Placeholder("their.code", "Net", state=inner)


def test_a_module_inside_itself_is_an_error() -> None:
    loop = module()
    loop.state["_modules"]["me"] = loop
    with pytest.raises(CheckpointError, match="whole pickled module") as caught:
        tidy(loop, "m.pth")
    assert caught.value.remedy.endswith("torch.save(model.state_dict(), path)")


def test_modules_that_double_at_each_level_are_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lading.checkpoint.account.FREE_WORK", 1000)
    tree = module()
    for _ in range(60):
        tree = module(_modules={"a": tree, "b": tree})
    with pytest.raises(CheckpointError, match="more work than a file of 0 bytes needs"):
        tidy(tree, "m.pth")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"_parameters": {"w": 3}}, "w is int"),
        ({"_modules": {"x": 3}}, "x. is int"),
        ({"_parameters": {}}, "it holds no tensor"),
    ],
)
def test_modules_that_cannot_be_read(change: dict[str, Any], says: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        tidy(module(**change), "m.pth")
    assert says in caught.value.found
