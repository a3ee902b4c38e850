"""Source demos for tests, recorded by the scripted operator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from apprentice.record.cfg import RecordCfg
from apprentice.record.operators import scripted_operators
from apprentice.record.recorder import record_session


def record(session: Any, path: Path, demos: int) -> Path:
    """Record some demos of the session's task into a new file, and return its path."""
    record_session(session, path, RecordCfg(device=("scripted",), demos=demos), scripted_operators(session))
    return path
