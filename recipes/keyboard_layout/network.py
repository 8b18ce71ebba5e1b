"""The network that is trained: a convolutional and a transformer part, and the blend of both.

Written as its author would write it for training, apart from the rebuild that lading makes from
the tensors alone: a test runs both on the same weights and compares them bit by bit.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

CLASSES = 9
VOCABULARY = 189
LENGTH = 20


class LayoutCNN(nn.Module):
    """Character n-grams of two to five, then two wider looks. [N, 20] ids -> [N, 9] scores."""

    def __init__(self, dropout: float = 0.4) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, 128, padding_idx=0)
        self.conv2 = nn.Conv1d(128, 96, 2, padding=1)
        self.conv3 = nn.Conv1d(128, 96, 3, padding=1)
        self.conv4 = nn.Conv1d(128, 96, 4, padding=2)
        self.conv5 = nn.Conv1d(128, 96, 5, padding=2)
        self.bn1 = nn.BatchNorm1d(384)
        self.conv2_a = nn.Conv1d(384, 384, 3, padding=1)
        self.conv2_b = nn.Conv1d(384, 384, 5, padding=2)
        self.bn2 = nn.BatchNorm1d(768)
        self.conv3_deep = nn.Conv1d(768, 384, 3, padding=1)
        self.bn3 = nn.BatchNorm1d(384)
        self.fc1 = nn.Linear(768, 384)
        self.fc2 = nn.Linear(384, 192)
        self.fc3 = nn.Linear(192, CLASSES)
        self.dropout = nn.Dropout(dropout)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.embedding(ids).transpose(1, 2)
        grams = [self.conv2(x), self.conv3(x), self.conv4(x), self.conv5(x)]
        shortest = min(g.size(2) for g in grams)
        x = F.gelu(self.bn1(torch.cat([g[:, :, :shortest] for g in grams], dim=1)))
        x = F.gelu(self.bn2(torch.cat([self.conv2_a(x), self.conv2_b(x)], dim=1)))
        x = F.gelu(self.bn3(self.conv3_deep(x)))
        x = torch.cat([x.max(dim=2).values, x.mean(dim=2)], dim=1)
        x = self.dropout(F.gelu(self.fc1(x)))
        x = self.dropout(F.gelu(self.fc2(x)))
        return self.fc3(x)


class PositionalEncoding(nn.Module):
    """Adds sines and cosines of the position (Vaswani et al. 2017, section 3.5)."""

    def __init__(self, width: int, longest: int = 64) -> None:
        super().__init__()
        position = torch.arange(longest).unsqueeze(1)
        rate = torch.exp(torch.arange(0, width, 2) * (-math.log(10000.0) / width))
        pe = torch.zeros(1, longest, width)
        pe[0, :, 0::2] = torch.sin(position * rate)
        pe[0, :, 1::2] = torch.cos(position * rate)
        self.register_buffer("pe", pe)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.pe[:, : x.size(1)]


class LayoutTransformer(nn.Module):
    """Four post-norm encoder layers, mean over the positions. [N, 20] ids -> [N, 9] scores."""

    def __init__(self, heads: int = 8, dropout: float = 0.1) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, 128, padding_idx=0)
        self.pos_encoder = PositionalEncoding(128)
        layer = nn.TransformerEncoderLayer(
            128, heads, 512, dropout, activation="gelu", batch_first=True
        )
        self.transformer = nn.TransformerEncoder(layer, 4, enable_nested_tensor=False)
        self.fc1 = nn.Linear(128, 64)
        self.fc2 = nn.Linear(64, CLASSES)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.transformer(self.pos_encoder(self.embedding(ids)))
        return self.fc2(F.gelu(self.fc1(x.mean(dim=1))))


class LayoutEnsemble(nn.Module):
    """(σ(a)·cnn + σ(b)·transformer) / (σ(a) + σ(b)). [N, 20] ids -> [N, 9] scores."""

    def __init__(self) -> None:
        super().__init__()
        self.cnn = LayoutCNN()
        self.transformer = LayoutTransformer()
        self.weight_cnn = nn.Parameter(torch.tensor(0.6))
        self.weight_transformer = nn.Parameter(torch.tensor(0.4))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.blend(self.cnn(ids), self.transformer(ids))

    def blend(self, cnn: torch.Tensor, transformer: torch.Tensor) -> torch.Tensor:
        """One score of the two parts' scores."""
        a = torch.sigmoid(self.weight_cnn)
        b = torch.sigmoid(self.weight_transformer)
        return (a * cnn + b * transformer) / (a + b)
