"""``lading demo diffusion``: the repository's diffusion UNet, converted and sampled."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from lading.base import storage
from lading.base.drawing import gallery
from lading.base.progress import Progress
from lading.cli.demos import Made, checkpoint
from lading.errors import VerificationError
from lading.job import sampling
from lading.job.convert import convert
from lading.job.request import Convert, Sample
from lading.page.trajectories import chart
from lading.proof.trajectory import Course, Taken
from lading.record import Bill, Trajectory
from lading.record.wording import number
from lading.task.diffusion.denoiser import Denoiser
from lading.task.pictures import signed

RECIPE = "camus_diffusion"
PICTURE, CHART = "demo.png", "parting.svg"
#: A walk of the deterministic sampler, and the pictures that are drawn.
STEPS, SEED, COUNT = 25, 1, 4


class Diffusion:
    """The diffusion UNet to both targets, and what each runtime draws from one noise."""

    def run(self, out: Path, progress: Progress) -> Made:
        """See `lading.cli.demos.Demo`.

        Raises:
            VerificationError: a picture ends too far from the original's.
        """
        path = checkpoint(RECIPE)
        config = path.with_suffix(".json")
        bill = convert(
            Convert(path, out, name="EchoDiffusion", config=config, force=True, progress=progress)
        )
        progress("sample", f"{COUNT} x {STEPS} steps of ddim in {1 + len(bill.artifacts)} runtimes")
        asked = Sample(path, config=config, steps=STEPS, seed=SEED)
        original = sampling.open_network(asked)
        others = networks(bill, out)
        courses = [sampling.course(asked, original, place) for place in range(COUNT)]
        walked = [[walk(course, *named) for named in others.items()] for course in courses]
        progress("draw", f"{PICTURE}, {CHART}")
        storage.write_file(out / PICTURE, gallery.png(draw(courses, walked)))
        if drawn := chart([taken.record for taken in walked[0]]):
            storage.write_file(out / CHART, drawn.file())
        require_close([[taken.record for taken in row] for row in walked])
        look = {
            out / PICTURE: "the same noise in PyTorch and in every artifact, and their difference",
            out / CHART: "where along the walk they part",
            out / storage.BILL: "the bill: all of the evidence",
        }
        return Made(bill, out, look)


def networks(bill: Bill, out: Path) -> Mapping[str, Denoiser]:
    """The bill's artifacts, each opened in the first runtime that is here, by path."""
    return {
        artifact.path: sampling.open_network(Sample(out / artifact.path))
        for artifact in bill.artifacts
    }


def walk(course: Course, name: str, network: Denoiser) -> Taken:
    """A network's walk beside the original's."""
    record = course.record(name, network.title, network.precision)
    return course.held(record, network.run, network.ports)


def require_close(walked: list[list[Trajectory]]) -> None:
    """Passes only if every picture ends as near to the original's as its precision allows.

    Raises:
        VerificationError: one does not.
    """
    for place, records in enumerate(walked):
        for record in records:
            if not record.passed:
                raise VerificationError(
                    f"picture {place} of {record.artifact} in {record.runtime}",
                    found=record.reason,
                    expected=f"at least {record.gate:g} dB at the end",
                    remedy=f"see {CHART} for the move at which it parts",
                )


def draw(courses: list[Course], walked: list[list[Taken]]) -> Image.Image:
    """A row per picture: the original, each artifact, and ten times the largest difference."""
    rows, captions = [], []
    for course, row in zip(courses, walked, strict=True):
        images = [course.trail[-1][0], *(taken.frames[-1][0] for taken in row)]
        apart = np.max([np.abs(image - images[0]) for image in images], axis=0)
        images.append((10.0 * apart).clip(0, 2) - 1.0)
        rows.append([gallery.cell(signed(image)) for image in images])
        ends = [f"{one.record.artifact} {number('psnr', one.record.psnr[-1])}" for one in row]
        captions.append(f"from PyTorch's: {', '.join(ends)}")
    titles = ["PyTorch (original)", *(taken.record.artifact for taken in walked[0])]
    heading = f"One noise, {len(titles)} runtimes"
    return gallery.sheet([*titles, "difference, times 10"], rows, captions, heading)


DEMO = Diffusion()
