"""``lading demo``: the embedded nnU-Net, carried whole, and drawn side by side."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from lading.base import storage
from lading.base.drawing import gallery
from lading.base.progress import Progress
from lading.cli.demos import DATA, Made
from lading.interface import Options, wrap
from lading.job.pipeline import convert, load
from lading.job.request import Request
from lading.record import Bill
from lading.runtimes import Array, Session, runtimes_for
from lading.runtimes.torch import Eager
from lading.task import pictures

CHECKPOINT = DATA / "camus_segmentation.pth"
PHANTOMS = DATA / "camus_segmentation"
PICTURE = "demo.png"
TITLES = {"coreml": "Core ML (lading.mil)", "onnx": "ONNX (ONNX Runtime)"}


class Segmentation:
    """The embedded nnU-Net to both targets, and what each runtime sees on drawn echo frames."""

    def run(self, out: Path, progress: Progress) -> Made:
        """See `lading.cli.demos.Demo`."""
        phantoms = sorted(p for p in PHANTOMS.glob("*.png") if not p.stem.endswith("_labels"))
        request = Request(CHECKPOINT, out, name="Phantoms", data=tuple(phantoms), force=True)
        bill = convert(request, progress)
        progress("draw", PICTURE)
        page = _draw(bill, out, phantoms)
        buffer = io.BytesIO()
        page.save(buffer, format="PNG", optimize=True)
        storage.write_file(out / PICTURE, buffer.getvalue())
        look = {
            out / PICTURE: "input, PyTorch, Core ML, ONNX, difference",
            out / storage.BILL: "the bill: all of the evidence",
        }
        return Made(bill, out, look)


def _draw(bill: Bill, out: Path, phantoms: Sequence[Path]) -> Image.Image:
    loaded = load(CHECKPOINT)
    interface = wrap(loaded.network, loaded.task, Options())
    sessions: dict[str, Session] = {"PyTorch (original)": Eager(interface)}
    for artifact in bill.artifacts:
        runtime = next(r for r in runtimes_for(artifact.format) if not r.unavailable())
        sessions[TITLES[artifact.format]] = runtime.load(out / artifact.path)
    port = interface.inputs[0]
    rows, captions = [], []
    for path in phantoms:
        plain = pictures.read(path, 1, (port.shape[2], port.shape[3]))
        fed = {port.name: pictures.for_port(plain, port)}
        maps = [session.run(fed)["logits"][0].argmax(axis=0) for session in sessions.values()]
        differs = np.any([one != maps[0] for one in maps[1:]], axis=0)
        shown = [pictures.grey(plain[0]), *map(pictures.colour, maps), _difference(differs)]
        rows.append([one.resize((176, 176), Image.Resampling.NEAREST) for one in shown])
        captions.append(
            f"{path.stem}: {int(differs.sum())} of {differs.size} pixels differ in any runtime"
        )
    titles = ["input", *sessions, "difference"]
    return gallery.sheet(titles, rows, captions, "One checkpoint, three runtimes")


def _difference(differs: Array) -> Image.Image:
    """White where all agree, red where they do not."""
    plane = np.full((*differs.shape, 3), 244, dtype=np.uint8)
    plane[differs] = (200, 20, 40)
    return Image.fromarray(plane)


DEMO = Segmentation()
