"""What each stage of a conversion did, as small frozen records that hold no tensor.

Stages produce these records; the bill of lading is their sum; readers (`report`, the command
line) read them and nothing else. The records are plain JSON on disk: `to_json` and
`from_json` are each other's inverse, and the layout has the number `SCHEMA`.

`network` has the checkpoint, what was recognised in it and the ledger; `artifact` its inputs and
outputs and how a file was made; `measurement` a number with its gate; `comparison` all of an
artifact; `inquiry` what else the verifier finds out; `bill` the sum; `plain` the way to JSON and
back.

>>> line = LedgerLine("enc.weight", (8, 1, 3, 3), "float32", "loaded", "", "ab" * 32)
>>> from_json(LedgerLine, to_json(line)) == line
True
"""

from __future__ import annotations

from lading.record.artifact import (
    ArtifactRecord,
    CaptureRecord,
    Port,
    Refusal,
    RepairRecord,
    Route,
    State,
    Task,
)
from lading.record.bill import SCHEMA, Bill
from lading.record.comparison import (
    Changed,
    Comparison,
    Covered,
    DatasetRecord,
    Finding,
    ProbeRecord,
    Unproved,
    Verdict,
)
from lading.record.inquiry import (
    Constant,
    Hazard,
    Picture,
    Provenance,
    Reading,
    Station,
    Trajectory,
    Walk,
)
from lading.record.measurement import Measurement
from lading.record.network import (
    Candidate,
    CheckpointRecord,
    Claim,
    Conflict,
    Evidence,
    Fate,
    HyperParameter,
    LedgerLine,
    LedgerSummary,
    Mention,
    Recognition,
    Settling,
    Sign,
)
from lading.record.plain import from_json, to_json
from lading.record.snippet import Snippet

__all__ = [
    "SCHEMA",
    "ArtifactRecord",
    "Bill",
    "Candidate",
    "CaptureRecord",
    "Changed",
    "CheckpointRecord",
    "Claim",
    "Comparison",
    "Conflict",
    "Constant",
    "Covered",
    "DatasetRecord",
    "Evidence",
    "Fate",
    "Finding",
    "Hazard",
    "HyperParameter",
    "LedgerLine",
    "LedgerSummary",
    "Measurement",
    "Mention",
    "Picture",
    "Port",
    "ProbeRecord",
    "Provenance",
    "Reading",
    "Recognition",
    "Refusal",
    "RepairRecord",
    "Route",
    "Settling",
    "Sign",
    "Snippet",
    "State",
    "Station",
    "Task",
    "Trajectory",
    "Unproved",
    "Verdict",
    "Walk",
    "from_json",
    "to_json",
]
