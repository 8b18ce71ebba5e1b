"""Which names are one tensor: by storage, by a family's word, by a pattern that is believed."""

from __future__ import annotations

import torch

from lading.checkpoint import find_aliases
from lading.record import Claim


def weights(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_one_storage_is_one_tensor_only_in_one_view() -> None:
    base = weights(4, 4)
    tensors = {"a": base, "b": base, "t": base.t(), "row": base[0], "same": base.view(4, 4)}
    assert find_aliases(tensors) == ({"b": "a", "same": "a"}, ())


def test_tensors_without_elements_are_nobodys_alias() -> None:
    assert find_aliases({"a": torch.zeros(0), "b": torch.zeros(0)}) == ({}, ())


def test_equal_bytes_alone_say_nothing() -> None:
    same = weights(8, 8)
    assert find_aliases({"a": same, "b": same.clone()}) == ({}, ())


def test_a_familys_word_is_checked() -> None:
    first, second = weights(4), weights(4)
    expected = {"b": "a", "absent": "a"}
    assert find_aliases({"a": first, "b": second}, expected) == ({"b": "a"}, ())
    second[1] += 1
    aliases, (conflict,) = find_aliases({"a": first, "b": second}, expected)
    assert aliases == {}
    assert conflict.name == "b = a (the family's word)"
    assert [claim.source for claim in conflict.claims] == ["a", "b"]
    assert all(claim.value.startswith("float32 (4,), digest ") for claim in conflict.claims)
    assert conflict.claims[0].value != conflict.claims[1].value
    assert isinstance(conflict.claims[0], Claim)


def test_a_familys_word_on_different_shapes_is_a_conflict() -> None:
    _, conflicts = find_aliases({"a": torch.ones(2), "b": torch.ones(3)}, {"b": "a"})
    assert [conflict.name for conflict in conflicts] == ["b = a (the family's word)"]


def encoder_twice() -> dict[str, torch.Tensor]:
    encoder = {
        "encoder.conv.weight": weights(8, 3, 3),
        "encoder.conv.bias": torch.zeros(8),
        "encoder.norm.weight": torch.ones(8),
    }
    again = {f"decoder.{name}": tensor.clone() for name, tensor in encoder.items()}
    return {**encoder, **again, "decoder.head.weight": weights(2, 8)}


def test_a_repeated_encoder_is_believed_by_one_telling_weight() -> None:
    tensors = encoder_twice()
    aliases, conflicts = find_aliases(tensors)
    assert aliases == {
        f"decoder.encoder.{leaf}": f"encoder.{leaf}"
        for leaf in ("conv.weight", "conv.bias", "norm.weight")
    }
    assert conflicts == ()


def test_a_difference_inside_a_believed_pattern_is_a_conflict() -> None:
    tensors = encoder_twice()
    tensors["decoder.encoder.conv.bias"][0] = 1
    aliases, conflicts = find_aliases(tensors)
    assert [one.name for one in conflicts] == [
        "decoder.encoder.conv.bias = encoder.conv.bias (the decoder repeats the encoder)"
    ]
    assert "decoder.encoder.conv.bias" not in aliases
    assert "decoder.encoder.conv.weight" in aliases


def test_two_encoders_that_share_no_telling_weight_are_two() -> None:
    """Zero biases and unit norms are equal by birth; they tie nothing."""
    tensors = encoder_twice()
    tensors["decoder.encoder.conv.weight"] = weights(8, 3, 3, seed=1)
    assert find_aliases(tensors) == ({}, ())


def test_a_pattern_with_a_missing_partner_or_another_shape_is_not_believed() -> None:
    tensors = encoder_twice()
    tensors["decoder.encoder.extra"] = weights(3)
    assert find_aliases(tensors) == ({}, ())
    tensors = encoder_twice()
    tensors["decoder.encoder.conv.bias"] = torch.zeros(9)
    assert find_aliases(tensors) == ({}, ())


def test_all_modules_repeat_the_named_layers_in_order() -> None:
    named = {
        "b.conv.weight": weights(4, 4, 3),
        "b.conv.bias": torch.zeros(4),
        "b.norm.weight": torch.ones(4),
        "b.norm.bias": torch.zeros(4),
    }
    # A dropout at 1 has no tensors: the norm is at 2.
    listed = {
        "b.all_modules.0.weight": named["b.conv.weight"].clone(),
        "b.all_modules.0.bias": named["b.conv.bias"].clone(),
        "b.all_modules.2.weight": named["b.norm.weight"].clone(),
        "b.all_modules.2.bias": named["b.norm.bias"].clone(),
    }
    expected = dict(zip(listed, named, strict=True))
    assert find_aliases({**named, **listed}) == (expected, ())
    # The name that stays is the module's own, even where the list comes first in the file.
    assert find_aliases({**listed, **named})[0] == expected


def test_the_name_that_stays_repeats_least() -> None:
    one = weights(4, 4)
    tensors = {
        "decoder.encoder.c.all_modules.0.weight": one,
        "decoder.encoder.c.conv.weight": one,
        "encoder.c.all_modules.0.weight": one,
        "encoder.c.conv.weight": one,
    }
    aliases, _ = find_aliases(tensors)
    assert set(aliases.values()) == {"encoder.c.conv.weight"}
    assert len(aliases) == 3
