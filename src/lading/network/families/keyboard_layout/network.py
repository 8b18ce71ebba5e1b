"""The networks of the family, with the tensor names of their checkpoints.

All take ids [N, L] (int32 or int64) and give scores [N, 9] float32. Dropout is left out: it does
nothing at inference and has no tensors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

#: Widths of the n-grams: part of the tensors' names, `conv2` to `conv5`.
GRAMS = (2, 3, 4, 5)


@dataclass(frozen=True)
class CNNPlan:
    """Sizes of the convolutional part.

    Attributes:
        vocabulary: rows of the embedding.
        width: of the embedding.
        filters: per n-gram.
        wide: outputs of `conv2_a` and of `conv2_b`.
        wide_kernels: their kernels.
        deep: outputs of `conv3_deep`.
        deep_kernel: its kernel.
        hidden: outputs of `fc1` and `fc2`.
        classes: outputs of `fc3`.
        eps: of the batch norms.
    """

    vocabulary: int
    width: int
    filters: int
    wide: tuple[int, int]
    wide_kernels: tuple[int, int]
    deep: int
    deep_kernel: int
    hidden: tuple[int, int]
    classes: int
    eps: float = 1e-5


class CNN(nn.Module):
    """N-grams of 2 to 5 characters, two wider convolutions side by side, a deep one, max and mean
    over the positions, three linear layers.

    An even kernel with half its size as padding gives one position more than an odd one: the
    n-grams are cut to the shortest.
    """

    def __init__(self, plan: CNNPlan) -> None:
        super().__init__()
        self.embedding = nn.Embedding(plan.vocabulary, plan.width)
        for gram in GRAMS:
            setattr(self, f"conv{gram}", _conv(plan.width, plan.filters, gram))
        joined = len(GRAMS) * plan.filters
        self.bn1 = nn.BatchNorm1d(joined, plan.eps)
        self.conv2_a = _conv(joined, plan.wide[0], plan.wide_kernels[0])
        self.conv2_b = _conv(joined, plan.wide[1], plan.wide_kernels[1])
        self.bn2 = nn.BatchNorm1d(sum(plan.wide), plan.eps)
        self.conv3_deep = _conv(sum(plan.wide), plan.deep, plan.deep_kernel)
        self.bn3 = nn.BatchNorm1d(plan.deep, plan.eps)
        self.fc1 = nn.Linear(2 * plan.deep, plan.hidden[0])
        self.fc2 = nn.Linear(plan.hidden[0], plan.hidden[1])
        self.fc3 = nn.Linear(plan.hidden[1], plan.classes)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.embedding(ids).transpose(1, 2)
        x = F.gelu(self.bn1(_side_by_side([getattr(self, f"conv{gram}")(x) for gram in GRAMS])))
        x = F.gelu(self.bn2(_side_by_side([self.conv2_a(x), self.conv2_b(x)])))
        x = F.gelu(self.bn3(self.conv3_deep(x)))
        pooled = torch.cat([x.amax(dim=2), x.mean(dim=2)], dim=1)
        hidden = F.gelu(self.fc2(F.gelu(self.fc1(pooled))))
        scores: torch.Tensor = self.fc3(hidden)
        return scores


def _conv(inputs: int, outputs: int, kernel: int) -> nn.Conv1d:
    return nn.Conv1d(inputs, outputs, kernel, padding=kernel // 2)


def _side_by_side(parts: Sequence[torch.Tensor]) -> torch.Tensor:
    """[N, C_i, L_i] -> [N, ΣC_i, min L_i]."""
    shortest = min(part.shape[2] for part in parts)
    return torch.cat([part[:, :, :shortest] for part in parts], dim=1)


@dataclass(frozen=True)
class TransformerPlan:
    """Sizes of the transformer part.

    Attributes:
        vocabulary: rows of the embedding.
        width: d, of every token.
        table: shape of the positions' table: [1, P, d], [P, 1, d] or [P, d].
        encoder: name of the encoder's attribute.
        layers: how many.
        heads: per attention; divides `width`.
        feed_forward: inner width of the feed-forward parts.
        final_norm: whether a norm follows the last layer.
        norm_first: norm before attention and feed-forward in place of after.
        activation: "gelu" or "relu", of the feed-forward parts.
        scale: what the embedding is multiplied by.
        hidden: outputs of `fc1`.
        classes: outputs of `fc2`.
        eps: of the layer norms.
    """

    vocabulary: int
    width: int
    table: tuple[int, ...]
    encoder: str
    layers: int
    heads: int
    feed_forward: int
    final_norm: bool
    norm_first: bool
    activation: str
    scale: float
    hidden: int
    classes: int
    eps: float = 1e-5


class Positions(nn.Module):
    """x plus a row of the table for each position. [N, L, d] -> [N, L, d]."""

    pe: torch.Tensor

    def __init__(self, table: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("pe", torch.zeros(table))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = self.pe.flatten(0, -2)
        return x + rows[: x.shape[1]]


class Transformer(nn.Module):
    """torch's own encoder over embedding plus positions, mean over them, two linear layers."""

    def __init__(self, plan: TransformerPlan) -> None:
        super().__init__()
        self.embedding = nn.Embedding(plan.vocabulary, plan.width)
        self.pos_encoder = Positions(plan.table)
        layer = nn.TransformerEncoderLayer(
            plan.width,
            plan.heads,
            plan.feed_forward,
            activation=plan.activation,
            layer_norm_eps=plan.eps,
            batch_first=True,
            norm_first=plan.norm_first,
        )
        last = nn.LayerNorm(plan.width, plan.eps) if plan.final_norm else None
        encoder = nn.TransformerEncoder(layer, plan.layers, last, enable_nested_tensor=False)
        setattr(self, plan.encoder, encoder)
        self.fc1 = nn.Linear(plan.width, plan.hidden)
        self.fc2 = nn.Linear(plan.hidden, plan.classes)
        self.plan = plan

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.embedding(ids)
        if self.plan.scale != 1.0:
            x = x * self.plan.scale
        x = getattr(self, self.plan.encoder)(self.pos_encoder(x))
        scores: torch.Tensor = self.fc2(F.gelu(self.fc1(x.mean(dim=1))))
        return scores


class Ensemble(nn.Module):
    """(σ(a)·cnn + σ(b)·transformer) / (σ(a) + σ(b))."""

    def __init__(self, cnn: CNNPlan, transformer: TransformerPlan, blend: tuple[int, ...]) -> None:
        super().__init__()
        self.cnn = CNN(cnn)
        self.transformer = Transformer(transformer)
        self.weight_cnn = nn.Parameter(torch.zeros(blend))
        self.weight_transformer = nn.Parameter(torch.zeros(blend))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        a, b = torch.sigmoid(self.weight_cnn), torch.sigmoid(self.weight_transformer)
        scores: torch.Tensor = (a * self.cnn(ids) + b * self.transformer(ids)) / (a + b)
        return scores


@dataclass(frozen=True)
class BasicPlan:
    """Sizes of the first network.

    Attributes:
        vocabulary: rows of the embedding.
        width: of the embedding.
        filters: outputs of `conv1` and `conv2`.
        kernels: theirs.
        padding: positions added at either end before each convolution.
        classes: outputs of `fc`.
    """

    vocabulary: int
    width: int
    filters: tuple[int, int]
    kernels: tuple[int, int]
    padding: int
    classes: int


class BasicCNN(nn.Module):
    """Two convolutions with ReLU, max-pooling by two between them, mean over the positions."""

    def __init__(self, plan: BasicPlan) -> None:
        super().__init__()
        first, second = plan.filters
        self.embedding = nn.Embedding(plan.vocabulary, plan.width)
        self.conv1 = nn.Conv1d(plan.width, first, plan.kernels[0], padding=plan.padding)
        self.conv2 = nn.Conv1d(first, second, plan.kernels[1], padding=plan.padding)
        self.fc = nn.Linear(second, plan.classes)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.conv1(self.embedding(ids).transpose(1, 2)))
        x = F.relu(self.conv2(F.max_pool1d(x, 2)))
        scores: torch.Tensor = self.fc(x.mean(dim=2))
        return scores
