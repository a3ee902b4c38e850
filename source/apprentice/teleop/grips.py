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


class Trigger:
    """A trigger, or a pinch, on a gripper that keys and buttons move too: it has the say when it is moved.

    When an episode begins or goes on, it first has to agree with how the gripper is. Whoever pulls it to take hold of
    what the robot holds already would otherwise open the gripper with the first half of the pull.
    """

    def __init__(self) -> None:
        self._seen: float | None = None
        self._waiting = False

    def sync(self) -> None:
        """An episode begins or goes on."""
        self._waiting = True

    def update(self, value: float, grip: float) -> float:
        """How the gripper is to be now, from how far the trigger is pulled and how the gripper was, 0 to 1."""
        moved = self._seen is not None and abs(value - self._seen) > LastChanged.NOTICEABLE
        if moved or self._seen is None:
            self._seen = value
        if self._waiting and (value > 0.5) != (grip > 0.5):
            return grip
        self._waiting = False
        return value if moved else grip
