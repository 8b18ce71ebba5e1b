"""The network: sizes, and its arithmetic against formulas written out."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from lading.network.families.guided_diffusion.network import (
    Attention,
    Config,
    ResBlock,
    UNet,
    timestep_embedding,
)

TINY = {
    "in_channels": 1,
    "out_channels": 2,
    "model_channels": 32,
    "num_res_blocks": 1,
    "channel_mult": (1, 2),
    "attention_resolutions": (2,),
}


def drawn(module: nn.Module, seed: int = 0) -> nn.Module:
    """Every value random, norms too."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in module.parameters():
            value.copy_(0.1 * torch.randn(value.shape, generator=generator))
    return module.eval()


def test_the_full_network_has_the_known_size() -> None:
    with torch.device("meta"):
        module = UNet(Config())
    assert sum(p.numel() for p in module.parameters()) == 41_125_062
    assert len(module.state_dict()) == 612


@pytest.mark.parametrize(
    ("blocks", "parameters", "tensors"), [(4, 51_199_814, 768), (2, 31_050_310, 456)]
)
def test_other_depths_have_their_known_sizes(blocks: int, parameters: int, tensors: int) -> None:
    with torch.device("meta"):
        module = UNet(Config(num_res_blocks=blocks))
    assert sum(p.numel() for p in module.parameters()) == parameters
    assert len(module.state_dict()) == tensors


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize(("updown", "conv"), [(False, True), (False, False), (True, True)])
def test_every_shape_of_network_runs(dims: int, updown: bool, conv: bool) -> None:
    module = drawn(
        UNet(Config(**TINY, dims=dims, resblock_updown=updown, conv_resample=conv, num_classes=3))
    )
    x = torch.randn(2, 1, *(4,) * dims, generator=torch.Generator().manual_seed(1))
    y = torch.tensor([0, 2])
    with torch.inference_mode():
        out = module(x, torch.tensor([3, 900]), y)
        assert out.shape == (2, 2, *(4,) * dims)
        assert torch.isfinite(out).all()
        assert torch.equal(out, module(x, torch.tensor([3.0, 900.0]), y))
        assert not torch.allclose(out, module(x, torch.tensor([3, 900]), torch.tensor([1, 1])))
        assert not torch.allclose(out, module(x, torch.tensor([500, 500]), y))


def test_a_volume_keeps_its_first_axis() -> None:
    module = UNet(Config(**TINY, dims=3)).eval()
    with torch.inference_mode():
        assert module(torch.randn(1, 1, 3, 4, 4), torch.tensor([1])).shape == (1, 2, 3, 4, 4)


def test_super_resolution_sees_the_low_image() -> None:
    module = drawn(UNet(Config(**TINY, super_resolution=True)))
    assert module.input_blocks[0][0].weight.shape[1] == 2
    x, low, t = torch.randn(1, 1, 8, 8), torch.randn(1, 1, 2, 2), torch.tensor([7])
    with torch.inference_mode():
        assert not torch.allclose(module(x, t, low_res=low), module(x, t, low_res=-low))
        constant = module(x, t, low_res=torch.full((1, 1, 2, 2), 0.5))
        assert torch.equal(constant, module(x, t, low_res=torch.full((1, 1, 8, 8), 0.5)))


def test_the_embedding_is_cosines_then_sines_of_t() -> None:
    out = timestep_embedding(torch.tensor([0, 1, 250]), 7).double()
    for row, t in enumerate((0, 1, 250)):
        for k in range(3):
            angle = t * math.exp(-math.log(10_000) * k / 3)
            assert abs(out[row, k].item() - math.cos(angle)) < 2e-5  # 250 in float32: 1.5e-5
            assert abs(out[row, 3 + k].item() - math.sin(angle)) < 2e-5
        assert out[row, 6] == 0


@pytest.mark.parametrize("new", [False, True])
@pytest.mark.parametrize("heads", [1, 2, 4])
def test_attention_is_softmax_of_scaled_products_per_head(new: bool, heads: int) -> None:
    module = Attention(Config(**TINY, use_new_attention_order=new, norm_groups=8), 8 * heads, heads)
    width, inner, length = 8 * heads, 8, 5
    qkv = torch.randn(2, 3 * width, length, generator=torch.Generator().manual_seed(2)).double()
    out = module.attend(qkv)
    for head in range(heads):
        if new:  # all of q, then all of k, then all of v; heads inside each
            starts = [part * width + head * inner for part in range(3)]
        else:  # head by head; q, k, v inside each
            starts = [(3 * head + part) * inner for part in range(3)]
        q, k, v = (qkv[:, start : start + inner] for start in starts)
        scores = torch.einsum("nct,ncs->nts", q, k) / math.sqrt(inner)
        # the weights are float32 whatever the values are
        expected = torch.einsum("nts,ncs->nct", scores.softmax(-1), v)
        assert torch.allclose(out[:, head * inner : (head + 1) * inner], expected, atol=1e-6)


def test_heads_by_count_by_width_and_in_the_decoder() -> None:
    assert Config(num_heads=4).heads(256) == Config(num_heads=4).heads(256, decoder=True) == 4
    assert Config(num_heads=4, num_heads_upsample=2).heads(64, decoder=True) == 2
    assert Config(num_heads=4, num_head_channels=64).heads(256) == 4
    assert Config(num_head_channels=64, num_heads_upsample=2).heads(128, decoder=True) == 2


@pytest.mark.parametrize("scale_shift", [False, True])
def test_a_block_is_told_the_timestep_as_the_formula_says(scale_shift: bool) -> None:
    block = drawn(ResBlock(Config(**TINY, use_scale_shift_norm=scale_shift), 32, 64)).double()
    for part in block.modules():
        if isinstance(part, nn.GroupNorm):
            part.float()  # norms compute in float32
    x, e = torch.randn(1, 32, 4, 4).double(), torch.randn(1, 128).double()
    silu = nn.functional.silu
    with torch.inference_mode():
        norm, _, conv = block.in_layers
        h = conv(silu(norm(x)))
        told = block.emb_layers[1](silu(e))[:, :, None, None]
        norm, _, _, conv = block.out_layers
        h = norm(h) * (1 + told[:, :64]) + told[:, 64:] if scale_shift else norm(h + told)
        expected = block.skip_connection(x) + conv(silu(h))
        assert torch.allclose(block(x, e), expected, atol=1e-12)
