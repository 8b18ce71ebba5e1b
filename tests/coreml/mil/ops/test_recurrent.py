"""Recurrent layers against torch's, weights reordered, and against their formulas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from lading.coreml.mil import Model
from lading.coreml.mil.ops import recurrent as ops

S, B, I, H = 5, 3, 4, 6  # noqa: E741

# Sums of ten products below 3 or so, over five steps: a few units of 2**-22.
CLOSE: dict[str, float] = {"rtol": 1e-5, "atol": 2e-6}


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def reordered(x: Tensor, order: list[int]) -> Tensor:
    parts = x.chunk(len(order))
    return torch.cat([parts[i] for i in order]).detach()


@pytest.mark.parametrize("sequence", [True, False])
@pytest.mark.parametrize("direction", ["forward", "reverse"])
@pytest.mark.parametrize("kind", ["rnn", "gru", "lstm"])
def test_one_direction_is_torchs(kind: str, direction: str, sequence: bool) -> None:
    layer = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}[kind](I, H)
    # torch's gates: r z n for gru, i f g o for lstm; the format's: r n z and i f o g.
    order = {"rnn": [0], "gru": [0, 2, 1], "lstm": [0, 1, 3, 2]}[kind]
    w_ih, w_hh, b_ih, b_hh = (reordered(p, order) for p in layer.parameters())
    x, h, c = torch.randn(S, B, I), torch.randn(B, H), torch.randn(B, H)
    seen = x.flip(0) if direction == "reverse" else x
    options: dict[str, Any] = {"direction": direction, "output_sequence": sequence}
    with torch.no_grad():
        if kind == "rnn":
            want, last = layer(seen, h[None])
            got = ops.rnn(x, h, w_ih, w_hh, b_ih + b_hh, **options)
        elif kind == "gru":
            want, last = layer(seen, h[None])
            got = ops.gru(x, h, w_ih, w_hh, b_hh, reset_after=True, input_bias=b_ih, **options)
        else:
            want, (last, cell) = layer(seen, (h[None], c[None]))
            got = ops.lstm(x, h, c, w_ih, w_hh, b_ih + b_hh, **options)
            torch.testing.assert_close(got[2], cell[0], **CLOSE)
    torch.testing.assert_close(got[0], want if sequence else want[-1:], **CLOSE)
    torch.testing.assert_close(got[1], last[0], **CLOSE)


@pytest.mark.parametrize("sequence", [True, False])
def test_both_directions_are_torchs(sequence: bool) -> None:
    layer = nn.LSTM(I, H, bidirectional=True)
    p = [reordered(one, [0, 1, 3, 2]) for one in layer.parameters()]
    x, h, c = torch.randn(S, B, I), torch.randn(2, B, H), torch.randn(2, B, H)
    with torch.no_grad():
        want, (last, cell) = layer(x, (h, c))
    side_by_side = lambda t: torch.cat([t[0], t[1]], -1)  # noqa: E731
    got = ops.lstm(
        x,
        side_by_side(h),
        side_by_side(c),
        p[0],
        p[1],
        p[2] + p[3],
        weight_ih_back=p[4],
        weight_hh_back=p[5],
        bias_back=p[6] + p[7],
        direction="bidirectional",
        output_sequence=sequence,
    )
    if not sequence:
        want = torch.cat([want[-1, :, :H], want[0, :, H:]], -1)[None]
    torch.testing.assert_close(got[0], want, **CLOSE)
    torch.testing.assert_close(got[1], side_by_side(last), **CLOSE)
    torch.testing.assert_close(got[2], side_by_side(cell), **CLOSE)


FUNCTIONS: dict[str, Any] = {
    "tanh": np.tanh,
    "scaled_tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "hard_sigmoid": lambda x: np.clip(0.2 * x + 0.5, 0, 1),
    "relu": lambda x: np.maximum(x, 0),
    "linear": lambda x: x,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_lstm_with_every_activation_peepholes_and_a_clip(name: str) -> None:
    act, rng = FUNCTIONS[name], np.random.default_rng(1)
    x, w, u = rng.standard_normal((S, B, I)), rng.random((4 * H, I)), rng.random((4 * H, H)) / H
    b, peep, clip = rng.standard_normal(4 * H), rng.standard_normal(3 * H), 0.4
    h = c = np.zeros((B, H))
    for step in x:
        i, f, o, z = np.split(step @ w.T + h @ u.T + b, 4, axis=1)
        p_i, p_f, p_o = np.split(peep, 3)
        c = act(f + c * p_f) * c + act(i + c * p_i) * act(z)
        c = np.clip(c, -clip, clip)
        h = act(o + c * p_o) * act(c)
    zeros = torch.zeros(B, H, dtype=torch.float64)
    tensors = [torch.from_numpy(one) for one in (x, w, u, b, peep)]
    got = ops.lstm(
        tensors[0],
        zeros,
        zeros,
        tensors[1],
        tensors[2],
        tensors[3],
        tensors[4],
        recurrent_activation=name,
        cell_activation=name,
        activation=name,
        clip=clip,
    )
    np.testing.assert_allclose(got[1], h, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(got[2], c, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gru_with_every_activation_resets_before(name: str) -> None:
    act, rng = FUNCTIONS[name], np.random.default_rng(2)
    x, w, u = rng.standard_normal((S, B, I)), rng.random((3 * H, I)) / I, rng.random((3 * H, H)) / H
    b = rng.standard_normal(3 * H)
    h = rng.standard_normal((B, H))
    got = ops.gru(
        *[torch.from_numpy(one) for one in (x, h, w, u, b)],
        recurrent_activation=name,
        activation=name,
    )
    gate_w, gate_u, gate_b = (np.split(one, 3) for one in (w, u, b))
    for step in x:
        r, _, z = (
            act(step @ gate_w[k].T + h @ gate_u[k].T + gate_b[k]) if k != 1 else None
            for k in range(3)
        )
        new = act(step @ gate_w[1].T + (r * h) @ gate_u[1].T + gate_b[1])
        h = (1 - z) * new + z * h
    np.testing.assert_allclose(got[1], h, rtol=1e-12, atol=1e-12)


def test_unknown_activations_and_directions_are_errors() -> None:
    x, h, w, u = torch.zeros(S, B, I), torch.zeros(B, H), torch.zeros(H, I), torch.zeros(H, H)
    with pytest.raises(ValueError, match="activation mish"):
        ops.rnn(x, h, w, u, activation="mish")
    with pytest.raises(ValueError, match="direction sideways"):
        ops.rnn(x, h, w, u, direction="sideways")


def test_packed_sequences_are_torchs(converted: Callable[..., Model]) -> None:
    """The file's initial state has a row for each step, not for each sequence."""
    import coremltools as ct

    class Packed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(I, H, batch_first=True)

        def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
            packed = pack_padded_sequence(x, lengths, batch_first=True)
            return pad_packed_sequence(self.lstm(packed)[0], batch_first=True)[0]

    module, x, lengths = Packed().eval(), torch.rand(3, 10, I), torch.tensor([10, 5, 1])
    inputs = [
        ct.TensorType("x0", shape=x.shape),
        ct.TensorType("x1", shape=(3,), dtype=np.int32),
    ]
    model = converted(module, x, lengths, inputs=inputs)
    with torch.no_grad():
        want = module(x, lengths)
    got = model.predict({"x0": x.numpy(), "x1": lengths.numpy()})["y"]
    np.testing.assert_allclose(got, want, **CLOSE)
