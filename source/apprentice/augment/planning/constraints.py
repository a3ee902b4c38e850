"""What the subtasks of several end effectors owe each other: an order in time, or being done together.

These are Isaac Lab's `SubTaskConstraintConfig`s. Two things differ from `isaaclab_mimic`. A subtask that has to wait is
planned when the waiting is over, from where things lie then. And noise on the orientation of what is done together
turns it about its object, not about the origin of the environment, which would carry it away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from apprentice.augment.sources.segment import Boundaries
from apprentice.errors import UserError

Key = tuple[str, int]
"""An end effector and the number of one of its subtasks."""


@dataclass(frozen=True)
class Order:
    """One subtask ends before another goes on."""

    first: Key
    then: Key
    steps_left: int | None
    """Steps of its plan that `then` keeps for when `first` has ended. None: it does not even begin before."""


@dataclass(frozen=True)
class Together:
    """Two subtasks from the same segment of the same source demo, moved together and played in step."""

    subtasks: tuple[Key, Key]
    scheme: Literal["replay", "transform", "translate"]
    """How the segment follows its object: not at all, altogether, or without turning."""
    position_noise_m: float
    """Half the range of the shift that is added at random, along each axis (m)."""
    rotation_noise_rad: float
    """Half the range of the turn that is added at random, about each axis (rad)."""
    starts_together: bool
    """Whether neither begins before the other can."""

    def other(self, key: Key) -> Key:
        """The subtask that is done together with `key`."""
        one, two = self.subtasks
        return two if key == one else one


class Constraints:
    """All constraints of a task."""

    def __init__(self, orders: Sequence[Order] = (), together: Sequence[Together] = ()) -> None:
        self.orders = tuple(orders)
        self.together = tuple(together)
        self._links = {key: link for link in together for key in link.subtasks}

    def __bool__(self) -> bool:
        return bool(self.orders or self.together)

    def link(self, key: Key) -> Together | None:
        """What ties a subtask to another that is done with it."""
        return self._links.get(key)

    def group(self, key: Key) -> tuple[Key, ...]:
        """The subtasks that are done together with `key`, itself included; they begin anew together, too."""
        link = self.link(key)
        return (key,) if link is None else link.subtasks

    def may_begin(self, key: Key, ended: Callable[[Key], bool], waiting: Mapping[str, int]) -> bool:
        """Whether nothing stands against a subtask's beginning.

        Args:
            key: The subtask.
            ended: Tells whether a subtask has ended.
            waiting: Subtask that each end effector without a plan is about to begin.
        """
        if not all(ended(order.first) for order in self.orders if order.then == key and order.steps_left is None):
            return False
        link = self.link(key)
        if link is None or not link.starts_together:
            return True
        eef, index = other = link.other(key)
        blocked = any(
            order.then == other and order.steps_left is None and not ended(order.first) for order in self.orders
        )
        return waiting.get(eef) == index and not blocked

    def before(self, key: Key) -> set[Key]:
        """Subtasks on whose outcome `key` rests: earlier ones of its end effector, of those that it waits for, and of
        those that it is done together with."""
        found: set[Key] = set()
        ahead = list(self.group(key))
        while ahead:
            eef, index = current = ahead.pop()
            causes = [(eef, index - 1)] if index else []
            causes += [order.first for order in self.orders if order.then == current]
            causes = [member for cause in causes for member in self.group(cause)]
            ahead += [cause for cause in causes if cause not in found]
            found.update(causes)
        return found - set(self.group(key))

    def align(self, boundaries: Mapping[str, Boundaries]) -> None:
        """Let segments that are played together end at the same step of their source demo, in place.

        Args:
            boundaries: Segment boundaries of end effectors. Shape (D, S, 2) each. Links to others are left alone.
        """
        for link in self.together:
            if not all(eef in boundaries and index + 1 < boundaries[eef].shape[1] for eef, index in link.subtasks):
                continue  # the last subtask ends with the demo
            rows = [(boundaries[eef], index) for eef, index in link.subtasks]
            for demo in range(len(rows[0][0])):
                end = max(row[demo, index, 1] for row, index in rows)
                end = min(end, *(row[demo, index + 1, 1] - 1 for row, index in rows))
                end = max(end, *(row[demo, index, 0] + 1 for row, index in rows))
                for row, index in rows:
                    row[demo, index, 1] = row[demo, index + 1, 0] = end


def read_constraints(env_cfg: Any) -> Constraints:
    """The constraints of a Mimic task.

    Args:
        env_cfg: Its configuration.

    Raises:
        UserError: If they name subtasks that are not there, contradict each other, or lack what they need.
    """
    configs: Iterable[Any] = getattr(env_cfg, "task_constraint_configs", None) or ()
    orders: list[Order] = []
    together: list[Together] = []
    subtasks: Mapping[str, Sequence[Any]] = env_cfg.subtask_configs if configs else {}
    for config in configs:
        one, two = ((str(eef), int(index)) for eef, index in config.eef_subtask_constraint_tuple)
        for eef, index in (one, two):
            if eef not in subtasks or not 0 <= index < len(subtasks[eef]):
                counts = ", ".join(f"{name} 0 to {len(parts) - 1}" for name, parts in subtasks.items())
                raise UserError(f"Expected subtask constraints between {counts}, found one about {eef} {index}.")
        if config.constraint_type.name == "SEQUENTIAL":
            left = config.sequential_min_time_diff
            orders.append(Order(one, two, None if left < 0 else int(left)))
        else:
            scheme = config.coordination_scheme.name.lower()
            together.append(
                Together(
                    (one, two),
                    scheme,
                    float(config.coordination_scheme_pos_noise_scale),
                    float(config.coordination_scheme_rot_noise_scale),
                    bool(config.coordination_synchronize_start),
                )
            )
            _require_possible(together, subtasks)
    constraints = Constraints(orders, together)
    _require_an_order(constraints, {eef: len(parts) for eef, parts in subtasks.items()})
    return constraints


def _require_possible(together: Sequence[Together], subtasks: Mapping[str, Sequence[Any]]) -> None:
    *earlier, link = together
    (eef, index), (other, _) = link.subtasks
    taken = {key for known in earlier for key in known.subtasks}
    if eef == other or taken & set(link.subtasks):
        raise UserError(
            f"Expected each subtask to be coordinated with one of another end effector, found {link.subtasks}."
        )
    for eef, index in link.subtasks:
        if link.scheme != "replay" and subtasks[eef][index].object_ref is None:
            raise UserError(
                f"Expected an object for subtask {eef} {index}, which is coordinated by '{link.scheme}', found none; "
                "give it an object_ref or coordinate it by REPLAY."
            )


def _require_an_order(constraints: Constraints, counts: Mapping[str, int]) -> None:
    """Play the subtasks in thought: refuse constraints under which all end effectors wait for each other."""
    at = dict.fromkeys(counts, 0)
    while not all(at[eef] == count for eef, count in counts.items()):
        waiting = {eef: index for eef, index in at.items() if index < counts[eef]}
        able = [
            (eef, index)
            for eef, index in waiting.items()
            if constraints.may_begin((eef, index), lambda key: at[key[0]] > key[1], waiting)
            # what keeps steps back ends after the other, and what is in step with another needs it there to end
            and all(at[order.first[0]] > order.first[1] for order in constraints.orders if order.then == (eef, index))
        ]
        ending = [
            key
            for key in able
            if (link := constraints.link(key)) is None
            or link.other(key) in able
            or at[link.other(key)[0]] > link.other(key)[1]
        ]
        if not ending:
            stuck = ", ".join(f"{eef} {index}" for eef, index in waiting.items())
            raise UserError(f"Expected subtask constraints that can be kept, found that {stuck} wait for each other.")
        for eef, _ in ending:
            at[eef] += 1
