"""Recognition: one claimant, none, two; and what stops the conversion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest
import torch

from lading.checkpoint import Checkpoint
from lading.errors import ConflictError, RecognitionError
from lading.network.families import Rebuilt, families, recognise, require_settled, unsettled
from lading.network.families.nnunet.network import Plan, Style, UNet
from lading.record import CheckpointRecord, Claim, Conflict, Recognition, Sign

RECORD = CheckpointRecord("weights.pth", "0" * 64, 1, "zip")


@dataclass
class Toy:
    """A family that sees what the test tells it to."""

    name: str
    seen: tuple[bool, ...]

    @property
    def title(self) -> str:
        return self.name.title()

    def signs(self, checkpoint: Checkpoint) -> tuple[Sign, ...]:
        return tuple(Sign(f"sign {n}", there, "a stone") for n, there in enumerate(self.seen))

    def read(self, checkpoint: Checkpoint, settings: Mapping[str, str]) -> Recognition:
        return Recognition(self.name, self.title, self.signs(checkpoint), ())

    def build(self, recognition: Recognition) -> Rebuilt:
        raise NotImplementedError


def shelf(**seen: tuple[bool, ...]) -> dict[str, Toy]:
    return {name: Toy(name, signs) for name, signs in seen.items()}


EMPTY = Checkpoint(RECORD, {"a.weight": torch.zeros(2)})


def test_the_shelf_is_its_folder() -> None:
    found = families()
    assert list(found) == sorted(found)
    assert "nnunet" in found
    for name, family in found.items():
        assert family.name == name
        assert family.title
        signs = family.signs(EMPTY)
        assert signs
        assert not all(sign.present for sign in signs)


def test_one_claims() -> None:
    family, read = recognise(EMPTY, {}, shelf(left=(True, True), right=(True, False)))
    assert family.name == read.family == "left"


def test_none_claims() -> None:
    near = shelf(far=(False, False), near=(True, False, False, True), none=())
    with pytest.raises(RecognitionError) as caught:
        recognise(EMPTY, {}, near)
    assert caught.value.subject == "weights.pth"
    assert caught.value.found == "2 of 4 signs of Near; missing first: sign 1 (found a stone)"
    assert caught.value.expected == "a checkpoint of a known family: Far, Near, None"
    assert "the file of the network itself" in caught.value.remedy


def test_two_claim() -> None:
    with pytest.raises(RecognitionError) as caught:
        recognise(EMPTY, {}, shelf(left=(True,), right=(True, True)))
    assert caught.value.found == "every sign of Left and of Right"


def test_no_family_at_all() -> None:
    with pytest.raises(RecognitionError) as caught:
        recognise(EMPTY, {}, {})
    assert caught.value.found == "1 tensors"


def test_a_network_without_its_decoder() -> None:
    style = Style(2, True, "instance", True, 1e-5, "LeakyReLU", 0.01, False)
    sizes, ones = ((3, 3),) * 3, ((1, 1),) * 3
    net = UNet(Plan("PlainConvUNet", style, 1, 2, (2, 3, 4), sizes, ones, (1,) * 3, (1,) * 2))
    half = {n: t for n, t in net.state_dict().items() if "decoder.stages" not in n}
    with pytest.raises(RecognitionError) as caught:
        recognise(Checkpoint(RECORD, half), {})
    assert caught.value.found == (
        "5 of 7 signs of nnU-Net v2; missing first: one decoder stage fewer than encoder stages, "
        "decoder.stages.N.convs (found 0 decoder stages to 3 encoder stages)"
    )


def test_a_stage_with_a_hole() -> None:
    style = Style(2, True, "instance", True, 1e-5, "LeakyReLU", 0.01, False)
    sizes, ones = ((3, 3),) * 3, ((1, 1),) * 3
    plan = Plan("ResidualEncoderUNet", style, 1, 2, (2, 3, 4), sizes, ones, (1,) * 3, (1,) * 2, 2)
    state = UNet(plan).state_dict()
    del state["encoder.stages.1.blocks.0.conv2.conv.weight"]
    with pytest.raises(RecognitionError) as caught:
        recognise(Checkpoint(RECORD, state), {})
    assert caught.value.found == "no tensor encoder.stages.1.blocks.0.conv2.conv.weight"


def test_open_conflicts_stop() -> None:
    claims = (Claim("embedded", [64, 48], "init_args"), Claim("side file", [[1, 2]], "plans.json"))
    closed = Conflict("other", claims, "embedded")
    read = Recognition("toy", "Toy", (), (), (closed,))
    assert unsettled(read) == ()
    require_settled(read)
    read = Recognition("toy", "Toy", (), (), (Conflict("patch_size", claims), closed))
    with pytest.raises(ConflictError) as caught:
        require_settled(read)
    assert str(caught.value) == (
        "Toy: sources disagree on patch_size\n"
        "  found     patch_size: embedded says 64,48 (init_args), but side file says 1x2 "
        "(plans.json)\n"
        "  expected  sources that agree, or your choice\n"
        "  remedy    choose one side, e.g. --set patch_size=64,48"
    )
