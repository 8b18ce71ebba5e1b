"""How users save their networks: each form writes one, and says how it is named afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

#: Of a sharded file.
PARTS = 2
#: Samples of which norms take their statistics.
SEEN = 8


def alive(module: nn.Module, seed: int = 0) -> nn.Module:
    """The module with values that no fresh one has: norms that have seen data, nothing constant."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in module.named_parameters():
            if value.numel() > 1 and bool((value == value.flatten()[0]).all()):
                value.add_(0.2 * torch.randn(value.shape, generator=draw).to(value.dtype))
            elif value.numel() == 1 and "scale" not in name:
                value.add_(0.1)
        for name, value in module.named_buffers():
            if name.endswith("running_mean"):
                value.copy_(0.2 * torch.randn(value.shape, generator=draw))
            elif name.endswith("running_var"):
                value.copy_(0.5 + torch.rand(value.shape, generator=draw))
            elif name.endswith("num_batches_tracked"):
                value.fill_(100)
    return module.eval()


def trained(module: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> nn.Module:
    """The module with batch norms that have seen data, as after training: with any other statistics
    a deep narrow network gives the same whatever it is fed, or its values grow from layer to layer.

    The data are `SEEN` samples with coarse and fine structure, in the inputs' shapes. A channel in
    which nothing varies counts as a tenth of an average one. A norm's weight is about one, and
    where all varies by less than the norm's epsilon, behind a fresh layer of tiny weights, more.
    """
    draw = torch.Generator().manual_seed(3)

    def seen(norm: Any, values: Any) -> None:
        axes = [axis for axis in range(values[0].dim()) if axis != 1]
        spread = values[0].var(axes, correction=0)
        average = float(spread.mean()) or 1.0
        norm.running_mean.mul_(average**0.5 / 10).add_(values[0].mean(axes))
        norm.running_var.mul_(spread.clamp(min=average / 10))
        if norm.affine:
            if norm.weight.abs().mean() < 0.1:  # some libraries draw it about zero
                norm.weight.copy_(1 + 0.2 * torch.randn(norm.weight.shape, generator=draw))
            norm.weight.mul_((1 + norm.eps / average) ** 0.5)

    norms = [
        one
        for one in module.modules()
        if isinstance(one, nn.modules.batchnorm._BatchNorm) and one.running_var is not None
    ]
    if not norms:
        return module
    hooks = [one.register_forward_pre_hook(seen) for one in norms]
    with torch.no_grad():
        seen_by = torch.utils._pytree.tree_map(lambda one: _samples(one, draw), (given, named))
        module(*seen_by[0], **seen_by[1])
    for one in hooks:
        one.remove()
    return module


def _samples(example: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    if not example.is_floating_point() or example.dim() < 3:
        return example.repeat_interleave(SEEN, 0) if example.dim() else example
    _, channels, *sizes = example.shape
    coarse = torch.randn(SEEN, channels, *(2 for _ in sizes), generator=draw)
    fine = torch.randn(SEEN, channels, *sizes, generator=draw)
    return 2 * nn.functional.interpolate(coarse, sizes) + fine


def _saved(value: Any, path: Path, **how: Any) -> Path:
    torch.save(value, path, **how)
    return path


def _prefixed(prefix: str, **beside: Any) -> Callable[[nn.Module, Path, Any], Path]:
    def write(module: nn.Module, folder: Path, _: Any) -> Path:
        state = {prefix + name: value for name, value in module.state_dict().items()}
        return _saved({"state_dict": state, **beside} if beside else state, folder / "net.pth")

    return write


def _trainer(module: nn.Module, folder: Path, _: Any) -> Path:
    optimizer = torch.optim.AdamW(module.parameters())
    for one in module.parameters():
        one.grad = torch.zeros_like(one)
    optimizer.step()
    whole = {"epoch": 3, "model": module.state_dict(), "optimizer": optimizer.state_dict()}
    return _saved(whole, folder / "last.pt")


def _distinct(module: nn.Module) -> dict[str, torch.Tensor]:
    """The state, each storage once: what safetensors takes."""
    seen: dict[int, str] = {}
    state = module.state_dict()
    kept = {n: t for n, t in state.items() if seen.setdefault(t.data_ptr() or id(t), n) == n}
    return {name: value.clone().contiguous() for name, value in kept.items()}


def _safetensors(module: nn.Module, folder: Path, _: Any) -> Path:
    from safetensors.torch import save_file

    save_file(_distinct(module), folder / "model.safetensors")
    return folder / "model.safetensors"


def _sharded(module: nn.Module, folder: Path, _: Any) -> Path:
    from safetensors.torch import save_file

    state = _distinct(module)
    names = list(state)
    files = {}
    for part in range(PARTS):
        own = names[part::PARTS]
        file = f"model-{part + 1:05d}-of-{PARTS:05d}.safetensors"
        save_file({name: state[name] for name in own}, folder / file)
        files |= dict.fromkeys(own, file)
    index = {"metadata": {}, "weight_map": files}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


def _half(module: nn.Module, folder: Path, _: Any) -> Path:
    state = module.state_dict()
    low = {n: t.half() if t.is_floating_point() else t for n, t in state.items()}
    return _saved(low, folder / "net_fp16.pth")


def _averaged(module: nn.Module, folder: Path, _: Any) -> Path:
    state = {f"online_model.{name}": value + 1 for name, value in module.state_dict().items()}
    state |= {f"ema_model.{name}": value for name, value in module.state_dict().items()}
    return _saved(state, folder / "ema.pth")


def _program(module: nn.Module, folder: Path, inputs: Any) -> Path:
    with torch.no_grad():
        program = torch.export.export(module, inputs[0], inputs[1])
    torch.export.save(program, folder / "net.pt2")
    return folder / "net.pt2"


def _script(module: nn.Module, folder: Path, inputs: Any) -> Path:
    with torch.no_grad():
        traced = torch.jit.trace(  # type: ignore[no-untyped-call]
            module, inputs[0], example_kwarg_inputs=inputs[1] or None, check_trace=False,
            strict=False,
        )  # fmt: skip
    traced.save(str(folder / "net.pt"))
    return folder / "net.pt"


def _folder(module: Any, folder: Path, _: Any) -> Path:
    module.save_pretrained(folder)
    return folder


def _lightning(module: Any, folder: Path, _: Any) -> Path:
    import lightning

    trainer = lightning.Trainer(logger=False, enable_checkpointing=False, accelerator="cpu",
                                enable_progress_bar=False, enable_model_summary=False)  # fmt: skip
    trainer.strategy.connect(module)
    trainer.save_checkpoint(folder / "last.ckpt")
    return folder / "last.ckpt"


#: By the name that the table has.
FORMS: dict[str, Callable[[Any, Path, Any], Path]] = {
    "state dict": _prefixed(""),
    "trainer's dict": _trainer,
    "safetensors": _safetensors,
    "legacy pickle": lambda m, f, _: _saved(
        m.state_dict(), f / "net.pth", _use_new_zipfile_serialization=False
    ),
    "DataParallel": _prefixed("module."),
    "compiled": _prefixed("_orig_mod.", epoch=1),
    "averaged": _averaged,
    "whole module": lambda m, f, _: _saved(m, f / "net.pt"),
    "half precision": _half,
    "torch.export": _program,
    "TorchScript": _script,
    "live module": _prefixed(""),
    "sharded safetensors": _sharded,
    "Hugging Face folder": _folder,
    "diffusers folder": _folder,
    "Lightning": _lightning,
}
