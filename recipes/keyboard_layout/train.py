"""Trains the ensemble on phrases drawn without end; stops and resumes where it was.

    python -m recipes.keyboard_layout.train --work build/layout [--minutes 60] [--seed 0]

Run from the repository's root. `--minutes` counts time spent training, over all runs together; the
learning rate follows it (one cycle). Every few minutes the state goes to `WORK/state.pt`, a line to
`WORK/log.jsonl`, and the best ensemble on held-out words so far to `WORK/keyboard_layout.pth`.

Three things make it learn quickly on a small computer:

- Characters of one key begin with the same embedding, plus a vector for their script. What the
  network learns about a sequence of keys in one script then helps in the other two.
- The first half of the time goes to short phrases at a width of 12 in place of 20: half the work,
  and short phrases are where the mistakes are.
- Both parts are trained on the same batch, each with its own loss and the blend with a third.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from recipes.keyboard_layout.layouts import LANGUAGES, STROKES
from recipes.keyboard_layout.network import LayoutEnsemble
from recipes.keyboard_layout.phrases import LABELS, VOCABULARY, Habits, Phrases, encode, script

BATCH = 64
PEAK_CNN, PEAK_TRANSFORMER, WEIGHT_DECAY, CLIP = 2e-3, 1e-3, 0.02, 1.0
WARM = 0.06
#: share of the time at the short width, that width, and the longest phrase drawn meanwhile
SHORT, SHORT_WIDTH, SHORT_LONGEST = 0.5, 12, 11
SLIP = 0.12
#: phrases of held-out words looked at while training, and every how many seconds
LOOK, EVERY = 4_000, 180.0
PATIENCE = 8

Pair = tuple[torch.Tensor, torch.Tensor]


def share_keys(model: LayoutEnsemble, seed: int) -> None:
    """Gives characters that stand on one key the same embedding, plus a vector of their script."""
    luck = torch.Generator().manual_seed(seed)
    keys = torch.randn(64, 128, generator=luck)
    scripts = {name: torch.randn(128, generator=luck) for name in (*LANGUAGES, "")}
    own = torch.randn(len(VOCABULARY), 128, generator=luck)
    for table in (model.cnn.embedding, model.transformer.embedding):
        with torch.no_grad():
            for place, character in enumerate(VOCABULARY, 1):
                name = script(character)
                stroke = STROKES[name or "en"].get(character)
                if stroke is not None:
                    vector = keys[stroke[0]] + 0.7 * scripts[name] + 0.2 * own[place - 1]
                    table.weight[place] = 0.8 * vector


def batch(phrases: Phrases, count: int, width: int) -> Pair:
    """`count` phrases: ids [count, width] int64 and classes [count] int64."""
    texts, labels = zip(*(phrases.draw() for _ in range(count)), strict=True)
    ids = torch.tensor([encode(text)[:width] for text in texts])
    return ids, torch.tensor(labels)


@torch.no_grad()
def accuracy(model: torch.nn.Module, held: Pair) -> float:
    """Share of phrases whose highest score is their class."""
    model.eval()
    hits = sum(
        int((model(ids).argmax(1) == labels).sum())
        for ids, labels in zip(held[0].split(500), held[1].split(500), strict=True)
    )
    return hits / len(held[1])


def rate(done: float) -> float:
    """One cycle: a straight rise to 1 over the first `WARM` of the time, then half a cosine to 0.

    >>> rate(0.03), rate(0.06), round(rate(1.0), 12)
    (0.5, 1.0, 0.0)
    """
    if done < WARM:
        return done / WARM
    return 0.5 * (1 + math.cos(math.pi * min((done - WARM) / (1 - WARM), 1.0)))


def losses(model: LayoutEnsemble, ids: torch.Tensor, labels: torch.Tensor) -> list[torch.Tensor]:
    """Cross-entropy of the blend, of the CNN and of the transformer."""
    first, second = model.cnn(ids), model.transformer(ids)
    scores = (model.blend(first, second), first, second)
    return [F.cross_entropy(one, labels) for one in scores]


def train(work: Path, minutes: float, seed: int) -> None:
    """Trains, or goes on from `work`'s state."""
    work.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    model = LayoutEnsemble()
    share_keys(model, seed)
    groups = [
        {"params": list(model.cnn.parameters()), "peak": PEAK_CNN},
        {"params": list(model.transformer.parameters()), "peak": PEAK_TRANSFORMER},
    ]
    optimiser = torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.98), weight_decay=WEIGHT_DECAY)
    # The two blend scalars stay at 0.6 and 0.4: trained, they would follow the training words.
    model.weight_cnn.requires_grad_(False)
    model.weight_transformer.requires_grad_(False)
    state: dict[str, Any] = {"spent": 0.0, "step": 0, "best": 0.0, "waited": 0}
    if (work / "state.pt").exists():
        kept = torch.load(work / "state.pt", weights_only=True)
        model.load_state_dict(kept["model"])
        optimiser.load_state_dict(kept["optimiser"])
        state = kept["state"]
        print(f"resumed at step {state['step']}, {state['spent'] / 60:.1f} minutes", flush=True)
    held = batch(Phrases(1, validation=True, habits=Habits()), LOOK, 20)
    first = seed * 1_000_000 + state["step"] + 10
    streams = {
        width: Phrases(first + width, validation=False, habits=Habits(slip=SLIP), longest=longest)
        for width, longest in ((SHORT_WIDTH, SHORT_LONGEST), (20, 20))
    }
    budget, looked = minutes * 60, time.monotonic()
    running: list[float] = []
    while state["spent"] < budget and state["waited"] < PATIENCE:
        begun = time.monotonic()
        done = state["spent"] / budget
        width = SHORT_WIDTH if done < SHORT else 20
        for group in optimiser.param_groups:
            group["lr"] = group["peak"] * rate(done)
        model.train()
        ids, labels = batch(streams[width], BATCH, width)
        parts = losses(model, ids, labels)
        optimiser.zero_grad(set_to_none=True)
        torch.stack(parts).sum().backward()
        for group in optimiser.param_groups:
            torch.nn.utils.clip_grad_norm_(group["params"], CLIP)
        optimiser.step()
        running.append(float(parts[0].detach()))
        state["step"] += 1
        state["spent"] += time.monotonic() - begun
        if time.monotonic() - looked >= EVERY or state["spent"] >= budget:
            look(model, optimiser, state, held, work, sum(running) / len(running), width)
            looked, running = time.monotonic(), []


def look(
    model: LayoutEnsemble,
    optimiser: torch.optim.Optimizer,
    state: dict[str, Any],
    held: Pair,
    work: Path,
    loss: float,
    width: int,
) -> None:
    """Measures on held-out words, writes the log, the state, and the best checkpoint so far."""
    line = {
        "step": state["step"],
        "minutes": round(state["spent"] / 60, 2),
        "width": width,
        "loss": round(loss, 4),
        "ensemble": accuracy(model, held),
        "cnn": accuracy(model.cnn, held),
        "transformer": accuracy(model.transformer, held),
    }
    print(json.dumps(line), flush=True)
    with (work / "log.jsonl").open("a") as log:
        log.write(json.dumps(line) + "\n")
    if line["ensemble"] > state["best"]:
        state.update(best=line["ensemble"], waited=0)
        kept = {
            "epoch": state["step"],
            "model_state_dict": model.state_dict(),
            "val_accuracy": line["ensemble"],
            "classes": list(LABELS),
        }
        torch.save(kept, work / "keyboard_layout.pth")
    elif width == 20:
        state["waited"] += 1
    parts = {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "state": state}
    torch.save(parts, work / "state.tmp")
    (work / "state.tmp").replace(work / "state.pt")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--work", type=Path, default=Path("build/layout"))
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    train(given.work, given.minutes, given.seed)


if __name__ == "__main__":
    main()
