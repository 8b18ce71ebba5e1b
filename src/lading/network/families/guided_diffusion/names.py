"""What a configuration says, under the names of guided-diffusion's command line and of RePaint's.

Nothing of it is followed but plain names and values; sections may lie in one another.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from lading.errors import RequestError
from lading.record.values import parse, show

#: Names that describe the network and its diffusion, each to the hyper-parameter's name.
KNOWN = {
    "image_size": "image_size",
    "large_size": "large_size",
    "small_size": "small_size",
    "in_channels": "in_channels",
    "out_channels": "out_channels",
    "num_channels": "model_channels",
    "model_channels": "model_channels",
    "num_res_blocks": "num_res_blocks",
    "attention_resolutions": "attention_resolutions",
    "channel_mult": "channel_mult",
    "conv_resample": "conv_resample",
    "dims": "dims",
    "class_cond": "class_cond",
    "num_classes": "num_classes",
    "num_heads": "num_heads",
    "num_head_channels": "num_head_channels",
    "num_heads_upsample": "num_heads_upsample",
    "use_scale_shift_norm": "use_scale_shift_norm",
    "resblock_updown": "resblock_updown",
    "use_new_attention_order": "use_new_attention_order",
    "learn_sigma": "learn_sigma",
    "sigma_small": "sigma_small",
    "diffusion_steps": "diffusion_steps",
    "noise_schedule": "noise_schedule",
    "timestep_respacing": "timestep_respacing",
    "predict_xstart": "predict_xstart",
    "rescale_timesteps": "rescale_timesteps",
    "rescale_learned_sigmas": "rescale_learned_sigmas",
}
#: Names that say nothing of the converted network: training, sampling runs, files, other networks.
ELSEWHERE = frozenset({
    "anneal_lr", "attention_type", "base_name", "base_samples", "batch_size", "clip_denoised",
    "cond_y", "conf_name", "data", "data_dir", "deterministic_cudnn", "dropout", "ema_rate",
    "eval_interval", "fp16_scale_growth", "inpa_inj_sched_prev", "inpa_inj_sched_prev_cumnoise",
    "iterations", "jump_length", "jump_n_sample", "latex_name", "log_interval", "lr",
    "lr_anneal_steps", "lr_kernel_n_std", "max_len", "mean_type", "method_name", "microbatch",
    "model_path", "n_iter", "n_jobs", "n_sample", "name", "noised", "num_samples",
    "overfit_single_batch", "print_estimated_vars", "resume_checkpoint", "save_interval",
    "schedule_jump_params", "schedule_sampler", "seed", "show_progress", "t_T", "use_checkpoint",
    "use_ddim", "use_fp16", "use_kl", "val_data_dir", "weight_decay",
})  # fmt: skip
#: Sections that describe something else than the network.
OTHER_SECTIONS = frozenset({"data", "schedule_jump_params", "classifier", "optimizer", "logging"})
#: Where trainers keep their arguments in the file.
SECTIONS = frozenset({
    "args", "cfg", "conf", "config", "diffusion", "diffusion_config", "hparams",
    "hyper_parameters", "hyperparameters", "model_args", "model_config", "model_kwargs", "opt",
    "options",
})  # fmt: skip
#: guided-diffusion's and improved-diffusion's widths where `channel_mult` is left empty.
USUAL_MULT = {
    512: [0.5, 1, 1, 2, 2, 4, 4],
    256: [1, 1, 2, 2, 4, 4],
    128: [1, 1, 2, 3, 4],
    64: [1, 2, 3, 4],
    32: [1, 2, 2, 2],
}
#: What a configuration may nest; deeper is not one.
MAX_DEPTH = 16


def of_config(values: Mapping[str, Any], file: str) -> tuple[dict[str, Any], list[str]]:
    """The hyper-parameters in a configuration, and the names in it that lading does not know.

    Args:
        values: as read from the file.
        file: its name, for errors.

    Raises:
        RequestError: a name is nearly a known one, stands for two values, or none is known.
    """
    found: dict[str, Any] = {}
    unread: list[str] = []
    for path, value in _leaves(values):
        key = path[-1]
        if key in KNOWN:
            name = KNOWN[key]
            if name in found and found[name] != value:
                raise RequestError(
                    f"--config {file}: {'.'.join(path)}",
                    found=f"{show(value)}, and {show(found[name])} elsewhere in the file",
                    expected=f"one value for {name}",
                    remedy="leave one of them out",
                )
            found[name] = value
        elif key not in ELSEWHERE and not key.startswith("classifier_"):
            near = difflib.get_close_matches(key, KNOWN, n=1, cutoff=0.8)
            if near:
                raise RequestError(
                    f"--config {file}: {'.'.join(path)}",
                    found=f"the unknown name {key!r}",
                    expected="names of guided-diffusion, such as num_heads or noise_schedule",
                    remedy=f"did you mean {near[0]}?",
                )
            unread.append(".".join(path))
    if not found:
        raise RequestError(
            f"--config {file}",
            found="no name that describes a diffusion UNet"
            + (f", but {', '.join(unread[:5])}" if unread else ""),
            expected="names of guided-diffusion, such as num_heads or noise_schedule",
            remedy="give the configuration that the network was trained with",
        )
    return found, unread


def embedded(metadata: Mapping[str, Any]) -> dict[str, tuple[Any, str]]:
    """What the trainer's own arguments in the file say: name -> (value, where).

    Looked for at the file's top and in the sections of `SECTIONS`; a name that stands twice with
    different values is left to the first.
    """
    found: dict[str, tuple[Any, str]] = {}
    sections = [("", metadata)] + [
        (key, value)
        for key, value in metadata.items()
        if key in SECTIONS and isinstance(value, Mapping)
    ]
    for above, section in sections:
        leaves: Iterator[tuple[tuple[str, ...], Any]]
        if above:
            leaves = _leaves(section)
        else:
            leaves = (((k,), v) for k, v in section.items() if _is_leaf(v))
        for path, value in leaves:
            if path[-1] in KNOWN:
                where = ".".join([above, *path] if above else path)
                found.setdefault(KNOWN[path[-1]], (value, where))
    return found


def translated(
    found: Mapping[str, Any], levels: int, attends: list[int]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Hyper-parameters of the network from those of a configuration, and remarks on some.

    `attention_resolutions` are image sizes in a configuration, and down-sampling factors in the
    network. Where the image size is not said, the resolutions say it: the factors are in the
    tensors. An empty `channel_mult` stands for the usual one of the image size.

    Args:
        found: from `of_config` or `embedded`.
        levels: of the network, which the tensors say.
        attends: the factors, which the tensors say.
    """
    values = {name: _plain(value) for name, value in found.items()}
    remarks: dict[str, str] = {}
    large, small = values.pop("large_size", None), values.pop("small_size", None)
    if large is not None:
        values.setdefault("image_size", large)
        remarks["image_size"] = "large_size"
    if large is not None or small is not None:
        values["super_resolution"] = True
        remarks["super_resolution"] = "large_size, small_size"
    if small is not None:
        values["small_size"] = small
    if not values.get("class_cond", True):
        values.pop("num_classes", None)
    size = values.get("image_size")
    mult = values.get("channel_mult")
    if mult in ("", None, []):
        values.pop("channel_mult", None)
        if mult == "" and large is None and size in USUAL_MULT:
            values["channel_mult"] = USUAL_MULT[size]
            remarks["channel_mult"] = f"channel_mult '', image_size {size}"
    at = values.pop("attention_resolutions", None)
    if at is not None:
        at = [at] if isinstance(at, int) else at
        if at in ("", []):
            values["attention_resolutions"] = []
        elif _whole(at):
            if size is None and attends and min(at) > 0:
                size = values["image_size"] = max(attends) * min(at)
                remarks["image_size"] = f"attention_resolutions {show(at)} beside the tensors"
            if isinstance(size, int) and all(at):
                factors = {size // one for one in at}
                usable = {2**level for level in range(levels)}
                values["attention_resolutions"] = sorted(factors & usable)
                remarks["attention_resolutions"] = f"{show(at)} of {size}"
        else:
            values["attention_resolutions"] = at
    if values.get("timestep_respacing") is not None:
        values["timestep_respacing"] = show(values["timestep_respacing"])
    return values, remarks


def _plain(value: Any) -> Any:
    """Texts of a command line as what they say: "32,16,8" as numbers, "" as it is."""
    return parse(value) if isinstance(value, str) and value.strip() else value


def _whole(values: Any) -> bool:
    return isinstance(values, list) and all(type(one) is int and one > 0 for one in values)


def _is_leaf(value: Any) -> bool:
    return value is None or isinstance(value, (str, int, float, bool, list, tuple))


def _leaves(
    values: Mapping[str, Any], above: tuple[str, ...] = (), seen: set[int] | None = None
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every named value that is no section, with the names that lead to it.

    A section that several names share says the same under each: it is read once.
    """
    seen = set() if seen is None else seen
    if len(above) > MAX_DEPTH or id(values) in seen:
        return
    seen.add(id(values))
    for key, value in values.items():
        path = (*above, str(key))
        if isinstance(value, Mapping):
            if str(key) not in OTHER_SECTIONS:
                yield from _leaves(value, path, seen)
        else:
            yield path, list(value) if isinstance(value, tuple) else value
