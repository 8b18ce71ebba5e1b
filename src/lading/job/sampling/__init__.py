"""Sampling from a checkpoint or an artifact, on any runtime: what `lading sample` does.

`request` is what was asked, `network` the network in its runtime, `plan` the process and the
sampler, `made` the walk and its pictures, `proof` an artifact's walk beside the original's.
"""

from lading.job.sampling.made import Sampled, sample, save, sheet
from lading.job.sampling.network import open_network
from lading.job.sampling.plan import STEPS, plan
from lading.job.sampling.proof import beside, prove, save_chart
from lading.job.sampling.request import Request
from lading.proof.trajectory import GATES, Network, as_image

__all__ = [
    "GATES",
    "STEPS",
    "Network",
    "Request",
    "Sampled",
    "as_image",
    "beside",
    "open_network",
    "plan",
    "prove",
    "sample",
    "save",
    "save_chart",
    "sheet",
]
