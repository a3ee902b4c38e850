"""What an operator did in a session that NVIDIA's Isaac Teleop recorded, as frames."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from mcap.exceptions import McapError
from mcap.reader import make_reader
from scipy.spatial.transform import Rotation

from apprentice.errors import UserError
from apprentice.sim.quiet import quiet
from apprentice.teleop.frame import Command, Hand, Pose, TeleopFrame

from .axes import from_openxr
from .extra import isaacteleop
from .pipeline import eef_of_sides

_NS = 1e-9


def read_recording(path: Path, eefs: Sequence[str]) -> list[TeleopFrame]:
    """The controllers of a recording: their grip poses, engaged whenever they are tracked, and their triggers.

    A controller that is not tracked is left out, so that the robot stands still until it is seen again. The first frame
    asks to start and the last one to stop; the recording's own episodes are not in it.

    Args:
        path: MCAP file of Isaac Teleop's recorder.
        eefs: End effectors to drive, left and right by name; a single one follows the right controller, or the left
            one if the right is never tracked.

    Raises:
        UserError: If it is no such file, has no controllers in it, or the extra is not installed.
    """
    device, sessions = isaacteleop("deviceio"), isaacteleop("deviceio_session")
    source, times = _controllers(path)
    tracker = device.ControllerTracker()
    readings: list[dict[str, Hand]] = []
    with quiet():
        try:
            with sessions.ReplaySession.run(device.McapReplayConfig(str(path), [(tracker, source)])) as session:
                for _ in times:
                    session.update()
                    readings.append(_reading(tracker, session))
        except RuntimeError as error:
            raise UserError(f"{path}: expected a recording of Isaac Teleop, found one that fails: {error}.") from error
    sides = _sides(readings, eefs)
    frames = [
        TeleopFrame(time_s=time_s, hands={eef: hands[side] for eef, side in sides.items() if side in hands})
        for time_s, hands in zip(times, readings, strict=True)
    ]
    seen = [place for place, frame in enumerate(frames) if frame.hands]
    if not seen:
        raise UserError(f"{path}: expected controllers that were tracked, found none in {len(frames)} readings.")
    frames = frames[seen[0] :]
    frames[0] = replace(frames[0], events=(Command.START,))
    frames.append(replace(frames[-1], time_s=frames[-1].time_s + 0.01, events=(Command.STOP,)))
    return frames


def _reading(tracker: Any, session: Any) -> dict[str, Hand]:
    """The hands that are tracked at this step, by side."""
    tracked = {"left": tracker.get_left_controller(session), "right": tracker.get_right_controller(session)}
    hands = {side: _hand(one.data) for side, one in tracked.items()}
    return {side: hand for side, hand in hands.items() if hand is not None}


def _controllers(path: Path) -> tuple[str, list[float]]:
    """Name of the source of controllers, and the times of its readings (s)."""
    times: dict[str, list[float]] = {}
    try:
        with path.open("rb") as file:
            for _, channel, message in make_reader(file).iter_messages():
                times.setdefault(channel.topic, []).append(message.log_time * _NS)
    except (OSError, McapError, ValueError, struct.error) as error:
        raise UserError(
            f"{path}: expected an MCAP file of Isaac Teleop, found that it cannot be read: {error}."
        ) from error
    found = {topic.rpartition("/")[0] for topic in times if topic.endswith(("/left_controller", "/right_controller"))}
    if len(found) != 1:
        what = f"{len(found)} sources of them" if found else f"the channels {', '.join(sorted(times)) or 'of none'}"
        raise UserError(f"{path}: expected the controllers of one Isaac Teleop session, found {what}.")
    (source,) = found
    # both controllers are written at every step; where one is missing, the other tells the time
    return source, max((times.get(f"{source}/{side}_controller", []) for side in ("left", "right")), key=len)


def _sides(readings: Sequence[dict[str, Hand]], eefs: Sequence[str]) -> dict[str, str]:
    """Which controller drives each end effector."""
    if len(eefs) > 1:
        return {eef: side for side, eef in eef_of_sides(eefs).items()}
    return dict.fromkeys(eefs, "right" if any("right" in hands for hands in readings) else "left")


def _hand(snapshot: Any) -> Hand | None:
    if snapshot is None or not snapshot.grip_pose.is_valid:
        return None
    return Hand(pose=from_openxr(_pose(snapshot.grip_pose.pose)), engaged=True, grip=snapshot.inputs.trigger_value)


def _pose(recorded: Any) -> Pose:
    position, turn = recorded.position, recorded.orientation
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_quat((turn.x, turn.y, turn.z, turn.w)).as_matrix()
    pose[:3, 3] = position.x, position.y, position.z
    return pose
