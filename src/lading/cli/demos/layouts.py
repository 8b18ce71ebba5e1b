"""``lading demo layouts``: the repository's keyboard-layout ensemble, and what every runtime says
of a phrase of each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from PIL import Image, ImageDraw, ImageFont

from lading.base import storage
from lading.base.drawing import gallery
from lading.base.progress import Progress
from lading.cli.demos import Made, checkpoint
from lading.formats import open_artifact
from lading.job.classify import Answer, Classifier, classifier
from lading.job.convert import convert
from lading.job.request import Classify, Convert
from lading.record import Bill

RECIPE = "keyboard_layout"
PICTURE = "demo.png"
ORIGINAL = "torch"
#: Headings of columns, where a runtime's own name is too long for one.
SHORT = {"onnxruntime": "onnx", "neuralnetwork": "nn", "neuralnetwork_fp16": "nn fp16"}


@dataclass(frozen=True)
class Phrase:
    """A text, its class, and the keys that were pressed, as a US keyboard names them."""

    text: str
    label: str
    keys: str


PHRASES = (
    Phrase("привет мир", "ru", "ghbdtn vbh"),
    Phrase("hello world", "en", "hello world"),
    Phrase("שלום עולם", "he", "akuo guko"),
    Phrase("ghbdtn vbh", "ru_from_en", "ghbdtn vbh"),
    Phrase("akuo guko", "he_from_en", "akuo guko"),
    Phrase("руддщ цщкдв", "en_from_ru", "hello world"),
    Phrase("יקךךם 'םרךג", "en_from_he", "hello world"),
    Phrase("флгщ пглщ", "he_from_ru", "akuo guko"),
    Phrase("עינגאמ הני", "ru_from_he", "ghbdtn vbh"),
)


class Layouts:
    """The ensemble to every target, and its answers side by side."""

    def run(self, out: Path, progress: Progress) -> Made:
        """See `lading.cli.demos.Demo`."""
        path = checkpoint(RECIPE)
        to = ("coreml", "onnx", "mlmodel")
        bill = convert(Convert(path, out, to=to, force=True, progress=progress))
        progress("classify", f"{len(PHRASES)} phrases in every runtime")
        said = {
            name: [one(phrase.text) for phrase in PHRASES]
            for name, one in _classifiers(path, bill, out).items()
        }
        progress("draw", PICTURE)
        storage.write_file(out / PICTURE, gallery.png(_draw(said)))
        look = {
            out / PICTURE: "probabilities of every class, in PyTorch and in every runtime",
            out / storage.BILL: "the bill: all of the evidence",
        }
        return Made(bill, out, look, tuple(table(said)))


def _classifiers(path: Path, bill: Bill, out: Path) -> dict[str, Classifier]:
    """The checkpoint, and every artifact in every runtime that is here, by short names."""
    found = {ORIGINAL: classifier(Classify(path))}
    for artifact in bill.artifacts:
        for runtime in open_artifact(out / artifact.path).format.runtimes:
            if not runtime.unavailable():
                short = SHORT.get(runtime.name, runtime.name)
                if short in found:  # the system runs two of the formats
                    short += PurePath(artifact.path).suffix
                found[short] = classifier(Classify(out / artifact.path, runtime=runtime.name))
    return found


def table(said: Mapping[str, Sequence[Answer]]) -> list[str]:
    """Lines for the terminal: the probability of the class that is right; another class by name
    where a runtime names another. The text stands last: some of it runs from right to left."""
    wide = {name: max(len(name), 9) for name in said}
    head = "  ".join(f"{name:>{size}}" for name, size in wide.items())
    lines = [f"{'class':<12}{head}   text"]
    for place, phrase in enumerate(PHRASES):
        cells = []
        for name, size in wide.items():
            one = said[name][place]
            share = f"{100 * one.probabilities[phrase.label]:.3f} %"
            cells.append(f"{share if one.label == phrase.label else one.label:>{size}}")
        lines.append(f"{phrase.label:<12}{'  '.join(cells)}   {phrase.text}")
    return lines


def _draw(said: Mapping[str, Sequence[Answer]]) -> Image.Image:
    rows = [[_bars(answers[n], PHRASES[n].label) for answers in said.values()] for n in range(9)]
    captions = []
    for place, phrase in enumerate(PHRASES):
        first = said[ORIGINAL][place].probabilities
        apart = max(
            abs(share - first[label])
            for answers in said.values()
            for label, share in answers[place].probabilities.items()
        )
        captions.append(
            f'keys "{phrase.keys}", meant and layout: {phrase.label}; '
            f"largest difference of a probability: {apart:.1e}"
        )
    return gallery.sheet(list(said), rows, captions, "One checkpoint, every runtime")


def _bars(answer: Answer, right: str) -> Image.Image:
    """A bar for each class, the winner's in blue, or in red where it is not `right`."""
    font, line, left, long = ImageFont.load_default(10), 13, 74, 84
    page = Image.new("RGB", (left + long + 46, line * len(answer.probabilities)), gallery.PAPER)
    pen = ImageDraw.Draw(page)
    for place, (label, share) in enumerate(answer.probabilities.items()):
        y = line * place
        ink = gallery.INK if label == answer.label else gallery.FAINT
        pen.text((0, y), label, ink, font)
        pen.rectangle((left, y + 2, left + long, y + line - 3), gallery.SUNK)
        if share * long >= 1:
            colour = gallery.RIGHT if label == right else gallery.WRONG
            pen.rectangle((left, y + 2, left + share * long, y + line - 3), colour)
        if label == answer.label:
            pen.text((left + long + 4, y), f"{100 * share:.2f} %", ink, font)
    return page


DEMO = Layouts()
