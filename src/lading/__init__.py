"""lading carries a trained PyTorch checkpoint to Core ML and ONNX, and signs for it.

Importing it is light: neither torch nor coremltools is imported until a name is used.
"""

from __future__ import annotations

__version__ = "0.1.0"
