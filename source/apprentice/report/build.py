"""Builds the page of a run: one file to look at, keep and send."""

from __future__ import annotations

import os
from pathlib import Path

from apprentice.errors import UserError
from apprentice.report import overview
from apprentice.report.augmentation import augmentation
from apprentice.report.comparison import comparison_page
from apprentice.report.evaluation import evaluation
from apprentice.report.failures import failures
from apprentice.report.page import page
from apprentice.report.provenance import provenance
from apprentice.report.results import read_comparison, read_run, read_suite
from apprentice.report.suite import suite_page
from apprentice.report.training import training


def build_report(where: Path) -> Path:
    """Draw `report.html` in a folder of results, or FILE.report.html beside a generated demo file.

    The folder is that of a run, an evaluation, a comparison or a suite. A part of the run that is missing is left out,
    with a line that says so.

    Returns:
        Path of the page.

    Raises:
        UserError: If the folder holds no result files, or the page cannot be written.
    """
    if (found := read_suite(where)) is not None:
        return _write(where / "report.html", suite_page(found, where))
    if (found := read_comparison(where)) is not None:
        return _write(where / "report.html", comparison_page(found, where))
    run = read_run(where)
    sections = [overview.demos(run), augmentation(run), training(run), evaluation(run), *failures(run), provenance(run)]
    if where.is_file():
        sections = [augmentation(run), provenance(run)]
    elif not (run.summary or run.augmentations or run.training):
        sections = [evaluation(run), *failures(run), provenance(run)]
    text = page(
        title=overview.title(run),
        subtitle=overview.subtitle(run),
        overview=overview.overview(run),
        sections=sections,
    )
    path = where / "report.html"
    if where.is_file():
        path = where.with_name(where.name.removesuffix(".stats.json") + ".report.html")
    return _write(path, text)


def _write(path: Path, text: str) -> Path:
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        raise UserError(f"Expected to write {path}, but {error.strerror}; make the folder writable.") from error
    return path
