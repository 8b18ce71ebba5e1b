"""The subjects: small members of every family, and small random modules."""

from __future__ import annotations

import math
import random
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from lading.network.families.guided_diffusion.network import Config
from lading.network.families.guided_diffusion.network import UNet as Diffusion
from lading.network.families.keyboard_layout import network as layout
from lading.network.families.nnunet.network import Plan, Style, UNet
from lading.record import Port, Task
from tests import toys
from tests.mutants.court import Subject

CLASSES = ("ru", "en", "he", "ru_en", "he_en", "en_ru", "en_he", "he_ru", "ru_he")


def picture(channels: int, classes: int, size: tuple[int, ...], meaning: str = "values") -> Task:
    """One picture in; scores of the same size, or of one position, out."""
    image = Port("image", "tensor", "float32", (1, channels, *size), meaning=meaning)
    scores = Port(
        "logits", "tensor", "float32", (1, classes, *size), meaning="logits", class_axis=1
    )
    labels = tuple(f"class {number}" for number in range(classes))
    return Task("segmentation", (image,), (scores,), labels=labels, activation="softmax")


def drawn(module: nn.Module, seed: int, gain: float = 1.5) -> nn.Module:
    """As after training: no affine at one and zero, no statistics at zero and one, no bias at zero,
    and outputs that tell inputs and classes apart."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in module.state_dict().items():
            if not value.is_floating_point():
                continue
            noise = torch.randn(value.shape, generator=generator)
            if name.endswith("running_var"):
                value.copy_(0.5 + noise.abs())
            elif value.ndim < 2:
                value.copy_(value + 0.2 * noise if "norm" in name or "bn" in name else 0.2 * noise)
            else:
                fan = value[0].numel()
                value.copy_(noise * gain / math.sqrt(fan))
    return module.eval()


# ---------------------------------------------------------------------------------- three systems
def segmentation(seed: int, **changes: Any) -> Subject:
    """A member of nnU-Net's family; sizes and style at random beyond seed 0."""
    draw = random.Random(seed)
    wide = seed > 0
    stages = draw.choice((2, 3)) if wide else 3
    style = Style(
        2,
        True,
        draw.choice(("instance", "instance", "batch", "none")) if wide else "instance",
        True,
        draw.choice((1e-5, 1e-3)) if wide else 1e-5,
        draw.choice(("LeakyReLU", "ReLU", "GELU", "SiLU")) if wide else "LeakyReLU",
        draw.choice((0.01, 0.1)) if wide else 0.01,
        wide and draw.random() < 0.3,
    )
    residual = wide and draw.random() < 0.3
    plan = Plan(
        "ResidualEncoderUNet" if residual else "PlainConvUNet",
        style,
        draw.choice((1, 2, 3)) if wide else 1,
        draw.choice((2, 3, 5)) if wide else 3,
        tuple(draw.choice((4, 6, 8)) for _ in range(stages)) if wide else (6, 8, 10),
        tuple(((3, 3), (1, 3))[wide and draw.random() < 0.2] for _ in range(stages)),
        ((1, 1), *((2, 2) for _ in range(stages - 1))),
        tuple(draw.choice((1, 2)) for _ in range(stages)) if wide else (2,) * stages,
        (1,) * (stages - 1),
        5 if residual else 0,
        (),
    )
    size = 2 ** (stages - 1) * (draw.choice((4, 5, 6)) if wide else 5)
    task = picture(plan.channels, plan.classes, (size, size), "normalised grey levels")
    return Subject(f"segmentation-{seed}", drawn(UNet(plan), seed), task, **changes)


def texts(seed: int, **changes: Any) -> Subject:
    """A member of the keyboard-layout family."""
    draw = random.Random(seed)
    wide = seed > 0
    kind = draw.choice(("ensemble", "cnn", "transformer", "basic")) if wide else "ensemble"
    heads = draw.choice((2, 4)) if wide else 4
    cnn = layout.CNNPlan(
        189, 8, draw.choice((4, 6)), (10, 12), (3, 5), 8, 3, (16, 12), 9,
    )  # fmt: skip
    length = 20
    transformer = layout.TransformerPlan(
        vocabulary=189, width=16, table=(1, 32, 16), encoder="transformer",
        layers=draw.choice((1, 2)), heads=heads, feed_forward=24,
        final_norm=wide and draw.random() < 0.5, norm_first=wide and draw.random() < 0.5,
        activation=draw.choice(("gelu", "relu")) if wide else "gelu",
        scale=4.0 if wide and draw.random() < 0.3 else 1.0, hidden=8, classes=9,
    )  # fmt: skip
    module: nn.Module
    if kind == "basic":
        module = layout.BasicCNN(layout.BasicPlan(189, 8, (8, 12), (3, 3), 1, 9))
    elif kind == "cnn":
        module = layout.CNN(cnn)
    elif kind == "transformer":
        module = layout.Transformer(transformer)
    else:
        module = layout.Ensemble(cnn, transformer, ())
    ids = Port("input_ids", "tensor", "int32", (1, length), meaning="ids", value_range=(0, 188))
    scores = Port("classLogits", "tensor", "float32", (1, 9), meaning="logits", class_axis=1)
    task = Task("classification", (ids,), (scores,), labels=CLASSES, activation="softmax")
    module = drawn(module, seed, 2.0)
    with torch.no_grad():
        for name, value in module.state_dict().items():
            if name.endswith("pos_encoder.pe"):
                steps = torch.arange(32)[:, None] * 10_000.0 ** (-torch.arange(8) / 8)
                value.copy_(torch.stack([steps.sin(), steps.cos()], 2).reshape(value.shape))
    return Subject(f"texts-{seed}", module, task, **changes)


def diffusion(seed: int, **changes: Any) -> Subject:
    """A member of guided-diffusion's family."""
    draw = random.Random(seed)
    wide = seed > 0
    config = Config(
        in_channels=1, out_channels=2, model_channels=8, num_res_blocks=1,
        attention_resolutions=(2,), channel_mult=(1, 2),
        num_heads=draw.choice((1, 2, 4)) if wide else 2,
        use_scale_shift_norm=not wide or draw.random() < 0.5,
        resblock_updown=wide and draw.random() < 0.5,
        use_new_attention_order=wide and draw.random() < 0.5,
        conv_resample=not wide or draw.random() < 0.7,
        norm_groups=4,
    )  # fmt: skip
    x = Port("x", "tensor", "float32", (1, 1, 8, 8), meaning="normalised values of the noisy image",
             value_range=(-1.0, 1.0))  # fmt: skip
    t = Port("timesteps", "tensor", "int32", (1,), meaning="timestep", value_range=(0.0, 999.0))
    out = Port("prediction", "tensor", "float32", (1, 2, 8, 8), meaning="predicted noise")
    network = drawn(Diffusion(config), seed, 1.0)
    return Subject(f"diffusion-{seed}", network, Task("diffusion", (x, t), (out,)), **changes)


# ----------------------------------------------------------------------------------- small networks
def toy(seed: int = 0, **changes: Any) -> Subject:
    """Convolutions, an instance norm, two slopes, a skip connection."""
    network = drawn(toys.net(seed=seed), seed + 50)
    return Subject("toy", network, toys.task(), **changes)


class Enlarged(nn.Module):
    """Up-sampling by interpolation, padding by reflection, two convolutions."""

    def __init__(self, mode: str = "bilinear", padding: str = "reflect") -> None:
        super().__init__()
        self.one = nn.Conv2d(2, 6, 3, padding=1, padding_mode=padding)
        self.norm = nn.BatchNorm2d(6)
        self.two = nn.Conv2d(6, 3, 3, 2, padding=1)
        self.mode, self.corners = mode, False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.gelu(self.norm(self.one(x)))
        corners = self.corners if self.mode == "bilinear" else None
        x = F.interpolate(x, scale_factor=2.0, mode=self.mode, align_corners=corners)
        out: torch.Tensor = self.two(x)
        return out


def enlarged(**changes: Any) -> Subject:
    return Subject("enlarged", drawn(Enlarged(), 3), picture(2, 3, (8, 8)), **changes)


class Two(nn.Module):
    """Two outputs of one shape."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(2, 6, 3, padding=1)
        self.first = nn.Conv2d(6, 3, 1)
        self.second = nn.Conv2d(6, 3, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = torch.tanh(self.body(x))
        return self.first(x), self.second(x)


def two(**changes: Any) -> Subject:
    task = picture(2, 3, (8, 8))
    ports = tuple(
        Port(name, "tensor", "float32", (1, 3, 8, 8), meaning="values") for name in ("one", "other")
    )
    both = Task("module", task.inputs, ports)
    return Subject("two outputs", drawn(Two(), 4), both, **changes)


# ----------------------------------------------------------------------------------- random modules
class Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = x + torch.relu(self.conv(x))
        return out


class Joined(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.one = nn.Conv2d(channels, channels // 2, 1)
        self.other = nn.Conv2d(channels, channels - channels // 2, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.one(x), self.other(x)], dim=1)


class Attending(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, c, h, w = x.shape
        rows = x.flatten(2).transpose(1, 2)
        q, k, v = self.qkv(self.norm(rows)).reshape(n, h * w, 3, 2, c // 2).permute(2, 0, 3, 1, 4)
        scores = torch.softmax(q @ k.transpose(-1, -2) / (c // 2) ** 0.5, dim=-1)
        mixed = (scores @ v).transpose(1, 2).reshape(n, h * w, c)
        return x + self.out(mixed).transpose(1, 2).reshape(n, c, h, w)


def module(seed: int, **changes: Any) -> Subject:
    """A small random module of layers that networks are made of."""
    draw = random.Random(1000 + seed)
    channels, classes = draw.choice((1, 2, 3)), draw.choice((2, 3, 4))
    width = draw.choice((4, 8))
    layers: list[nn.Module] = [nn.Conv2d(channels, width, draw.choice((1, 3)), padding="same")]
    for _ in range(draw.choice((2, 3, 4, 5))):
        layers.append(_layer(draw, width))
    layers.append(nn.Conv2d(width, classes, 1))
    return Subject(
        f"module-{seed}", drawn(nn.Sequential(*layers), seed), picture(channels, classes, (8, 8)),
        **changes,
    )  # fmt: skip


def _layer(draw: random.Random, width: int) -> nn.Module:
    makers: tuple[Any, ...] = (
        lambda: nn.BatchNorm2d(width, draw.choice((1e-5, 1e-3))),
        lambda: nn.GroupNorm(2, width),
        lambda: nn.InstanceNorm2d(width, affine=True),
        lambda: nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width)),
        lambda: nn.Conv2d(width, width, 3, padding=1, groups=draw.choice((1, 2, width))),
        lambda: nn.Conv2d(width, width, 3, padding=1, padding_mode="reflect"),
        lambda: nn.Sequential(
            nn.Conv2d(width, width, 2, 2), nn.ConvTranspose2d(width, width, 2, 2)
        ),
        lambda: nn.Sequential(nn.MaxPool2d(2), nn.Upsample(scale_factor=2, mode="nearest")),
        lambda: nn.Sequential(
            nn.AvgPool2d(2), nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        ),
        lambda: nn.LeakyReLU(draw.choice((0.01, 0.1, 0.2))),
        nn.GELU,
        nn.SiLU,
        nn.Tanh,
        nn.Hardswish,
        lambda: nn.ELU(0.5),
        lambda: nn.PReLU(width),
        lambda: Residual(width),
        lambda: Joined(width),
        lambda: Attending(width),
    )
    made: nn.Module = draw.choice(makers)()
    return made
