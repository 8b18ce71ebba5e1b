"""Recurrent layers over [Seq, Batch, C, 1, 1]. Formulas: Apple's NeuralNetwork.proto.

What goes into an activation is clipped to ±50 there; that changes nothing for those that are flat
by then, so only the others have a clipped form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from lading.coreml.neuralnetwork.builder import Builder, Ref
from lading.coreml.neuralnetwork.weights import Weights
from lading.errors import ProgramError

Named = Mapping[str, Any]
_CLIPPED = {"relu": "relu_50", "linear": "linear_50", "scaled_tanh": "tanh_1_7159"}
_PLAIN = {"scaled_tanh": "tanh_1_7159"}
_GATES = ("input_gate", "forget_gate", "output_gate", "block_input")


def _name(activation: Named, names: Mapping[str, str] = _CLIPPED) -> str:
    ((name, _),) = activation.items()
    return names.get(name, name)


def _sequence(b: Builder, x: Ref) -> Any:
    return b.drop_axes(x, [-2, -1])


def _start(b: Builder, state: Ref | None, size: int) -> Any:
    """The state before the first step (Batch, C); one row of zeros is broadcast."""
    return torch.zeros(1, size) if state is None else b.drop_axes(state, [0, -2, -1])


def _ended(b: Builder, y: Ref, *states: Ref) -> Any:
    """Results with the five axes."""
    return b.expand_dims(y, [-2, -1]), *(b.expand_dims(one, [0, -2, -1]) for one in states)


def _direction(reverse: bool) -> str:
    return "reverse" if reverse else "forward"


def simple_recurrent(
    b: Builder,
    x: Ref,
    h: Ref | None = None,
    *,
    input_vector_size: int,
    output_vector_size: int,
    activation: Named,
    weight_matrix: Weights,
    recursion_matrix: Weights,
    sequence_output: bool = False,
    has_bias_vector: bool = False,
    bias_vector: Weights | None = None,
    reverse_input: bool = False,
) -> Any:
    size = output_vector_size
    offset = bias_vector.tensor([size]) if has_bias_vector and bias_vector else None
    y, h = b.rnn(
        _sequence(b, x),
        _start(b, h, size),
        weight_matrix.tensor([size, input_vector_size]),
        recursion_matrix.tensor([size, size]),
        offset,
        _direction(reverse_input),
        sequence_output,
        _name(activation),
        outputs=2,
    )
    return _ended(b, y, h)


def gru(
    b: Builder,
    x: Ref,
    h: Ref | None = None,
    *,
    input_vector_size: int,
    output_vector_size: int,
    activations: Sequence[Named],
    sequence_output: bool = False,
    has_bias_vectors: bool = False,
    reverse_input: bool = False,
    **weights: Weights,
) -> Any:
    """The gates lie apart in the file: update, reset and output, the last one of which is new."""
    size, gates = output_vector_size, ("reset_gate", "output_gate", "update_gate")
    inner, outer = activations

    def joined(part: str, *shape: int) -> Tensor:
        return torch.cat([weights[f"{gate}_{part}"].tensor(shape) for gate in gates])

    y, h = b.gru(
        _sequence(b, x),
        _start(b, h, size),
        joined("weight_matrix", size, input_vector_size),
        joined("recursion_matrix", size, size),
        joined("bias_vector", size) if has_bias_vectors else None,
        _direction(reverse_input),
        sequence_output,
        _name(inner),
        _name(outer),
        outputs=2,
    )
    return _ended(b, y, h)


def _lstm_weights(
    b: Builder, params: Named, weights: Named, inputs: int, size: int
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Of one direction: input weights, recursion weights, biases and peepholes."""
    if params.get("coupled_input_and_forget_gate"):
        raise ProgramError(
            b.origin,
            found="an input gate that is coupled to the forget gate, which is not run here",
            expected="gates of their own",
            remedy="convert without it, or run the model with Core ML on a Mac",
        )

    def joined(part: str, shape: Sequence[int], gates: Sequence[str] = _GATES) -> Tensor:
        return torch.cat([weights[f"{gate}_{part}"].tensor(shape) for gate in gates])

    offset = torch.zeros(4 * size)
    if params.get("has_bias_vectors"):
        offset = joined("bias_vector", [size])
    if params.get("forget_bias"):
        offset = offset + torch.tensor([0.0, 1.0, 0.0, 0.0]).repeat_interleave(size)
    peepholes = None
    if params.get("has_peephole_vectors"):
        peepholes = joined("peephole_vector", [size], _GATES[:3])
    wide, square = [size, inputs], [size, size]
    return joined("weight_matrix", wide), joined("recursion_matrix", square), offset, peepholes


def _lstm(
    b: Builder,
    x: Ref,
    states: tuple[Any, Any],
    there: Sequence[Any],
    back: Sequence[Any],
    direction: str,
    params: Named,
    activations: Sequence[Named],
) -> Any:
    gate, cell, out = activations
    return b.lstm(
        _sequence(b, x),
        *states,
        *there,
        *(back or [None] * 4),
        direction,
        bool(params.get("sequence_output")),
        _name(gate),
        _name(cell),
        _name(out, _PLAIN),
        params.get("cell_clip_threshold") or 50.0,
        outputs=3,
    )


def uni_directional_lstm(
    b: Builder,
    x: Ref,
    h: Ref | None = None,
    c: Ref | None = None,
    *,
    input_vector_size: int,
    output_vector_size: int,
    activations: Sequence[Named],
    params: Named,
    weight_params: Named,
    reverse_input: bool = False,
) -> Any:
    size = output_vector_size
    weights = _lstm_weights(b, params, weight_params, input_vector_size, size)
    states = (_start(b, h, size), _start(b, c, size))
    direction = _direction(reverse_input)
    return _ended(b, *_lstm(b, x, states, weights, (), direction, params, activations))


def bi_directional_lstm(
    b: Builder,
    x: Ref,
    h: Ref | None = None,
    c: Ref | None = None,
    h_back: Ref | None = None,
    c_back: Ref | None = None,
    *,
    input_vector_size: int,
    output_vector_size: int,
    activations_forward_lstm: Sequence[Named],
    activations_backward_lstm: Sequence[Named],
    params: Named,
    weight_params: Sequence[Named],
) -> Any:
    """Both directions' outputs side by side, that of the way back in the sequence's order."""
    if activations_forward_lstm != activations_backward_lstm:
        raise ProgramError(
            b.origin,
            found="other activations on the way back, which are not run here",
            expected="the same in both directions",
            remedy="convert without it, or run the model with Core ML on a Mac",
        )
    size = output_vector_size
    there, back = (_lstm_weights(b, params, one, input_vector_size, size) for one in weight_params)
    pairs = [[_start(b, one, size) for one in pair] for pair in ((h, h_back), (c, c_back))]
    states = tuple(_side_by_side(b, pair) for pair in pairs)
    y, h_all, c_all = _lstm(
        b, x, (states[0], states[1]), there, back, "bidirectional", params, activations_forward_lstm
    )
    h_there, h_behind = b.split(h_all, -1, 2, outputs=2)
    c_there, c_behind = b.split(c_all, -1, 2, outputs=2)
    return _ended(b, y, h_there, c_there, h_behind, c_behind)


def _side_by_side(b: Builder, pair: Sequence[Any]) -> Any:
    if all(isinstance(one, Tensor) for one in pair):
        return torch.cat(list(pair), -1)
    return b.concat(pair, -1)
