"""Recurrent networks: RNN, LSTM and GRU, stacked, in both directions, and among other layers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from tests.coreml.mil.networks.table import Call, Lambda, Network, noise, tokens


def whole(layer: nn.Module, width: int, outputs: int) -> nn.Module:
    """The layer over a sequence, then a linear layer at every step."""
    return Call(lambda m, x: m.head(m.layer(x)[0]), layer=layer, head=nn.Linear(width, outputs))


def last_state(layer: nn.Module, width: int, outputs: int) -> nn.Module:
    """The layer over a sequence, then a linear layer on its last hidden states."""

    def forward(m: Any, x: Tensor) -> Any:
        state = m.layer(x)[1]
        state = torch.cat(list(state), 2) if isinstance(state, tuple) else state
        return m.head(state.transpose(0, 1).flatten(1))

    return Call(forward, layer=layer, head=nn.Linear(width, outputs))


def classifier() -> nn.Module:
    """Embedding, a bidirectional LSTM, attention over the steps."""

    def forward(m: Any, ids: Tensor) -> Any:
        steps = m.lstm(m.embedding(ids))[0]
        weights = m.score(steps).softmax(1)
        return m.head((weights * steps).sum(1))

    lstm = nn.LSTM(8, 6, batch_first=True, bidirectional=True)
    return Call(
        forward, embedding=nn.Embedding(30, 8), lstm=lstm, score=nn.Linear(12, 1),
        head=nn.Linear(12, 4),
    )  # fmt: skip


def crnn() -> nn.Module:
    """Convolutions over a line of text, then a GRU in both directions over its columns."""
    columns = Lambda(lambda x: x.mean(2).transpose(1, 2))
    head = whole(nn.GRU(8, 5, batch_first=True, bidirectional=True), 10, 7)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.BatchNorm2d(8), columns,
        head, nn.LogSoftmax(2),
    )  # fmt: skip


def cells() -> nn.Module:
    """An encoder LSTM whose states a cell goes on from, three steps of its own outputs."""

    def forward(m: Any, x: Tensor) -> Any:
        _, (h, c) = m.encoder(x)
        h, c, y, results = h[0], c[0], x[-1], []
        for _ in range(3):
            i, f, g, o = (m.x(y) + m.h(h)).chunk(4, 1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            y = m.head(h)
            results.append(y)
        return torch.stack(results)

    return Call(
        forward, encoder=nn.LSTM(5, 6), x=nn.Linear(5, 24), h=nn.Linear(6, 24), head=nn.Linear(6, 5)
    )


LONG = noise((9, 2, 5))  # steps, batch, features
BATCH = noise((2, 9, 5))

NETWORKS = [
    Network("rnn", lambda: whole(nn.RNN(5, 6), 6, 3), LONG),
    Network(
        "rnn, relu, stacked",
        lambda: last_state(nn.RNN(5, 6, 2, nonlinearity="relu"), 12, 3),
        LONG,
    ),
    Network("lstm", lambda: whole(nn.LSTM(5, 6, batch_first=True), 6, 3), BATCH),
    Network("lstm, stacked", lambda: last_state(nn.LSTM(5, 6, 3, batch_first=True), 36, 3), BATCH),
    Network(
        "lstm, stacked, both directions",
        lambda: last_state(nn.LSTM(5, 6, 2, bidirectional=True), 48, 3),
        LONG,
        target="iOS17",
    ),
    Network(
        "lstm, both directions, float16",
        lambda: whole(nn.LSTM(5, 6, bidirectional=True), 12, 3),
        LONG,
        half=True,
    ),
    Network("gru", lambda: whole(nn.GRU(5, 6), 6, 3), LONG),
    Network("gru, stacked", lambda: last_state(nn.GRU(5, 6, 2), 12, 3), LONG),
    Network("text classifier, bilstm with attention", classifier, tokens(30, (2, 7))),
    Network("crnn", crnn, noise((1, 1, 8, 24))),
    Network("encoder and decoder of cells", cells, LONG),
]
