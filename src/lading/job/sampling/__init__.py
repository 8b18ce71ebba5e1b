"""Sampling from a checkpoint or an artifact, on any runtime: what `lading sample` does.

`network` the network in its runtime, `plan` the process and the
sampler, `made` the walk and its pictures, `proof` an artifact's walk beside the original's.
"""

from lading.job.sampling.made import Sampled, sample, save, sheet
from lading.job.sampling.network import open_network
from lading.job.sampling.plan import STEPS, plan
from lading.job.sampling.proof import course, prove

__all__ = [
    "STEPS", "Sampled", "course", "open_network", "plan", "prove", "sample", "save",
    "sheet",
]  # fmt: skip
