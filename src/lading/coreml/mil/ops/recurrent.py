"""Recurrent layers over sequences (S, B, I): `rnn`, `gru`, `lstm`.

``reverse`` reads the sequence from its end and gives its outputs in the order in which they were
made; the backward half of a ``bidirectional`` lstm gives them in the sequence's order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "scaled_tanh": torch.tanh,  # its scales are 1 where they cannot be given
    "sigmoid": torch.sigmoid,
    "hard_sigmoid": lambda x: (0.2 * x + 0.5).clamp(0, 1),
    "sigmoid_hard": lambda x: (0.2 * x + 0.5).clamp(0, 1),
    "relu": torch.relu,
    "linear": lambda x: x,
    # Those of the older format, which clips what goes in.
    "relu_50": lambda x: x.clamp(0, 50),
    "linear_50": lambda x: x.clamp(-50, 50),
    "tanh_1_7159": lambda x: 1.7159 * torch.tanh(x * 2 / 3),
}


def _activation(name: str) -> Callable[[Tensor], Tensor]:
    if name.lower() not in _ACTIVATIONS:
        raise ValueError(f"activation {name}, none of {', '.join(_ACTIVATIONS)}")
    return _ACTIVATIONS[name.lower()]


def _ordered(x: Tensor, direction: str) -> Tensor:
    if direction not in ("forward", "reverse"):
        raise ValueError(f"direction {direction}, neither forward nor reverse")
    return x.flip(0) if direction == "reverse" else x


def _start(initial: Tensor, x: Tensor) -> Tensor:
    """The initial state (B, H). coremltools 9.0 gives a packed sequence's as many rows as it has
    steps (`pack_padded_sequence` before an LSTM); Core ML reads as many as the batch has."""
    return initial[: x.shape[1]]


def _projected(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Every step's input times the weights at once: (S, B, gates · H)."""
    return torch.nn.functional.linear(x, weight, bias)


def rnn(
    x: Tensor,
    initial_h: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias: Tensor | None = None,
    direction: str = "forward",
    output_sequence: bool = False,
    activation: str = "tanh",
) -> Sequence[Tensor]:
    """``h = activation(W_ih x + W_hh h + b)``."""
    act, h, steps = _activation(activation), _start(initial_h, x), []
    for step in _projected(_ordered(x, direction), weight_ih, bias):
        h = act(step + h @ weight_hh.t())
        steps.append(h)
    return torch.stack(steps if output_sequence else steps[-1:]), h


def gru(
    x: Tensor,
    initial_h: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias: Tensor | None = None,
    direction: str = "forward",
    output_sequence: bool = False,
    recurrent_activation: str = "sigmoid",
    activation: str = "tanh",
    reset_after: bool = False,
    input_bias: Tensor | None = None,
) -> Sequence[Tensor]:
    """Gates in the order reset, new, update (Cho et al., 2014).

    `reset_after` multiplies the hidden state's share of the new gate, its bias included, by the
    reset gate; otherwise the reset gate multiplies the hidden state itself.
    """
    gate, act = _activation(recurrent_activation), _activation(activation)
    size, h, steps = weight_hh.shape[1], _start(initial_h, x), []
    hidden_bias = x.new_zeros(3 * size) if bias is None else bias
    from_h, to_new = weight_hh.t(), weight_hh[size : 2 * size].t()
    for step in _projected(_ordered(x, direction), weight_ih, input_bias):
        input_r, input_n, input_z = step.chunk(3, -1)
        if reset_after:
            r, n, z = (h @ from_h + hidden_bias).chunk(3, -1)
            new = act(input_n + gate(input_r + r) * n)
        else:
            r, _, z = (h @ from_h + hidden_bias).chunk(3, -1)
            reset = gate(input_r + r)
            new = act(input_n + (reset * h) @ to_new + hidden_bias[size : 2 * size])
        update = gate(input_z + z)
        h = (1 - update) * new + update * h
        steps.append(h)
    return torch.stack(steps if output_sequence else steps[-1:]), h


def lstm(
    x: Tensor,
    initial_h: Tensor,
    initial_c: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias: Tensor | None = None,
    peephole: Tensor | None = None,
    weight_ih_back: Tensor | None = None,
    weight_hh_back: Tensor | None = None,
    bias_back: Tensor | None = None,
    peephole_back: Tensor | None = None,
    direction: str = "forward",
    output_sequence: bool = False,
    recurrent_activation: str = "sigmoid",
    cell_activation: str = "tanh",
    activation: str = "tanh",
    clip: float | None = None,
) -> Sequence[Tensor]:
    """Gates in the order input, forget, output, cell; peepholes after Gers et al., 2002.

    `clip` bounds the cell state. Both directions' results lie side by side in the last dimension.
    """
    acts = [_activation(name) for name in (recurrent_activation, cell_activation, activation)]

    def run(
        sequence: Tensor,
        h: Tensor,
        c: Tensor,
        w_ih: Tensor,
        w_hh: Tensor,
        b: Tensor | None,
        peep: Tensor | None,
    ) -> tuple[list[Tensor], Tensor, Tensor]:
        gate, cell, out = acts
        from_h, steps = w_hh.t(), []
        p_i, p_f, p_o = peep.chunk(3) if peep is not None else (None, None, None)
        for step in _projected(sequence, w_ih, b):
            i, f, o, z = (step + h @ from_h).chunk(4, -1)
            if p_i is not None and p_f is not None:
                i, f = i + c * p_i, f + c * p_f
            c = gate(f) * c + gate(i) * cell(z)
            if clip is not None:
                c = c.clamp(-clip, clip)
            if p_o is not None:
                o = o + c * p_o
            h = gate(o) * out(c)
            steps.append(h)
        return steps, h, c

    initial_h, initial_c = _start(initial_h, x), _start(initial_c, x)
    if direction != "bidirectional":
        steps, h, c = run(
            _ordered(x, direction), initial_h, initial_c, weight_ih, weight_hh, bias, peephole
        )
        return torch.stack(steps if output_sequence else steps[-1:]), h, c
    if weight_ih_back is None or weight_hh_back is None:
        raise ValueError("a bidirectional lstm without weights for the way back")
    half = weight_hh.shape[1]
    there, h_there, c_there = run(
        x, initial_h[:, :half], initial_c[:, :half], weight_ih, weight_hh, bias, peephole
    )
    back, h_back, c_back = run(
        x.flip(0),
        initial_h[:, half:],
        initial_c[:, half:],
        weight_ih_back,
        weight_hh_back,
        bias_back,
        peephole_back,
    )
    if output_sequence:
        output = torch.cat([torch.stack(there), torch.stack(back[::-1])], -1)
    else:
        output = torch.cat([there[-1], back[-1]], -1)[None]
    return output, torch.cat([h_there, h_back], -1), torch.cat([c_there, c_back], -1)
