"""The asset cache: turns robot models that ship inside wheels into USD files that every backend loads.

A model is converted once, on this machine, without network. The file's folder is named after everything that shaped it,
so a new wheel, a new converter or a new post-processing gives a new file and an old one is never served by mistake.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from xml.etree import ElementTree as Xml

from apprentice.errors import UserError

from . import g1_urdf, gr1t2_urdf, psm_urdf, so101_urdf, ur5e_urdf

POST_PROCESSING = 1
"""Version of what `convert` does to the model. Raise it with every change there, or users keep their old files."""


@dataclass(kw_only=True, frozen=True)
class UrdfModel:
    """A robot model that some wheel ships."""

    name: str
    """Name of the converted file, without suffix."""
    package: str
    """Distribution that ships the model; also the ROS package name that its mesh paths use."""
    root: str
    """Folder of that ROS package inside the distribution."""
    urdf: str | Callable[[Path], str]
    """The model, relative to `root`; or what puts its text together from the files there."""


PANDA = UrdfModel(
    name="panda",
    package="example-robot-data",
    root="cmeel.prefix/share/example-robot-data",
    urdf="robots/panda_description/urdf/panda.urdf",
)
"""Franka Panda with its hand (Apache-2.0). Box fingertips, convex hulls elsewhere."""

UR5E = UrdfModel(name="ur5e_robotiq_2f_85", package=ur5e_urdf.PACKAGE, root="airo_models", urdf=ur5e_urdf.assembled)
"""UR5e with a Robotiq 2F-85 gripper (package MIT). Box fingertips, convex hulls elsewhere."""

UR10 = UrdfModel(
    name="ur10",
    package="example-robot-data",
    root="cmeel.prefix/share/example-robot-data",
    urdf="robots/ur_description/urdf/ur10_robot.urdf",
)
"""UR10 without a gripper (BSD). Convex hulls."""

SO101 = UrdfModel(
    name="so101", package=so101_urdf.PACKAGE, root="cmeel.prefix/share/example-robot-data", urdf=so101_urdf.padded
)
"""SO-101 follower arm (Apache-2.0). Box pads on the jaws, convex hulls elsewhere."""

G1 = UrdfModel(
    name="g1_dex3", package=g1_urdf.PACKAGE, root="cmeel.prefix/share/example-robot-data", urdf=g1_urdf.standing
)
"""Unitree G1 with Dex3 hands on legs that stand still (BSD-3-Clause). Convex hulls."""

G1_ON_BASE = UrdfModel(
    name="g1_dex3_planar_base",
    package=g1_urdf.PACKAGE,
    root="cmeel.prefix/share/example-robot-data",
    urdf=g1_urdf.on_base,
)
"""The same robot, which slides over the floor and turns on it."""

G1_WHOLE = UrdfModel(name="g1_dex3_whole", package=G1.package, root=G1.root, urdf=g1_urdf.whole)
"""The same with legs that move."""

GR1T2 = UrdfModel(
    name="gr1t2_fourier_hands",
    package=gr1t2_urdf.PACKAGE,
    root="fourier_robot_descriptions/assets",
    urdf=gr1t2_urdf.standing,
)
"""Fourier GR1T2 with six-motor hands on legs that stand still (Apache-2.0). Hulls for hands, cylinders elsewhere."""

GR1T2_WHOLE = UrdfModel(name="gr1t2_fourier_hands_whole", package=GR1T2.package, root=GR1T2.root, urdf=gr1t2_urdf.whole)
"""The same with legs and a head that move."""

PSM = UrdfModel(name="psm", package="isaaclab-apprentice", root="apprentice", urdf=psm_urdf.instrument)
"""Surgical instrument that turns about the point at which it enters (ours, BSD-3-Clause). Boxes and a cylinder."""


def cache_dir() -> Path:
    """Folder of everything that Apprentice can make again: `APPRENTICE_CACHE`, or the platform's place for caches."""
    if override := os.environ.get("APPRENTICE_CACHE"):
        return Path(override).expanduser()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "apprentice"


def usd_path(model: UrdfModel) -> Path:
    """USD file of `model`, converted now if this machine does not have it yet.

    Safe to call from many processes at once: one converts, the others wait for it.

    Raises:
        UserError: If the package that ships the model is missing or incomplete, or the cache cannot be written.
    """
    from filelock import FileLock

    root, text = _locate(model)
    folder = cache_dir() / "usd" / f"{model.name}-{_fingerprint(root, text, model.package)}"
    usd = folder / f"{model.name}.usdc"
    if usd.exists():
        return usd
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if not usd.exists():
                _convert(model, root, text, folder)
    except OSError as error:
        raise UserError(
            f"Expected to write the converted robot model to {folder.parent}, found: {error.strerror or error}. "
            "Free the disk, or set APPRENTICE_CACHE to a folder that can be written."
        ) from error
    return usd


def kinematics_path(model: UrdfModel, prefix: str = "") -> Path:
    """URDF file of `model` without its shapes, for solvers that need no more.

    Args:
        model: The model.
        prefix: What every link's name begins with in this file.

    Raises:
        UserError: As `usd_path`.
    """
    robot = Xml.fromstring(_locate(model)[1])
    for link in robot.findall("link"):
        for shape in (*link.findall("visual"), *link.findall("collision")):
            link.remove(shape)
    for node in robot.iter():
        if node.tag == "link":
            node.set("name", prefix + node.attrib["name"])
        elif node.tag in ("parent", "child"):
            node.set("link", prefix + node.attrib["link"])
    text = Xml.tostring(robot, encoding="unicode")
    name = f"{model.name}-{hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}.urdf"
    return cached_file(cache_dir() / "urdf" / name, lambda path: path.write_text(text))


def cached_file(path: Path, write: Callable[[Path], object]) -> Path:
    """A file of the cache, written now if this machine does not have it yet. It appears complete or not at all.

    Args:
        path: Where it belongs; its name says all that it depends on.
        write: Writes it to the place that it is given.

    Raises:
        UserError: If it cannot be written.
    """
    if path.exists():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".", dir=path.parent))
        try:
            write(scratch / path.name)
            (scratch / path.name).replace(path)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    except OSError as error:
        raise UserError(
            f"Expected to write {path.name} to {path.parent}, found: {error.strerror or error}. Free the disk, or set "
            "APPRENTICE_CACHE to a folder that can be written."
        ) from error
    return path


def _locate(model: UrdfModel) -> tuple[Path, str]:
    """Folder of the ROS package, and the text of the model."""
    try:
        root = Path(str(distribution(model.package).locate_file(model.root)))
    except PackageNotFoundError as error:
        raise UserError(
            f"Expected the package {model.package} (it ships the {model.name} model), found that it is not installed: "
            f"run `pip install {model.package}`."
        ) from error
    if not isinstance(model.urdf, str):
        return root, model.urdf(root)
    urdf = root / model.urdf
    if not urdf.is_file():
        raise UserError(
            f"Expected {model.urdf} in {model.package} {version(model.package)}, found no such file: "
            f"run `pip install --force-reinstall {model.package}`."
        )
    return root, urdf.read_text()


def _fingerprint(root: Path, text: str, package: str) -> str:
    """Hash of all that the converted file depends on."""
    digest = hashlib.blake2b(digest_size=8)
    digest.update(f"{version('urdf-usd-converter')} {version('usd-exchange')} {POST_PROCESSING}".encode())
    digest.update(text.encode())
    for mesh in sorted(set(re.findall(rf"package://{re.escape(package)}/([^\"']+)", text))):
        digest.update(mesh.encode())
        digest.update((root / mesh).read_bytes())
    return digest.hexdigest()


def _convert(model: UrdfModel, root: Path, text: str, folder: Path) -> None:
    """Convert into `folder`, which appears complete or not at all.

    In a process of its own: USD reads its schemas once, and misses those that the converter needs where somebody used
    USD before it.
    """
    scratch = Path(tempfile.mkdtemp(prefix=f".{model.name}-", dir=folder.parent))
    try:
        done = scratch / "done"
        done.mkdir()
        urdf = scratch / f"{model.name}.urdf"
        urdf.write_text(text)
        command = [sys.executable, "-m", "apprentice.robots.convert", str(urdf), model.package, str(root)]
        result = subprocess.run(
            [*command, str(done / f"{model.name}.usdc")], capture_output=True, text=True, check=False
        )
        if result.returncode != 0:
            found = (result.stderr or result.stdout or "no reason").strip().splitlines()[-1]
            raise UserError(
                f"Expected to convert {urdf.name} of {model.package} to USD, found: {found}. "
                f"Run `pip install --force-reinstall {model.package}`."
            )
        done.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
