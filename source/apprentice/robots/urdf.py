"""Models as packages ship them."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as Xml

from apprentice.errors import UserError


def urdf_text(root: Path, urdf: str, package: str) -> str:
    """The text of a model that a package ships.

    Args:
        root: Folder of the package.
        urdf: The model, relative to it.
        package: Name of the package.

    Raises:
        UserError: If the package holds no such model.
    """
    try:
        return (root / urdf).read_text()
    except OSError as error:
        raise UserError(
            f"Expected {urdf} in {package}, found no such file: run `pip install --force-reinstall {package}`."
        ) from error


def read_urdf(root: Path, urdf: str, package: str) -> Xml.Element:
    """The model itself. Arguments and errors as of `urdf_text`."""
    return Xml.fromstring(urdf_text(root, urdf, package))
