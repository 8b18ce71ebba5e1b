"""``lading demo``: the embedded nnU-Net, converted, and drawn side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from lading.base import storage
from lading.base.drawing import gallery, palette
from lading.base.progress import Progress
from lading.cli.demos import DATA, Made
from lading.formats import open_artifact
from lading.interface import Interface, Options, wrap
from lading.interface.original import TorchSide
from lading.interface.side import Array, Side
from lading.job.convert import convert
from lading.job.request import Convert
from lading.network.source import Source, load
from lading.record import Bill
from lading.record.wording import RUNTIMES
from lading.task import pictures, prepare
from lading.task.finish import finish
from lading.task.prepare import Prepared

CHECKPOINT = DATA / "camus_segmentation.pth"
PHANTOMS = DATA / "camus_segmentation"
PICTURE = "demo.png"


class Segmentation:
    """The embedded nnU-Net to both targets, and what each runtime sees on drawn echo frames."""

    def run(self, out: Path, progress: Progress) -> Made:
        """See `lading.cli.demos.Demo`."""
        phantoms = sorted(p for p in PHANTOMS.glob("*.png") if not p.stem.endswith("_labels"))
        bill = convert(
            Convert(CHECKPOINT, out, name="Phantoms", data=phantoms, force=True, progress=progress)
        )
        progress("draw", PICTURE)
        storage.write_file(out / PICTURE, gallery.png(_draw(bill, out, phantoms)))
        look = {
            out / PICTURE: "input, PyTorch, Core ML, ONNX, difference",
            out / storage.BILL: "the bill: all of the evidence",
        }
        return Made(bill, out, look)


def _draw(bill: Bill, out: Path, phantoms: Sequence[Path]) -> Image.Image:
    loaded = load(Source(CHECKPOINT))
    interface = wrap(loaded.network, loaded.task, Options())
    sides: dict[str, Side] = {"PyTorch (original)": TorchSide(interface)}
    for artifact in bill.artifacts:
        opened = open_artifact(out / artifact.path)
        runtime = opened.runtime()
        name = RUNTIMES.get(runtime.name, runtime.name)
        sides[f"{artifact.format_title} ({name})"] = opened.open(runtime)
    port = interface.inputs[0]
    rows, captions = [], []
    for path in phantoms:
        made = prepare.file(path, port)
        assert made.levels is not None
        maps = [_labels(side, made, interface) for side in sides.values()]
        differs = np.any([one != maps[0] for one in maps[1:]], axis=0)
        shown = [pictures.grey(made.levels[0, 0]), *map(pictures.colour, maps)]
        rows.append([gallery.cell(plane) for plane in (*shown, gallery.marked(shown[0], differs))])
        captions.append(
            f"{path.stem}: {int(differs.sum())} of {differs.size} pixels differ in any runtime"
        )
    titles = ["input", *sides, "difference"]
    colours = [palette.NAMES[palette.place(label)] for label in range(len(loaded.task.labels))]
    legend = ", ".join(map(" ".join, zip(loaded.task.labels, colours, strict=True)))
    return gallery.sheet(titles, rows, captions, f"One checkpoint, three runtimes: {legend}")


def _labels(side: Side, made: Prepared, interface: Interface) -> Array:
    """The label map [H, W] of a prepared picture."""
    outputs = side.run({interface.inputs[0].name: made.value})
    labels = finish(outputs, interface.outputs, interface.task).labels
    assert labels is not None
    plane: Array = labels[0]
    return plane


DEMO = Segmentation()
