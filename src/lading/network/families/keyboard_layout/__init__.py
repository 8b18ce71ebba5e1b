"""Keyboard layout: which of nine classes a short text is, by layout and by what was meant.

Four networks: the ensemble of a CNN and a transformer, each of the two alone, and the first CNN.
`alphabet` knows characters and classes, `read` what the tensors prove, `network` the networks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from lading.checkpoint import Checkpoint
from lading.network.families import Rebuilt
from lading.network.families.keyboard_layout import read as reader
from lading.network.families.keyboard_layout.alphabet import task
from lading.network.families.keyboard_layout.network import (
    CNN,
    BasicCNN,
    BasicPlan,
    CNNPlan,
    Ensemble,
    Transformer,
    TransformerPlan,
)
from lading.record import Recognition, Sign


class KeyboardLayout:
    """The family of keyboard-layout classifiers."""

    name = reader.FAMILY
    title = reader.TITLE

    def signs(self, checkpoint: Checkpoint) -> tuple[Sign, ...]:
        """The three signs, see `read.signs`."""
        return reader.signs(checkpoint)

    def read(self, checkpoint: Checkpoint, settings: Mapping[str, str]) -> Recognition:
        """Every hyper-parameter with its evidence, see `read.read`."""
        return reader.read(checkpoint, settings)

    def build(self, recognition: Recognition) -> Rebuilt:
        """The network on the meta device, in eval mode: no weight is drawn only to be replaced."""
        known = {one.name: one.value for one in recognition.hyperparameters}
        with torch.device("meta"):
            module = _network(known).eval()
        return Rebuilt(module, task(known["length"]), unused={})


def _network(known: Mapping[str, Any]) -> nn.Module:
    kind = known["network"]
    if kind == "cnn":
        return CNN(_cnn(known))
    if kind == "transformer":
        return Transformer(_transformer(known))
    if kind == "ensemble":
        return Ensemble(_cnn(known), _transformer(known), tuple(known["blend_shape"]))
    first, second = known["basic_filters"], known["basic_kernels"]
    return BasicCNN(
        BasicPlan(
            vocabulary=known["vocabulary"],
            width=known["basic_width"],
            filters=(first[0], first[1]),
            kernels=(second[0], second[1]),
            padding=known["padding"],
            classes=known["num_classes"],
        )
    )


def _cnn(known: Mapping[str, Any]) -> CNNPlan:
    return CNNPlan(
        vocabulary=known["vocabulary"],
        width=known["cnn_width"],
        filters=known["cnn_filters"],
        wide=tuple(known["cnn_wide"]),
        wide_kernels=tuple(known["cnn_wide_kernels"]),
        deep=known["cnn_deep"],
        deep_kernel=known["cnn_deep_kernel"],
        hidden=tuple(known["cnn_hidden"]),
        classes=known["num_classes"],
        eps=known["norm_eps"],
    )


def _transformer(known: Mapping[str, Any]) -> TransformerPlan:
    return TransformerPlan(
        vocabulary=known["vocabulary"],
        width=known["transformer_width"],
        table=tuple(known["position_table"]),
        encoder=known["encoder_name"],
        layers=known["transformer_layers"],
        heads=known["heads"],
        feed_forward=known["feed_forward"],
        final_norm=known["final_norm"],
        norm_first=known["norm_first"],
        activation=known["activation"],
        scale=known["embedding_scale"],
        hidden=known["transformer_hidden"],
        classes=known["num_classes"],
        eps=known["norm_eps"],
    )


FAMILY = KeyboardLayout()
