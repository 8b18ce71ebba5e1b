"""``lading demo diffusion``: the embedded diffusion UNet, carried whole and sampled."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from lading.base import storage
from lading.base.drawing import gallery
from lading.base.progress import Progress
from lading.cli.demos import DATA, Made
from lading.errors import VerificationError
from lading.job import sampling
from lading.job.pipeline import convert
from lading.job.request import Request
from lading.job.sampling import GATES, Network
from lading.proof.trajectory import Parting, chart, part
from lading.record import Bill

CHECKPOINT, CONFIG = DATA / "camus_diffusion.pth", DATA / "camus_diffusion.json"
PICTURE, CHART = "demo.png", "parting.png"
TITLES = {"onnx": "ONNX (ONNX Runtime)", "coreml": "Core ML (lading.mil)"}
ORIGINAL = "PyTorch (original)"
#: A walk of the deterministic sampler, and the pictures that are drawn.
STEPS, SEED, COUNT = 25, 1, 4


class Diffusion:
    """The embedded diffusion UNet to both targets, and what each runtime draws from one noise."""

    def run(self, out: Path, progress: Progress) -> Made:
        """See `lading.cli.demos.Demo`.

        Raises:
            VerificationError: a picture ends too far from the original's.
        """
        bill = convert(
            Request(CHECKPOINT, out, name="EchoDiffusion", config=CONFIG, force=True), progress
        )
        progress("sample", f"{COUNT} x {STEPS} steps of ddim in {1 + len(bill.artifacts)} runtimes")
        original, others = networks(bill, out)
        walked = [walk(original, others, number) for number in range(COUNT)]
        progress("draw", f"{PICTURE}, {CHART}")
        gates = {title: GATES[network.precision] for title, network in others.items()}
        _write(out / PICTURE, draw(walked))
        _write(out / CHART, chart(walked[0], gates))
        require_close(walked, gates)
        look = {
            out / PICTURE: "the same noise in PyTorch, ONNX, Core ML, and their difference",
            out / CHART: "where along the walk they part",
            out / storage.BILL: "the bill: all of the evidence",
        }
        return Made(bill, out, look)


def networks(bill: Bill, out: Path) -> tuple[Network, dict[str, Network]]:
    """The original, and the artifacts of the bill by title, ONNX first."""
    original = sampling.open_network(sampling.Request(CHECKPOINT, config=CONFIG))
    by_format = {one.format: out / one.path for one in bill.artifacts}
    return original, {
        title: sampling.open_network(sampling.Request(by_format[name]))
        for name, title in TITLES.items()
        if name in by_format
    }


def walk(original: Network, others: dict[str, Network], number: int) -> Parting:
    """Picture `number` of `SEED` in every network."""
    asked = sampling.Request(CHECKPOINT, sampler="ddim", steps=STEPS, seed=SEED)
    process, sampler = sampling.plan(asked, original)
    return part((ORIGINAL, original), others, process, sampler, original.shape, SEED, number)


def require_close(walked: list[Parting], gates: dict[str, float]) -> None:
    """Passes only if every picture ends as near to the original's as its precision allows.

    Raises:
        VerificationError: one does not.
    """
    for number, parting in enumerate(walked):
        for one in parting.walks:
            if not one.psnr[-1] >= gates[one.name]:
                raise VerificationError(
                    f"picture {number} in {one.name}",
                    found=f"{one.psnr[-1]:.1f} dB from {parting.reference} after {STEPS} steps",
                    expected=f"at least {gates[one.name]:g} dB",
                    remedy=f"see {CHART} for the move at which it parts",
                )


def draw(walked: list[Parting]) -> Image.Image:
    """A row per picture: the original, each artifact, and ten times the largest difference."""
    rows, captions = [], []
    for parting in walked:
        images = [parting.picture, *(one.picture for one in parting.walks)]
        apart = np.max([np.abs(one - parting.picture) for one in images], axis=0)
        shown = [sampling.as_image(one[0]) for one in images]
        shown.append(sampling.as_image((10.0 * apart[0]).clip(0, 2) - 1.0))
        rows.append([one.resize((192, 192), Image.Resampling.NEAREST) for one in shown])
        ends = ", ".join(f"{one.name} {one.psnr[-1]:.1f} dB" for one in parting.walks)
        captions.append(f"from PyTorch's: {ends}")
    titles = [ORIGINAL, *(one.name for one in walked[0].walks), "difference, times 10"]
    return gallery.sheet(titles, rows, captions, f"One noise, {len(titles) - 1} runtimes")


def _write(path: Path, image: Image.Image) -> None:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    storage.write_file(path, buffer.getvalue())


DEMO = Diffusion()
