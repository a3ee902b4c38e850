"""What `new-task` writes, and what it refuses."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

from apprentice.errors import UserError
from apprentice.tasks.new_task import new_task


@pytest.mark.parametrize(
    ("name", "package", "task_id"),
    [
        ("wipe_table", "wipe_table", "WipeTable-Franka"),
        ("WipeTable", "wipe_table", "WipeTable-Franka"),
        ("wipe-2-tables", "wipe_2_tables", "Wipe2Tables-Franka"),
        ("USBPort", "usb_port", "UsbPort-Franka"),
    ],
)
def test_names_become_those_of_package_and_task(tmp_path: Path, name: str, package: str, task_id: str) -> None:
    written = new_task(name, tmp_path)
    assert all(path.is_file() for path in written)
    source = tmp_path / "source" / package / package
    assert f'TASK_ID = "{task_id}"' in (source / "__init__.py").read_text()
    for path in source.glob("*.py"):
        ast.parse(path.read_text())
    project = tomllib.loads((tmp_path / "pyproject.toml").read_text())
    assert project["project"]["entry-points"]["isaaclab.tasks"] == {package: package}
    assert not any("$" in path.read_text() for path in written)


@pytest.mark.parametrize("name", ["", "2wipe", "wipe table!", "tisch/wisch"])
def test_names_that_no_package_can_have_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="Expected a name of letters"):
        new_task(name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(UserError, match="already"):
        new_task("wipe_table", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]
