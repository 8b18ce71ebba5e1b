"""The example of a package that brings a family and a format, in a fresh environment."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new one with nothing in it but the example; lading and what it needs lie beside it."""
    folder = tmp_path_factory.mktemp("plugin")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "new"], check=True)
    python = folder / "new/bin/python"
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(subprocess.check_output([python, "-c", ask], text=True).strip())
    lies = [str(ROOT / "src"), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    (site / "beside.pth").write_text("\n".join(lies))
    shutil.copytree(ROOT / "examples/plugin", folder / "package")
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-index"]
    install += ["--no-deps", "--no-build-isolation", folder / "package"]
    subprocess.run(install, check=True, env=clean())
    return folder


def clean() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PIP_"))}
    return {**kept, "OMP_NUM_THREADS": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def lading(environment: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [environment / "new/bin/python", "-m", "lading", *arguments]
    return subprocess.run(
        command, cwd=environment, env=clean(), capture_output=True, text=True, check=False
    )


def test_it_is_used_from_the_command_line(environment: Path) -> None:
    torch.manual_seed(0)
    tensors = {
        "first.weight": torch.randn(8, 4),
        "first.bias": torch.randn(8),
        "second.weight": torch.randn(3, 8),
        "second.bias": torch.randn(3),
    }
    torch.save(tensors, environment / "two_layers.pt")
    done = lading(environment, "convert", "two_layers.pt", "-o", "out", "--to", "exported")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("PASS")
    bill = json.loads((environment / "out/lading.json").read_text())
    assert "two_layers" in json.dumps(bill)
    (artifact,) = bill["artifacts"]
    assert artifact["format"] == "exported"
    torch.save({name: tensor * 1.1 for name, tensor in tensors.items()}, environment / "other.pt")
    ends = "verify", str(Path("out") / artifact["path"]), "--against", "other.pt"
    assert lading(environment, *ends).returncode == 1


def test_a_package_that_is_broken_is_named(environment: Path) -> None:
    ask = "import lading_example; print(lading_example.__path__[0])"
    python = environment / "new/bin/python"
    place = Path(subprocess.check_output([python, "-c", ask], text=True, env=clean()).strip())
    (place / "exported.py").write_text("raise OSError('no disk')\n")
    done = lading(environment, "inspect", "two_layers.pt")
    assert done.returncode == 2
    assert "plug-in 'exported' of lading-example-plugin" in done.stderr
    assert "Traceback" not in done.stderr
