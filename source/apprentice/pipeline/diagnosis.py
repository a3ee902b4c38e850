"""What this machine can do, and what is missing."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator

from apprentice.errors import UserError
from apprentice.pipeline.fact import Fact
from apprentice.pipeline.operator_facts import page_facts, spacemouse_facts
from apprentice.record.cfg import RecordCfg

ROBOMIMIC = "robomimic==0.3.0"

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "firefox")


def diagnose() -> list[Fact]:
    """Look at everything, cheapest first. Starts no simulator."""
    return [
        *_machine(),
        *_packages(),
        *_backends(),
        *_assets(),
        *_pictures(),
        *page_facts(RecordCfg()),
        *spacemouse_facts(),
    ]


def install_robomimic(say: Callable[[str], None]) -> None:
    """Install Robomimic without its requirement egl-probe, which builds C++ and is never imported here.

    Raises:
        UserError: If neither pip nor uv is there, or the installation fails.
    """
    if importlib.util.find_spec("robomimic"):
        say("Robomimic is there already.")
        return
    if importlib.util.find_spec("pip"):
        command = [sys.executable, "-m", "pip", "install", "--no-deps", ROBOMIMIC]
    elif shutil.which("uv"):
        command = ["uv", "pip", "install", "--python", sys.executable, "--no-deps", ROBOMIMIC]
    else:
        raise UserError(
            f"Expected pip or uv to install Robomimic with, found neither: install {ROBOMIMIC} without dependencies."
        )
    say(" ".join(command))
    if subprocess.call(command) != 0:
        raise UserError("Installing Robomimic failed (see above).")
    importlib.invalidate_caches()


def _machine() -> Iterator[Fact]:
    version = platform.python_version()
    right = sys.version_info[:2] == (3, 12)
    yield Fact(
        status="ok" if right else "missing",
        what="Python 3.12",
        found=version,
        advice="" if right else "Isaac Lab 3.0 runs on Python 3.12 only.",
    )
    yield Fact(
        status="ok", what="processor", found=f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}"
    )
    free = shutil.disk_usage(os.getcwd()).free / 1e9
    yield Fact(
        status="ok" if free > 5 else "missing",
        what="disk space here",
        found=f"{free:.0f} GB free",
        advice="" if free > 5 else "Demo files and images need some GB.",
    )
    import torch

    if torch.cuda.is_available():
        yield Fact(status="ok", what="GPU", found=torch.cuda.get_device_name(0))
    else:
        yield Fact(status="optional", what="GPU", found="none", advice="Not needed: the native backend uses the CPU.")


def _packages() -> Iterator[Fact]:
    for package in ("isaaclab", "newton", "mujoco", "torch"):
        yield Fact(status="ok", what=package, found=importlib.metadata.version(package))
    if importlib.util.find_spec("robomimic"):
        yield Fact(status="ok", what="robomimic (training)", found=importlib.metadata.version("robomimic"))
    else:
        yield Fact(
            status="missing",
            what="robomimic (training)",
            found="not installed",
            advice="Run `apprentice doctor --fix`.",
        )
    for package, what in (
        ("isaacteleop", "isaacteleop (NVIDIA's XR pipelines)"),
        ("dex_retargeting", "dex-retargeting (fingers that follow tracked hands)"),
    ):
        found = importlib.util.find_spec(package) is not None
        yield Fact(
            status="ok" if found else "optional",
            what=what,
            found="installed" if found else "not installed",
            advice="" if found else "pip install 'isaaclab-apprentice[xr]'",
        )


def _backends() -> Iterator[Fact]:
    from apprentice.sim.backends import BACKENDS, why_unavailable

    for backend in BACKENDS:
        reason = why_unavailable(backend)
        yield Fact(
            status="ok" if reason is None else "optional",
            what=f"backend {backend}",
            found="runs here" if reason is None else "does not run here",
            advice=reason or "",
        )


def _assets() -> Iterator[Fact]:
    from apprentice.robots.assets import PANDA, usd_path

    try:
        yield Fact(status="ok", what="Franka Panda model", found=str(usd_path(PANDA)))
    except UserError as error:
        yield Fact(status="missing", what="Franka Panda model", found="can't be made", advice=str(error))


def _pictures() -> Iterator[Fact]:
    from apprentice.sim.gl import missing_packages

    packages = missing_packages()
    yield Fact(
        status="optional" if packages else "ok",
        what="software OpenGL (videos, camera images)",
        found="not there" if packages else "works",
        advice=f"sudo apt-get install -y {' '.join(packages)}" if packages else "",
    )
    browser = next((name for name in _BROWSERS if shutil.which(name)), None)
    yield Fact(
        status="ok" if browser else "optional",
        what="browser (report, teleoperation page)",
        found=browser or "none on PATH",
        advice="" if browser else "Any browser on another machine does as well.",
    )
