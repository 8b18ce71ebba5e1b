"""Networks of plain torch, as papers and repositories write them; each class is a factory."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations

Tensor = torch.Tensor


class LeNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 6, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(),
            nn.AvgPool2d(2), nn.Flatten(), nn.Linear(256, 84), nn.Tanh(), nn.Linear(84, 10),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.features(x).log_softmax(1)


class Residual(nn.Module):
    """Bottlenecks with squeeze and excitation."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU(True))
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(16, 32, 1), nn.BatchNorm2d(32), nn.SiLU(),
                nn.Conv2d(32, 32, 3, 1, 1, groups=32), nn.BatchNorm2d(32), nn.Hardswish(),
                nn.Conv2d(32, 16, 1), nn.BatchNorm2d(16),
            ) for _ in range(2)
        )  # fmt: skip
        self.gates = nn.ModuleList(nn.Conv2d(16, 16, 1) for _ in range(2))
        self.head = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block, gate in zip(self.blocks, self.gates, strict=True):
            y = block(x)
            x = x + y * gate(F.adaptive_avg_pool2d(y, 1)).sigmoid()
        return self.head(x.mean((2, 3)))


class UNet(nn.Module):
    """Skips, and a resizing by the size of what comes back."""

    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2 = nn.Conv2d(1, 8, 3, 1, 1), nn.Conv2d(8, 16, 3, 1, 1)
        self.up = nn.ConvTranspose2d(16, 8, 2, 2)
        self.out = nn.Conv2d(16, 2, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        a = F.leaky_relu(self.down1(x))
        b = F.leaky_relu(self.down2(F.max_pool2d(a, 2)))
        up = self.up(b)
        up = F.interpolate(up, size=a.shape[2:], mode="bilinear", align_corners=True)
        return self.out(torch.cat([a, up], 1))


class InnerModel(nn.Module):
    """Its own attribute is called ``model``."""

    def __init__(self) -> None:
        super().__init__()
        self.model = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1, padding_mode="reflect"),
            nn.InstanceNorm2d(8, affine=True),
            nn.ReLU(), nn.Upsample(scale_factor=2), nn.Conv2d(8, 3, 3, padding=1), nn.Tanh(),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class Tagger(nn.Module):
    """A recurrent tagger of two ways."""

    def __init__(self, kind: str = "LSTM", layers: int = 2) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, 12)
        self.rnn = getattr(nn, kind)(12, 8, layers, batch_first=True, bidirectional=True)
        self.out = nn.Linear(16, 7)

    def forward(self, ids: Tensor) -> Tensor:
        return self.out(self.rnn(self.embedding(ids))[0])


class CellByCell(nn.Module):
    """A loop over time, written out."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(6, 9)
        self.out = nn.Linear(9, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        state = x.new_zeros(x.shape[0], 9)
        answers = []
        for step in range(x.shape[1]):
            state = self.cell(x[:, step], state)
            answers.append(self.out(state))
        return torch.stack(answers, 1), state


class Translator(nn.Module):
    """`nn.Transformer` with a causal mask."""

    def __init__(self) -> None:
        super().__init__()
        self.source, self.target = nn.Embedding(40, 16), nn.Embedding(30, 16)
        self.body = nn.Transformer(16, 4, 1, 1, 32, 0.1, batch_first=True)
        self.out = nn.Linear(16, 30)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        mask = nn.Transformer.generate_square_subsequent_mask(target.shape[1])
        hidden = self.body(self.source(source), self.target(target), tgt_mask=mask)
        return self.out(hidden)


class PaddedEncoder(nn.Module):
    """A mask from the identifiers themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(15, 16, padding_idx=0)
        layer = nn.TransformerEncoderLayer(16, 4, 32, 0.2, "gelu", batch_first=True)
        self.body = nn.TransformerEncoder(layer, 2)

    def forward(self, ids: Tensor) -> Tensor:
        return self.body(self.embedding(ids), src_key_padding_mask=ids.eq(0))


class Attention(nn.Module):
    """Scores with a boolean mask beside them."""

    def __init__(self) -> None:
        super().__init__()
        self.attend = nn.MultiheadAttention(16, 4, batch_first=True)

    def forward(self, x: Tensor, keep: Tensor) -> dict[str, Tensor]:
        hidden, weights = self.attend(x, x, x, key_padding_mask=~keep)
        return {"hidden": hidden, "weights": weights}


class Masked(nn.Module):
    """Attention by hand, the least number as its mask."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(16, 48)

    def forward(self, x: Tensor, keep: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, -1)
        bias = (1.0 - keep[:, None, :].float()) * torch.finfo(torch.float32).min
        answer: Tensor = (q @ k.transpose(1, 2) / 4 + bias).softmax(-1) @ v
        return answer


class LayerScale(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear, self.gamma = nn.Linear(8, 8), nn.Parameter(torch.rand(8))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.gamma * self.linear(x)


class AuxiliaryHead(nn.Module):
    """`aux` is read in training alone."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.aux = nn.Conv2d(3, 4, 3), nn.Linear(4, 7)

    def forward(self, x: Tensor) -> Any:
        y = self.conv(x)
        return (y, self.aux(y.mean((2, 3)))) if self.training else y


class Parametrized(nn.Module):
    """The file holds what the weights are made of."""

    def __init__(self) -> None:
        super().__init__()
        self.a = parametrizations.weight_norm(nn.Conv1d(8, 8, 3, padding=1))
        self.b = parametrizations.spectral_norm(nn.Conv1d(8, 8, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.elu(self.a(x)))


class OldWeightNorm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.utils.weight_norm(nn.Conv1d(4, 6, 3, dilation=2))  # type: ignore[no-untyped-call]

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.a(x)) * torch.sigmoid(self.a(x))


class Spectrogram(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(64))
        self.mel = nn.Linear(33, 8, bias=False)

    def forward(self, wave: Tensor) -> Tensor:
        z = torch.stft(wave, 64, 16, window=self.window, center=True, return_complex=True)
        return self.mel((z.abs() + 1e-3).log().transpose(1, 2))


class FourierMixer(nn.Module):
    """FNet: the real part of a transform over both axes."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.out = nn.LayerNorm(16), nn.Linear(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.norm(x + torch.fft.fft2(x).real))


class SpectralConv(nn.Module):
    """A Fourier neural operator's layer: modes kept, multiplied, transformed back."""

    def __init__(self) -> None:
        super().__init__()
        self.real, self.imaginary = (nn.Parameter(torch.randn(3, 3, 5) / 3) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        z = torch.fft.rfft(x)[..., :5]
        y = torch.einsum("bim,iom->bom", z, torch.complex(self.real, self.imaginary))
        return x + torch.fft.irfft(y, n=x.shape[-1])


class Put(nn.Module):
    """An indexed write."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(6, 6)

    def forward(self, x: Tensor, where: Tensor) -> Tensor:
        y = self.linear(x).clone()
        y[:, where] = 0.5
        return y


class Volume(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.pad, self.conv = nn.ReflectionPad3d(1), nn.Conv3d(1, 4, 3)
        self.up = nn.ConvTranspose3d(4, 2, 3, stride=2, padding=1, output_padding=1)
        self.act = nn.PReLU(4)

    def forward(self, x: Tensor) -> Tensor:
        y = self.up(self.act(self.conv(self.pad(x))))
        return F.interpolate(y, scale_factor=0.5, mode="trilinear")


class Modulated(nn.Module):
    """A transposed convolution with a computed weight, as style networks have."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.style = nn.Parameter(torch.randn(6, 4, 3, 3)), nn.Linear(5, 4)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        k = self.weight * self.style(w).view(1, 4, 1, 1)
        k = k * (k.square().sum((1, 2, 3), keepdim=True) + 1e-8).rsqrt()
        y = F.conv2d(x, k, padding=1)
        return F.conv_transpose2d(y, k, stride=2, padding=1, output_padding=1)


class Positions(nn.Module):
    """A table resized to the patches that there are."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(1, 6, 7, 7))
        self.patch = nn.Conv2d(3, 6, 8, 8)

    def forward(self, x: Tensor) -> Tensor:
        y = self.patch(x)
        return y + F.interpolate(self.table, size=y.shape[-2:], mode="bicubic")


class SameName(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)

    def forward(self, sample: Tensor, t: Tensor) -> dict[str, Tensor]:
        return {"sample": self.conv(sample) * t}


class Nested(nn.Module):
    """Answers of many kinds, and a scalar input."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

    def forward(self, pair: tuple[Tensor, Tensor], t: Tensor, more: Tensor | None = None) -> Any:
        a, b = (self.norm(self.conv(one)) for one in pair)
        scores = (a * t).mean((2, 3))
        return {"maps": [a, b], "best": scores.argmax(1), "high": scores > 0, "none": more,
                "loss": scores.sum()}  # fmt: skip


class Tied(nn.Module):
    """safetensors keeps one of the two names."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.head = nn.Embedding(50, 8), nn.Linear(8, 50, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.embedding(ids))


class Warp(nn.Module):
    """A spatial transformer."""

    def __init__(self) -> None:
        super().__init__()
        self.where, self.conv = nn.Linear(48, 6), nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        theta = self.where(F.adaptive_avg_pool2d(x, 4).flatten(1)).tanh().view(-1, 2, 3)
        grid = F.affine_grid(theta, list(x.shape), align_corners=False)
        return self.conv(F.grid_sample(x, grid, align_corners=False))


class Warp3d(nn.Module):
    """A displacement field over a volume, as registration networks have."""

    def __init__(self) -> None:
        super().__init__()
        self.flow = nn.Conv3d(2, 3, 3, padding=1)

    def forward(self, moving: Tensor, fixed: Tensor) -> Tensor:
        flow = self.flow(torch.cat([moving, fixed], 1)).tanh() * 0.3
        base = F.affine_grid(torch.eye(3, 4)[None], list(moving.shape), align_corners=True)
        return F.grid_sample(moving, base + flow.permute(0, 2, 3, 4, 1), align_corners=True)


class GraphNet(nn.Module):
    """Messages along edges, added up at nodes."""

    def __init__(self) -> None:
        super().__init__()
        self.message, self.update = nn.Linear(8, 8), nn.Linear(16, 4)

    def forward(self, nodes: Tensor, source: Tensor, target: Tensor) -> Tensor:
        sent = self.message(nodes)[source].relu()
        received = torch.zeros_like(nodes).index_add(0, target, sent)
        return self.update(torch.cat([nodes, received], 1))


class ScatterPool(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 5)

    def forward(self, points: Tensor, cell: Tensor) -> Tensor:
        y = self.linear(points)
        index = cell[:, None].expand_as(y)
        return torch.zeros(6, 5).scatter_reduce(0, index, y, "sum")


class Bag(nn.Module):
    """A bag of words."""

    def __init__(self) -> None:
        super().__init__()
        self.bag, self.out = nn.EmbeddingBag(60, 8, mode="mean"), nn.Linear(8, 3)

    def forward(self, ids: Tensor) -> Tensor:
        return self.out(self.bag(ids))


class Arithmetic(nn.Module):
    """Operators that converters get wrong in silence."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.prelu = nn.Linear(6, 6), nn.PReLU(6)

    def forward(self, x: Tensor, n: Tensor) -> Tensor:
        y = torch.add(self.a(x), x, alpha=3) - torch.sub(x, self.a(x), alpha=2)
        y = self.prelu(y) + 2 ** x.clamp(-3, 3) + (n // 2) / 3 + n % 3
        return y.cumsum(1) + torch.diff(y, dim=1, prepend=y[:, :1])


class Circular(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(2, 4, 3, padding=1, padding_mode="circular")
        self.b = nn.Conv2d(4, 2, 3, padding=1, padding_mode="replicate")

    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.mish(self.a(x)))


class SuperResolution(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head, self.act = nn.Conv2d(3, 16, 3, padding=1), nn.PReLU(16)
        self.tail = nn.Sequential(nn.Conv2d(16, 12, 3, padding=1), nn.PixelShuffle(2))

    def forward(self, x: Tensor) -> Tensor:
        big = F.interpolate(x, scale_factor=2.0, mode="bicubic", align_corners=False)
        return self.tail(self.act(self.head(x))) + big


class WaveNet(nn.Module):
    """Gated dilated convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.start = nn.Conv1d(1, 8, 1)
        self.layers = nn.ModuleList(nn.Conv1d(8, 16, 2, dilation=2**n) for n in range(3))
        self.end = nn.Conv1d(8, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.start(x)
        for layer in self.layers:
            a, b = layer(F.pad(x, (layer.dilation[0], 0))).chunk(2, 1)
            x = x + a.tanh() * b.sigmoid()
        return self.end(x)


class Mixer(nn.Module):
    """An MLP mixer."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 16, 8, 8)
        self.norm1, self.norm2 = nn.LayerNorm(16), nn.LayerNorm(16)
        self.tokens, self.channels = nn.Linear(16, 16), nn.Linear(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        y = self.patch(x).flatten(2).transpose(1, 2)
        y = y + self.tokens(self.norm1(y).transpose(1, 2)).transpose(1, 2)
        return (y + F.gelu(self.channels(self.norm2(y)), approximate="tanh")).mean(1)


class PointNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.local = nn.Sequential(nn.Conv1d(3, 16, 1), nn.BatchNorm1d(16), nn.ReLU())
        self.out = nn.Linear(16, 4)

    def forward(self, points: Tensor) -> Tensor:
        return self.out(self.local(points.transpose(1, 2)).max(2).values)


class Radiance(nn.Module):
    """A radiance field: sines of many frequencies, and layers."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("bands", 2.0 ** torch.arange(4), persistent=False)
        self.layers = nn.Sequential(nn.Linear(27, 32), nn.Softplus(), nn.Linear(32, 4))

    def forward(self, x: Tensor) -> Tensor:
        angles = (x[..., None] * self.bands).flatten(-2)
        return self.layers(torch.cat([x, angles.sin(), angles.cos()], -1))


class Rotary(nn.Module):
    """A decoder's layer: rotary positions, root-mean-square norms, grouped keys, a gate."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(64, 32)
        self.norm, self.after = nn.RMSNorm(32), nn.RMSNorm(32)
        self.q, self.k, self.v = nn.Linear(32, 32), nn.Linear(32, 16), nn.Linear(32, 16)
        self.up, self.gate, self.down = nn.Linear(32, 48), nn.Linear(32, 48), nn.Linear(48, 32)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embedding(ids)
        y, n = self.norm(x), ids.shape[1]
        q = self.q(y).view(-1, n, 4, 8).transpose(1, 2)
        k, v = (f(y).view(-1, n, 2, 8).transpose(1, 2) for f in (self.k, self.v))
        q, k = (_turned(one) for one in (q, k))
        k, v = (one.repeat_interleave(2, 1) for one in (k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + y.transpose(1, 2).reshape(-1, n, 32)
        y = self.after(x)
        return (x + self.down(F.silu(self.gate(y)) * self.up(y))) @ self.embedding.weight.T


def _turned(x: Tensor) -> Tensor:
    half = x.shape[-1] // 2
    angle = torch.arange(x.shape[-2])[:, None] / 100 ** (torch.arange(half) / half)
    a, b = x.chunk(2, -1)
    return torch.cat([a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin()], -1)


class StateSpace(nn.Module):
    """A scan over time by a cumulative sum of logarithms."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        decay = torch.cumprod(self.a(x).sigmoid() * 0.2 + 0.8, 1)
        return self.c(decay * torch.cumsum(self.b(x) / decay, 1))


class Autoencoder(nn.Module):
    """A variational one; it samples in training alone."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(20, 8)
        self.decoder = nn.Sequential(nn.Linear(4, 20), nn.Sigmoid())

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, spread = self.encoder(x).chunk(2, 1)
        z = mean + spread.exp() * torch.randn_like(mean) if self.training else mean
        return self.decoder(z), mean, spread


class Flow(nn.Module):
    """A normalising flow's coupling, with its determinant."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 6))
        self.register_buffer("order", torch.tensor([3, 0, 4, 1, 5, 2]))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = x[:, self.order].chunk(2, 1)
        scale, shift = self.net(a).chunk(2, 1)
        scale = scale.tanh()
        return torch.cat([a, b * scale.exp() + shift], 1), scale.sum(1)


class Splines(nn.Module):
    """Learned splines on edges."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("grid", torch.linspace(-2, 2, 9))
        self.weight = nn.Parameter(torch.randn(5, 4, 8) / 4)

    def forward(self, x: Tensor) -> Tensor:
        x = x[..., None]
        inside = ((x >= self.grid[:-1]) & (x < self.grid[1:])).float()
        bump = inside * (x - self.grid[:-1]) * (self.grid[1:] - x)
        return torch.einsum("bik,oik->bo", bump, self.weight)


class Pyramid(nn.Module):
    """Features of several levels, as a list."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 16, 3, 2, 1)
        self.lateral = nn.Conv2d(16, 8, 1)
        self.norm = nn.GroupNorm(4, 8)

    def forward(self, x: Tensor) -> list[Tensor]:
        a = self.norm(self.a(x)).relu()
        b = self.b(a)
        return [a + F.interpolate(self.lateral(b), scale_factor=2, mode="nearest"), b]


class Recognizer(nn.Module):
    """Convolutions, then a recurrent net over the width."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(1, 8, 3, 1, 1), nn.BatchNorm2d(8), nn.MaxPool2d(2, 2))
        self.rnn = nn.GRU(64, 8, bidirectional=True)
        self.out = nn.Linear(16, 11)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        y = y.permute(3, 0, 1, 2).flatten(2)
        return self.out(self.rnn(y)[0]).log_softmax(2)


class Metric(nn.Module):
    """Two pictures, one distance."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3))

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        a, b = (F.normalize(self.net(one), dim=1) for one in (first, second))
        return (a - b).square().sum(1).mean((1, 2))


class Topk(nn.Module):
    """The strongest places, gathered; as detectors end."""

    def __init__(self) -> None:
        super().__init__()
        self.score, self.box = nn.Conv2d(3, 1, 3), nn.Conv2d(3, 4, 3)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        scores, where = self.score(x).flatten(1).topk(5)
        boxes = self.box(x).flatten(2).transpose(1, 2)
        return {"boxes": boxes.gather(1, where[..., None].expand(-1, -1, 4)), "scores": scores}


class Experts(nn.Module):
    """A soft choice among experts."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(8, 3)
        self.experts = nn.ModuleList(nn.Linear(8, 8) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        weights = self.gate(x).softmax(-1)
        return torch.stack([one(x) for one in self.experts], -1).mul(weights[..., None, :]).sum(-1)


class Quantizer(nn.Module):
    """The nearest entry of a code book."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.book = nn.Linear(6, 4), nn.Embedding(12, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z = self.inner(x)
        chosen = torch.cdist(z, self.book.weight[None]).argmin(-1)
        return self.book(chosen), chosen


class Downsampling(nn.Module):
    """Antialiasing with a fixed kernel that the class itself computes."""

    def __init__(self) -> None:
        super().__init__()
        kernel = torch.tensor([1.0, 2.0, 1.0])
        kernel = kernel[:, None] * kernel[None]
        self.register_buffer("kernel", (kernel / kernel.sum())[None, None].repeat(4, 1, 1, 1))
        self.conv = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = F.pad(self.conv(x), (1, 1, 1, 1), mode="reflect")
        return F.conv2d(y, self.kernel, stride=2, groups=4)
