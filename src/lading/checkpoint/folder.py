"""nnU-Net's model folders: ``nnUNetTrainer__nnUNetPlans__2d/fold_N/checkpoint_*.pth``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lading.checkpoint import nesting
from lading.errors import CheckpointError, RequestError

#: Which checkpoint of a fold is taken, the first that is there; nnU-Net predicts with `final`.
STAGES = ("final", "best", "latest")
_SIDES = ("plans.json", "dataset.json")
#: A side file beyond this is none of nnU-Net's.
_MAX_SIDE = 64 << 20


def find(path: Path, fold: str | None, stage: str | None) -> tuple[Path, list[str]]:
    """The checkpoint of a model folder (or of one of its fold folders), and the steps taken.

    Args:
        path: an existing folder.
        fold: ``"0"``, ``"all"``, ...; None where there is only one.
        stage: one of `STAGES`, or None for the first of them that is there.

    Raises:
        CheckpointError: `path` is no model folder, or the fold or the stage is not there.
        RequestError: there are several folds and none was named.
    """
    if (path / "Manifest.json").exists():
        raise CheckpointError(
            str(path),
            found="a Core ML package, the result of a conversion",
            expected="a checkpoint",
            remedy="give the PyTorch checkpoint that it was made from",
        )
    steps: list[str] = []
    if _checkpoints(path):
        chosen = path
    else:
        chosen, steps = _fold(path, fold)
    stages = _checkpoints(chosen)
    if stage is not None and stage not in stages:
        raise CheckpointError(
            str(chosen),
            found=f"no checkpoint_{stage}.pth, but {', '.join(stages)}",
            expected=f"checkpoint_{stage}.pth",
            remedy=f"use --which {next(iter(stages))}",
        )
    taken = stage or next(one for one in STAGES if one in stages)
    others = [one for one in stages if one != taken]
    step = f"took checkpoint_{taken}.pth of {chosen.name}"
    if others and stage is None:
        step += f" (--which takes the others: {', '.join(others)})"
    return stages[taken], [*steps, step]


def _checkpoints(folder: Path) -> dict[str, Path]:
    found = {stage: folder / f"checkpoint_{stage}.pth" for stage in STAGES}
    return {stage: file for stage, file in found.items() if file.is_file()}


def _fold(path: Path, fold: str | None) -> tuple[Path, list[str]]:
    folds = {
        one.name.removeprefix("fold_"): one
        for one in sorted(path.glob("fold_*"))
        if one.is_dir() and _checkpoints(one)
    }
    if not folds:
        models = sorted(one.name for one in path.iterdir() if one.is_dir() and "__" in one.name)
        raise CheckpointError(
            str(path),
            found=f"a folder of model folders: {', '.join(models[:5])}"
            if models
            else "a folder without a checkpoint",
            expected="a checkpoint file, or an nnU-Net model folder with fold_N/checkpoint_*.pth",
            remedy=f"give {path / models[0]}" if models else "give the checkpoint file itself",
        )
    if fold is None and len(folds) > 1:
        raise RequestError(
            str(path),
            found=f"several folds: {', '.join(folds)}",
            expected="one fold",
            remedy=f"use --fold {next(iter(folds))}",
        )
    name = next(iter(folds)) if fold is None else fold.removeprefix("fold_")
    if name not in folds:
        raise CheckpointError(
            str(path),
            found=f"no fold {name}, but {', '.join(folds)}",
            expected=f"fold_{name} with a checkpoint",
            remedy=f"use --fold {next(iter(folds))}",
        )
    return folds[name], [] if fold else [f"took fold {name}, the only one"]


def sides(file: Path) -> dict[str, Any]:
    """plans.json and dataset.json of the model folder that `file` lies in; empty outside one.

    Raises:
        CheckpointError: one of them is no JSON.
    """
    home = file.parent.parent if file.parent.name.startswith("fold_") else file.parent
    if not (home / "plans.json").is_file():
        return {}
    return {name: _json(home / name) for name in _SIDES if (home / name).is_file()}


def _json(file: Path) -> Any:
    try:
        if file.stat().st_size > _MAX_SIDE:
            raise ValueError(f"{file.stat().st_size:,} bytes")
        value = json.loads(file.read_bytes())
        if wrong := nesting.fault(value):
            raise ValueError(wrong)
        return value
    except (OSError, ValueError, RecursionError) as problem:
        raise CheckpointError(
            str(file),
            found=f"no readable JSON: {_told(problem)}",
            expected="the JSON that nnU-Net wrote",
            remedy="copy it again from the model folder, or move it away",
        ) from None


def _told(problem: Exception) -> str:
    return "nested too deep" if isinstance(problem, RecursionError) else str(problem)[:200]
