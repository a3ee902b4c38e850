"""Writes a small task package into a user's own project, to start from."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from string import Template

from apprentice.errors import UserError

_FILES = {
    "README.md.txt": "README.md",
    "pyproject.toml.txt": "pyproject.toml",
    "extension.toml.txt": "source/$package/config/extension.toml",
    "__init__.py.txt": "source/$package/$package/__init__.py",
    "env_cfg.py.txt": "source/$package/$package/env_cfg.py",
    "conditions.py.txt": "source/$package/$package/conditions.py",
    "operator.py.txt": "source/$package/$package/operator.py",
}
"""Files of `template/` and where they go; the layout is that of Isaac Lab's external projects."""


def new_task(name: str, folder: Path) -> list[Path]:
    """Write a task that works, to be changed into another.

    Args:
        name: What it is called, such as `wipe_table` or `WipeTable`.
        folder: Where to; made if missing.

    Returns:
        The files written.

    Raises:
        UserError: If the name can't be a package's, one of the files exists, or the folder can't be written.
    """
    words = [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", name)]
    package = "_".join(words)
    if not package.isidentifier() or re.sub(r"[\s_-]", "", name).lower() != "".join(words):
        raise UserError(
            f"Expected a name of letters, digits and - or _ that begins with a letter, such as wipe_table, found "
            f"'{name}'."
        )
    camel = "".join(word.capitalize() for word in words)
    values = {
        "package": package,
        "distribution": package.replace("_", "-"),
        "title": " ".join(words).capitalize(),
        "task_id": f"{camel}-Franka",
        "class_name": f"{camel}EnvCfg",
    }
    template = files("apprentice.tasks") / "template"
    texts = {
        folder / Template(path).substitute(values): Template((template / source).read_text()).substitute(values)
        for source, path in _FILES.items()
    }
    existing = [str(path) for path in texts if path.exists()]
    if existing:
        raise UserError(f"Expected to write a new task, found {existing[0]} already: choose another --output.")
    try:
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    except OSError as error:
        raise UserError(f"Expected to write into {folder}, but {error.strerror}: choose another --output.") from error
    return list(texts)
