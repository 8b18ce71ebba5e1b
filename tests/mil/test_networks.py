"""Networks of the sizes that matter: the same bits as torch, and about the same time."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from lading.mil import Model


@pytest.mark.full
def test_a_full_nnunet_gives_torchs_bits_at_torchs_speed(converted: Callable[..., Model]) -> None:
    architectures = importlib.import_module("dynamic_network_architectures.architectures.unet")
    torch.manual_seed(0)
    network = architectures.PlainConvUNet(
        input_channels=1,
        n_stages=7,
        features_per_stage=[32, 64, 128, 256, 512, 512, 512],
        conv_op=nn.Conv2d,
        kernel_sizes=3,
        strides=[1, 2, 2, 2, 2, 2, 2],
        n_conv_per_stage=2,
        num_classes=3,
        n_conv_per_stage_decoder=2,
        conv_bias=True,
        norm_op=nn.InstanceNorm2d,
        norm_op_kwargs={"eps": 1e-5, "affine": True},
        nonlin=nn.LeakyReLU,
        nonlin_kwargs={"inplace": True},
        deep_supervision=False,
    ).eval()
    x = torch.randn(1, 1, 256, 256)
    wide, half = converted(network, x), converted(network, x, half=True)
    runs: dict[str, Callable[[], np.ndarray]] = {  # type: ignore[type-arg]
        "torch": lambda: network(x).numpy(),
        "float32": lambda: wide.predict({"x0": x.numpy()})["y"],
        "float16": lambda: half.predict({"x0": x.numpy()})["y"],
    }
    seconds: dict[str, float] = {}
    with torch.no_grad():
        results = {name: run() for name, run in runs.items()}
        for _ in range(5):
            for name, run in runs.items():
                start = time.perf_counter()
                run()
                took = time.perf_counter() - start
                seconds[name] = min(took, seconds.get(name, took))
    np.testing.assert_array_equal(results["float32"], results["torch"])
    same = results["float16"].argmax(1) == results["torch"].argmax(1)
    # An untrained network's logits nearly tie everywhere; trained ones agree far better.
    assert same.mean() > 0.995
    # The best of five alternating runs: 1.15 and 1.4 are the goals on a quiet machine, where 0.97
    # and 0.92 were measured; half as much again allows for a busy one.
    assert seconds["float32"] < 1.15 * 1.5 * seconds["torch"]
    assert seconds["float16"] < 1.4 * 1.5 * seconds["torch"]


def test_a_transformer_and_a_convolution_side_by_side(converted: Callable[..., Model]) -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(50, 16)
            layer = nn.TransformerEncoderLayer(16, 4, 32, 0.0, "gelu", batch_first=True)
            self.encoder = nn.TransformerEncoder(layer, 2)
            self.conv = nn.Conv1d(16, 8, 4, padding=1)
            self.norm = nn.BatchNorm1d(8)
            self.head = nn.Linear(24, 9)

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            x = self.embedding(tokens)
            local = self.norm(self.conv(x.transpose(1, 2))[:, :, :10]).amax(2)
            return self.head(torch.cat([self.encoder(x).mean(1), local], 1))

    import coremltools as ct

    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        torch.manual_seed(0)
        module, tokens = Both().eval(), torch.randint(0, 50, (1, 12))
        inputs = [ct.TensorType("x0", shape=(1, 12), dtype=np.int32)]
        with torch.no_grad():
            want = module(tokens).numpy()
        for half, slack in ((False, 2e-6), (True, 4e-3)):
            model = converted(module, tokens, half=half, inputs=inputs)
            got = model.predict({"x0": tokens.numpy()})["y"]
            # Logits below 2: some units of 2**-23, or of float16's 2**-11 over thirty operations.
            np.testing.assert_allclose(got, want, rtol=0, atol=slack)
    finally:
        torch.backends.mha.set_fastpath_enabled(before)
