"""Who has the say about a gripper, where several can move it: whoever changed their mind last."""

from __future__ import annotations

from collections.abc import Mapping


class LastChanged:
    """The value that changed last among several, by name."""

    NOTICEABLE = 0.02
    """Smaller changes are the noise of a trigger at rest."""

    def __init__(self, value: float = 0.0) -> None:
        """Args: value: What holds until somebody changes something."""
        self._value = value
        self._seen: dict[str, float] = {}
        self._owner: str | None = None

    def update(self, values: Mapping[str, float]) -> float:
        """Take what everybody says now; the last of several that change at once wins.

        Who joins later changes nothing by that.
        """
        first = not self._seen
        for name, value in values.items():
            changed = abs(value - self._seen.setdefault(name, self._value if first else value)) > self.NOTICEABLE
            if changed:
                self._owner = name
            if changed or name == self._owner:
                self._seen[name] = self._value = value
        return self._value

    def sync(self, value: float) -> None:
        """Begin at a value; whoever changes something from now on has the say."""
        self._value, self._owner = value, None
