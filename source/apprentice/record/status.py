"""What the operator's page shows of a recording, as it goes to the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apprentice.record.cfg import RecordCfg
from apprentice.record.loop import EpisodeLoop
from apprentice.record.machine import State
from apprentice.record.pace import Pace
from apprentice.record.saver import Saver
from apprentice.record.slot import Slot
from apprentice.tasks.session import Session
from apprentice.teleop.sources.base import LiveSource


def status(
    loop: EpisodeLoop,
    session: Session,
    cfg: RecordCfg,
    saver: Saver,
    source: LiveSource,
    pace: Pace,
    latency_s: float,
    colours: Mapping[str, str],
) -> dict[str, Any]:
    """The state of the one episode that a person drives. JSON-able.

    Args:
        loop: Drives environment 0.
        session: The task.
        cfg: How it is recorded.
        saver: What was saved.
        source: What the operator drives with.
        pace: How well the loop keeps up.
        latency_s: From the arrival of the newest input to the end of the step that it moved.
        colours: Of objects by name, such as "#ff0000": what "cube_2" is, people cannot know.
    """
    slot, steps = loop.slots[0], loop.steps(0)
    last = saver.last
    return {
        "state": slot.state.value,
        "why": slot.why if slot.state in (State.PAUSED, State.READY) else "",
        "countdown_s": round(loop.countdown_s(0), 2) if slot.state is State.COUNTDOWN else None,
        "step": steps,
        "seconds": round(steps / session.control_hz, 2),
        "max_steps": cfg.longest,
        "success": slot.held > 0,
        "held": slot.held,
        "held_steps": cfg.held_steps,
        "subtasks": _subtasks(session, slot, colours),
        "saved": saver.demos,
        "wanted": cfg.demos,
        "last": None
        if last is None
        else {"name": last.name, "seconds": round(last.seconds, 1), "success": last.success},
        "can_undo": saver.can_undo,
        "devices": [
            {
                "name": device.name,
                "connected": device.connected,
                "age_ms": None if device.age_s is None else round(1000 * device.age_s),
                "detail": device.detail,
            }
            for device in source.devices()
        ],
        "pace": {
            "hz": round(pace.achieved_hz, 2),
            "wanted_hz": pace.wanted_hz,
            "jitter_ms": round(1000 * pace.jitter_s, 1),
            "latency_ms": round(1000 * latency_s, 1),
        },
        "grips": {name: round(grip, 2) for name, grip in slot.grips.items()},
        "seed": slot.seed,
        "file": saver.file.name,
        "discarded": saver.discarded,
        "message": saver.message,
    }


def _subtasks(session: Session, slot: Slot, colours: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "eef": eef,
            "object": thing,
            "colour": colours.get(thing or ""),
            "signal": signal,
            "done": signal in slot.marks or signal in slot.done,
            "marked": slot.marks.get(signal or ""),
        }
        for eef, parts in session.task_info.subtasks.items()
        for thing, signal in parts
    ]
