"""Code that uses an artifact."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Snippet:
    """Code that fits one artifact.

    Attributes:
        artifact: its path, as `ArtifactRecord.path`.
        language: ``"python"`` or ``"swift"``.
        title: for people.
        code: text that can be run as it stands, beside the artifact.
    """

    artifact: str
    language: str
    title: str
    code: str
