"""Attention: encoders, decoders with a causal mask, fused attention, memory between calls."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.coreml.mil.networks.table import Call, Lambda, Network, Residual, noise, tokens


def heads(x: Tensor, count: int) -> Tensor:
    """(batch, steps, width) to (batch, heads, steps, width of a head)."""
    n, steps, width = x.shape
    return x.reshape(n, steps, count, width // count).transpose(1, 2)


def encoder() -> nn.Module:
    layer = nn.TransformerEncoderLayer(16, 4, 32, 0.0, batch_first=True, norm_first=True)
    return nn.Sequential(
        nn.Linear(5, 16), nn.TransformerEncoder(layer, 2, nn.LayerNorm(16)), nn.Linear(16, 3)
    )


def seq2seq() -> nn.Module:
    """`nn.Transformer`, with a causal mask on the side of the target."""

    def forward(m: Any, source: Tensor, target: Tensor) -> Any:
        mask = nn.Transformer.generate_square_subsequent_mask(5)
        return m.main(source, target, tgt_mask=mask)

    main = nn.Transformer(8, 2, 1, 1, 16, 0.0, "gelu", batch_first=True)
    return Call(forward, main=main)


class Causal(nn.Module):
    """Self-attention that looks back only; `fused` by torch's own function."""

    def __init__(self, width: int, count: int, fused: bool) -> None:
        super().__init__()
        self.count, self.fused = count, fused
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Any:
        q, k, v = (heads(one, self.count) for one in self.qkv(x).chunk(3, 2))
        if self.fused:
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            steps = x.shape[1]
            late = torch.ones(steps, steps, dtype=torch.bool).triu(1)
            scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[3])
            y = scores.masked_fill(late, -1e4).softmax(3) @ v
        return self.out(y.transpose(1, 2).flatten(2))


def gpt(fused: bool, approximate: str = "tanh") -> nn.Module:
    def block() -> nn.Module:
        mlp = [nn.Linear(16, 32), nn.GELU(approximate), nn.Linear(32, 16)]
        return nn.Sequential(
            Residual(nn.LayerNorm(16), Causal(16, 4, fused)), Residual(nn.LayerNorm(16), *mlp)
        )

    def forward(m: Any, ids: Tensor) -> Any:
        x = m.words(ids) + m.places.weight[: ids.shape[1]]
        return m.norm(m.blocks(x)) @ m.words.weight.T

    return Call(
        forward, words=nn.Embedding(20, 16), places=nn.Embedding(12, 16),
        blocks=nn.Sequential(block(), block()), norm=nn.LayerNorm(16),
    )  # fmt: skip


def llama() -> nn.Module:
    """Rotary positions, root-mean-square norms, keys and values shared by groups of heads."""

    def norm(m: Any, x: Tensor, which: int) -> Any:
        scale = torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6)
        return x * scale * m.norms.weight[which]

    def rotate(x: Tensor) -> Tensor:
        half = x.shape[3] // 2
        angle = torch.arange(x.shape[2])[:, None] * 10.0 ** (-torch.arange(half) / 2)
        sine, cosine = angle.sin(), angle.cos()
        a, b = x[..., :half], x[..., half:]
        return torch.cat([a * cosine - b * sine, a * sine + b * cosine], 3)

    def forward(m: Any, ids: Tensor) -> Any:
        x = m.words(ids)
        h = norm(m, x, 0)
        q, k = rotate(heads(m.q(h), 4)), rotate(heads(m.k(h), 2))
        k = k.repeat_interleave(2, 1)
        v = heads(m.v(h), 2).repeat_interleave(2, 1)
        steps = x.shape[1]
        mask = torch.full((steps, steps), -1e4).triu(1)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = x + m.o(y.transpose(1, 2).flatten(2))
        h = norm(m, x, 1)
        return x + m.down(F.silu(m.gate(h)) * m.up(h))

    def linear(inputs: int, outputs: int) -> nn.Module:
        return nn.Linear(inputs, outputs, bias=False)

    return Call(
        forward, words=nn.Embedding(20, 16), norms=nn.Embedding(2, 16), q=linear(16, 16),
        k=linear(16, 8), v=linear(16, 8), o=linear(16, 16), gate=linear(16, 24), up=linear(16, 24),
        down=linear(24, 16),
    )  # fmt: skip


def vit() -> nn.Module:
    def forward(m: Any, x: Tensor) -> Any:
        x = m.patches(x).flatten(2).transpose(1, 2)
        first = m.extra.weight[:1].expand(x.shape[0], 1, 16)
        x = torch.cat([first, x], 1) + m.extra.weight
        return m.head(m.main(x)[:, 0])

    layer = nn.TransformerEncoderLayer(16, 2, 32, 0.0, "gelu", batch_first=True)
    return Call(
        forward, patches=nn.Conv2d(3, 16, 4, 4), extra=nn.Embedding(17, 16), head=nn.Linear(16, 5),
        main=nn.TransformerEncoder(layer, 1, enable_nested_tensor=False),
    )  # fmt: skip


def mixer() -> nn.Module:
    swap = Lambda(lambda x: x.transpose(1, 2))
    return nn.Sequential(
        nn.Conv2d(3, 12, 8, 8), nn.Flatten(2), swap,
        Residual(nn.LayerNorm(12), swap, nn.Linear(16, 24), nn.GELU(), nn.Linear(24, 16), swap),
        Residual(nn.LayerNorm(12), nn.Linear(12, 24), nn.GELU(), nn.Linear(24, 12)),
        Lambda(lambda x: x.mean(1)), nn.Linear(12, 4),
    )  # fmt: skip


def cross() -> nn.Module:
    """Attention of one sequence to another, where the last steps of it are padding."""

    def forward(m: Any, x: Tensor, memory: Tensor, lengths: Tensor) -> Any:
        places = torch.arange(memory.shape[1], dtype=torch.int32)
        padding = places[None] >= lengths[:, None]
        scores = m.q(x) @ m.k(memory).transpose(1, 2) / 4
        weights = scores.masked_fill(padding[:, None], -1e4).softmax(2)
        return m.out(weights @ m.v(memory))

    return Call(
        forward, q=nn.Linear(6, 16), k=nn.Linear(5, 16), v=nn.Linear(5, 16), out=nn.Linear(16, 6)
    )


def linear_attention() -> nn.Module:
    def forward(m: Any, x: Tensor) -> Any:
        q, k, v = (heads(one, 2) for one in m.qkv(x).chunk(3, 2))
        q, k = F.elu(q) + 1, F.elu(k) + 1
        memory = torch.einsum("nhsd,nhse->nhde", k, v)
        norm = torch.einsum("nhsd,nhd->nhs", q, k.sum(2))
        y = torch.einsum("nhsd,nhde->nhse", q, memory) / norm.unsqueeze(3)
        return m.out(y.transpose(1, 2).flatten(2))

    return Call(forward, qkv=nn.Linear(8, 24), out=nn.Linear(8, 8))


def conformer() -> nn.Module:
    turn = Lambda(lambda x: x.transpose(1, 2))
    mlp = [nn.LayerNorm(8), nn.Linear(8, 16), nn.SiLU(), nn.Linear(16, 8)]
    convolution = [
        nn.LayerNorm(8), turn, nn.Conv1d(8, 16, 1), nn.GLU(1),
        nn.Conv1d(8, 8, 5, padding=2, groups=8), nn.BatchNorm1d(8), nn.SiLU(), nn.Conv1d(8, 8, 1),
        turn,
    ]  # fmt: skip
    return nn.Sequential(
        Residual(*mlp), Residual(nn.LayerNorm(8), Causal(8, 2, False)), Residual(*convolution),
        nn.LayerNorm(8),
    )  # fmt: skip


def graph() -> nn.Module:
    """Messages along the edges of a graph, summed where they arrive."""

    def forward(m: Any, x: Tensor, edges: Tensor) -> Any:
        start, end = edges[0].long(), edges[1].long()
        for layer in m.layers:
            arrived = torch.zeros_like(x).scatter_add(
                0, end[:, None].expand(-1, 6), layer(x[start])
            )
            x = F.relu(x + arrived)
        return x.amax(0)

    return Call(forward, layers=nn.ModuleList([nn.Linear(6, 6), nn.Linear(6, 6)]))


def mixture() -> nn.Module:
    """A mixture of experts: each row by the two that a gate likes best."""

    def forward(m: Any, x: Tensor) -> Any:
        best, which = m.gate(x).softmax(1).topk(2, 1)
        every = torch.stack([expert(x) for expert in m.experts], 1)
        chosen = every.gather(1, which[:, :, None].expand(-1, -1, 6))
        return (best[:, :, None] * chosen).sum(1)

    return Call(
        forward, gate=nn.Linear(6, 4), experts=nn.ModuleList([nn.Linear(6, 6) for _ in range(4)])
    )


TEXT = tokens(20, (2, 9))


def lengths() -> list[Tensor]:
    return [torch.randn(2, 4, 6), torch.randn(2, 7, 5), torch.tensor([7, 3], dtype=torch.int32)]


def edges() -> list[Tensor]:
    return [
        torch.randn(7, 6),
        torch.from_numpy(np.array([[0, 1, 2, 6, 0], [1, 2, 2, 0, 5]], np.int32)),
    ]


NETWORKS = [
    Network("transformer encoder", encoder, noise((2, 7, 5))),
    Network("transformer, encoder and decoder, causal", seq2seq, noise((1, 6, 8), (1, 5, 8))),
    Network("gpt, causal mask", lambda: gpt(False), TEXT),
    Network("gpt, fused attention, iOS 18", lambda: gpt(True), TEXT, target="iOS18"),
    # coremltools 9.0 loses `approximate` of an exported GELU, and converts the exact one.
    Network("gpt, exported", lambda: gpt(True, "none"), TEXT, target="iOS18", export=True),
    Network("llama, rotary, grouped heads", llama, TEXT, target="iOS18"),
    Network("llama, float16", llama, TEXT, target="iOS17", half=True),
    Network("vision transformer", vit, noise((1, 3, 16, 16))),
    Network("mixer", mixer, noise((2, 3, 32, 32)), export=True),
    Network("cross attention with padding", cross, lengths),
    Network("linear attention, einsum", linear_attention, noise((2, 6, 8))),
    Network("conformer", conformer, noise((1, 11, 8))),
    Network("graph network, scattered sums", graph, edges),
    Network("mixture of experts, topk", mixture, noise((5, 6))),
]
