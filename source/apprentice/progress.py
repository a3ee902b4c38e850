"""How long work reports where it is, without knowing who draws it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives how far a piece of work has come."""

    def update(self, done: int, total: int, note: str = "") -> None:
        """Report that `done` of `total` units are finished; `note` is a short text such as a rate."""
        ...


class _Silent:
    def update(self, done: int, total: int, note: str = "") -> None:
        del done, total, note


silent: Progress = _Silent()
"""Draws nothing: the default of library functions."""
