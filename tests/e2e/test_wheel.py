"""The wheel works for somebody who has plain pip and nothing else."""

from __future__ import annotations

import email
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    uv = os.environ.get("UV") or shutil.which("uv")
    assert uv, "expected uv on PATH or in UV, as `make test` sets it"
    subprocess.run([uv, "build", "--quiet", "--wheel", "--out-dir", folder, ROOT], check=True, cwd=ROOT)
    return next(folder.glob("*.whl"))


def test_an_empty_environment_answers_help_from_the_wheel(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "empty", with_pip=True)
    python = tmp_path / "empty/bin/python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", wheel], check=True)
    result = subprocess.run(
        [tmp_path / "empty/bin/apprentice", "--help"], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert "augment" in result.stdout and "doctor" in result.stdout


def test_plain_pip_is_never_asked_to_compile_anything(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        name = next(entry for entry in archive.namelist() if entry.endswith("METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    required = [
        line.split()[0].split(">")[0].split("=")[0].split("[")[0] for line in metadata.get_all("Requires-Dist", [])
    ]
    assert "isaaclab" in required
    # Robomimic requires egl-probe, which builds C++; it is added without its requirements by `apprentice doctor --fix`
    assert "robomimic" not in required and "egl-probe" not in required


def test_what_the_wheel_requires_is_all_that_the_package_and_robomimic_import(wheel: Path) -> None:
    from importlib.metadata import requires

    needed = {
        line.split()[0].split(">")[0].split("=")[0].lower().replace("_", "-") for line in requires("robomimic") or []
    }
    with zipfile.ZipFile(wheel) as archive:
        name = next(entry for entry in archive.namelist() if entry.endswith("METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    declared = " ".join(metadata.get_all("Requires-Dist", [])).lower()
    by_isaac_lab = {"numpy", "torch", "torchvision"}
    assert {package for package in needed - by_isaac_lab - {"egl-probe"} if package not in declared} == set()


def test_help_needs_neither_isaac_lab_nor_torch() -> None:
    heavy = "[name for name in ('torch', 'isaaclab', 'numpy', 'tyro') if name in sys.modules]"
    code = f"import sys; from apprentice.cli import main; main(['--help']); print({heavy})"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip().endswith("[]")
