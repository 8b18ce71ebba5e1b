"""Measures the trained ensemble on phrases of words that it never saw.

    python -m recipes.keyboard_layout.evaluate FILE [--count 20000] [--log WORK/log.jsonl]

Run from the repository's root. Prints accuracy of the ensemble and of its parts, by class and by
length, with and without slips of the finger, and counts the strings that stand for two classes.
With `--log` it draws the curve and the confusion matrix beside this file.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image, ImageDraw

from recipes.keyboard_layout.layouts import LANGUAGES, keys_of, press
from recipes.keyboard_layout.network import LayoutEnsemble
from recipes.keyboard_layout.phrases import (
    CLASSES,
    LABELS,
    SHORTEST,
    Habits,
    Phrases,
    encode,
    lexicon,
    tells,
)

HERE = Path(__file__).parent
#: seeds of the phrases measured here; training looks at seed 1
CLEAN, SLIPPED = 101, 102


@dataclass(frozen=True)
class Measured:
    """What the parts said of some phrases.

    Attributes:
        texts: the phrases.
        labels: their classes, [N].
        answers: per part ("ensemble", "cnn", "transformer"), the class with the highest score, [N].
    """

    texts: Sequence[str]
    labels: torch.Tensor
    answers: dict[str, torch.Tensor]

    def accuracy(self, part: str = "ensemble") -> float:
        return float((self.answers[part] == self.labels).double().mean())

    def confusion(self) -> torch.Tensor:
        """Phrases of class (row) that the ensemble took for class (column), [9, 9]."""
        pairs = self.labels * len(LABELS) + self.answers["ensemble"]
        counts = torch.bincount(pairs, minlength=len(LABELS) ** 2)
        return counts.reshape(len(LABELS), len(LABELS))

    def by_length(self) -> dict[int, tuple[int, float]]:
        """Length in characters -> how many phrases, and the ensemble's accuracy on them."""
        hits: dict[int, list[bool]] = defaultdict(list)
        right = self.answers["ensemble"] == self.labels
        for text, hit in zip(self.texts, right.tolist(), strict=True):
            hits[len(text)].append(hit)
        return {n: (len(some), sum(some) / len(some)) for n, some in sorted(hits.items())}


def load(path: Path) -> LayoutEnsemble:
    """The ensemble of a checkpoint that `train` wrote, in eval mode."""
    model = LayoutEnsemble()
    model.load_state_dict(torch.load(path, weights_only=True)["model_state_dict"])
    return model.eval()


@torch.no_grad()
def measure(model: LayoutEnsemble, drawn: Iterable[tuple[str, int]]) -> Measured:
    """The answers of all parts on some phrases."""
    texts, labels = zip(*drawn, strict=True)
    said: dict[str, list[torch.Tensor]] = {"ensemble": [], "cnn": [], "transformer": []}
    for ids in torch.tensor([encode(text) for text in texts]).split(500):
        first, second = model.cnn(ids), model.transformer(ids)
        for name, scores in zip(said, (model.blend(first, second), first, second), strict=True):
            said[name].append(scores.argmax(1))
    answers = {name: torch.cat(some) for name, some in said.items()}
    return Measured(texts, torch.tensor(labels), answers)


def draw(seed: int, count: int, slip: float = 0.0) -> list[tuple[str, int]]:
    """Phrases of held-out words as the app sees them: cased, punctuated, perhaps with a slip."""
    phrases = Phrases(seed, validation=True, habits=Habits(slip=slip))
    return [phrases.draw() for _ in range(count)]


def twins() -> dict[str, list[str]]:
    """Strings that one word in one layout and another word in another layout both give.

    Every word of every lexicon, alone and in small letters, through every layout: string -> the
    classes that it may be, where there are two or more. No model can tell these.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for language in LANGUAGES:
        for validation in (False, True):
            for word in lexicon(language, validation=validation).words:
                if len(word) < SHORTEST:
                    continue
                for label, (meant, layout) in zip(LABELS, CLASSES, strict=True):
                    if meant == language:
                        text = press(keys_of(word, meant), layout)
                        if tells(text, layout):
                            found[text].add(label)
    return {text: sorted(labels) for text, labels in found.items() if len(labels) > 1}


# ----------------------------------------------------------------------------------------- pictures
def _curve(log: Path, to: Path) -> None:
    """Accuracy on held-out words over the minutes of training: ensemble, CNN, transformer."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    wide, high, left, top = 720, 360, 60, 20
    image = Image.new("RGB", (wide, high), "white")
    pen = ImageDraw.Draw(image)
    last, low = max(line["minutes"] for line in lines), 0.85

    def at(minutes: float, value: float) -> tuple[float, float]:
        x = left + (wide - left - 20) * minutes / last
        return x, top + (high - top - 40) * (1 - (max(value, low) - low) / (1 - low))

    for tick in range(85, 101, 3):
        y = at(0, tick / 100)[1]
        pen.line([(left, y), (wide - 20, y)], "#dddddd")
        pen.text((10, y - 6), f"{tick} %", "black")
    y = at(0, 0.98)[1]
    pen.line([(left, y), (wide - 20, y)], "#999999")
    pen.text((10, y - 6), "98 %", "#666666")
    for tick in range(0, int(last) + 1, 5):
        pen.text((at(tick, low)[0] - 4, high - 34), str(tick), "black")
    pen.text((wide // 2 - 60, high - 18), "minutes of training", "black")
    colours = {"transformer": "#2a9d8f", "cnn": "#e76f51", "ensemble": "#264653"}
    for row, (name, colour) in enumerate(colours.items()):
        pen.line([at(one["minutes"], one[name]) for one in lines], colour, 2)
        pen.text((wide - 120, high - 110 + 14 * row), name, colour)
    image.save(to)


def _matrix(confusion: torch.Tensor, to: Path) -> None:
    """The confusion matrix in per cent of each row; darker is more, on a scale of roots."""
    cell, left, top = 72, 110, 40
    count = len(LABELS)
    image = Image.new("RGB", (left + cell * count + 10, top + cell * count + 10), "white")
    pen = ImageDraw.Draw(image)
    shares = confusion.double() / confusion.sum(1, keepdim=True)
    for row in range(count):
        pen.text((8, top + cell * row + cell // 2 - 6), LABELS[row], "black")
        pen.text((left + cell * row + 4, 16), LABELS[row], "black")
        for column in range(count):
            share = float(shares[row, column])
            grey = int(255 - 215 * share**0.5)
            x, y = left + cell * column, top + cell * row
            pen.rectangle([x, y, x + cell - 2, y + cell - 2], (grey, grey, 255))
            if share:
                ink = "white" if share > 0.3 else "black"
                pen.text((x + 14, y + cell // 2 - 6), f"{100 * share:.2f}", ink)
    image.save(to)


# ------------------------------------------------------------------------------------------- report
def report(model: LayoutEnsemble, count: int) -> tuple[list[str], Measured]:
    """The tables as lines of text, and the measurement on clean phrases."""
    clean = measure(model, draw(CLEAN, count))
    slipped = measure(model, draw(SLIPPED, count // 4, slip=1.0))
    lines = [f"{count:,} phrases of held-out words, {SHORTEST} to 20 characters", ""]
    for part in ("ensemble", "cnn", "transformer"):
        lines.append(f"{part:<12} {clean.accuracy(part):8.2%}")
    lines += [f"with a slip in every phrase ({count // 4:,} others): {slipped.accuracy():.2%}", ""]
    confusion = clean.confusion()
    lines.append(f"{'class':<12} {'phrases':>8} {'found':>8} {'right':>8}")
    for place, label in enumerate(LABELS):
        hits, mine = int(confusion[place, place]), int(confusion[place].sum())
        said = max(int(confusion[:, place].sum()), 1)
        lines.append(f"{label:<12} {mine:>8,} {hits / mine:>8.2%} {hits / said:>8.2%}")
    lines += ["", f"{'length':<12} {'phrases':>8} {'accuracy':>8}"]
    for length, (some, share) in clean.by_length().items():
        lines.append(f"{length:<12} {some:>8,} {share:>8.2%}")
    alike = twins()
    met = [text in alike for text in clean.texts]
    wrong = clean.answers["ensemble"] != clean.labels
    lost = sum(a and bool(b) for a, b in zip(met, wrong, strict=True))
    lines += [
        "",
        f"{len(alike):,} strings are a word of two or more classes; of the phrases "
        f"{sum(met):,} are such a string, of the {int(wrong.sum()):,} mistakes {lost:,}",
        *(f"  {text}: {', '.join(labels)}" for text, labels in sorted(alike.items())[:8]),
    ]
    return lines, clean


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--log", type=Path)
    given = parser.parse_args()
    lines, clean = report(load(given.checkpoint), given.count)
    print("\n".join(lines))
    if given.log:
        _curve(given.log, HERE / "curve.png")
        _matrix(clean.confusion(), HERE / "confusion.png")


if __name__ == "__main__":
    main()
