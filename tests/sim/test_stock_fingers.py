"""Isaac Lab's humanoid ids with finger joints in their actions: driven and recorded, with and without a headset.

Isaac Lab keeps one simulation per process, so that each task is driven in one of its own: this file, run as a program.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

TASKS = ["Isaac-PickPlace-GR1T2-Abs-Mimic-v0", "IsaacContrib-PickPlace-FixedBaseUpperBodyIK-G1-Abs"]
STEPS, CLOSE_AT, UP_M_S = 24, 8, 0.1


@pytest.mark.parametrize("task", TASKS)
def test_hands_go_where_they_are_driven_and_fingers_do_as_told(task, tmp_path):
    result = subprocess.run(
        [sys.executable, __file__, task, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr[-2000:]
    for device, seen in json.loads(result.stdout.splitlines()[-1]).items():
        assert seen["ok"] and seen["steps"] == STEPS, device
        assert min(seen["raised_m"]) > 0.01, device
        assert seen["aside_m"] < 0.02, device
        assert seen["closed"]["left"] < 0.1 and seen["closed"]["right"] > 0.5, device
        assert max(seen["neutral_off_m"]) < 0.01, device


class Driver:
    """Raises both hands, and closes the right one: by a key, or by a fist that a headset sees."""

    def __init__(self, tracked: bool) -> None:
        self._tracked, self._ticks, self._frame = tracked, 0, None

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass

    def latest(self):
        return self._frame

    def advance(self, time_s, view) -> None:
        from apprentice.teleop.frame import Command, Hand, TeleopFrame

        closed = self._ticks > CLOSE_AT
        joints = {side: webxr_hand(side, FIST if closed and side == "right" else FLAT) for side in ("left", "right")}
        hands = {
            side: Hand(
                twist=np.array((0.0, 0.0, UP_M_S, 0.0, 0.0, 0.0)),
                grip=float(closed and side == "right" and not self._tracked),
                joints=joints[side] if self._tracked else {},
            )
            for side in ("left", "right")
        }
        events = {0: (Command.START,), STEPS: (Command.SAVE,)}.get(self._ticks, ())
        self._frame = TeleopFrame(time_s=time_s, hands=hands, events=events)
        self._ticks += 1


def drive(task: str, folder: Path) -> dict:
    from apprentice.demos import DemoFile, check_file
    from apprentice.record.cfg import RecordCfg
    from apprentice.record.recorder import record_session
    from apprentice.tasks.session import open_session

    seen = {}
    with open_session(task) as session:
        for device in ("xr", "keyboard"):
            session.reset(seeds=[0])
            before = session.eef_poses()
            path = folder / f"{device}.hdf5"
            cfg = RecordCfg(demos=1, device=(device,))
            record_session(session, path, cfg, lambda seed, device=device: Driver(device == "xr"))
            moved = {eef: (session.eef_poses()[eef] - pose)[0, :3, 3] for eef, pose in before.items()}
            with DemoFile(path) as file:
                action = file.read(file.names[0]).actions[-1]
            there = session.eef_poses()
            for _ in range(3):
                session.step(session.neutral_actions())
            seen[device] = {
                "ok": check_file(path).ok,
                "steps": len(DemoFile(path).read("demo_0").actions),
                "raised_m": [float(off[2]) for off in moved.values()],
                "aside_m": max(float(off[:2].norm()) for off in moved.values()),
                "closed": {
                    eef: float(0.5 - 0.5 * hand.grip(torch.as_tensor(action[list(hand.columns)])))
                    for eef, hand in session.fingers().items()
                },
                "neutral_off_m": [
                    float((session.eef_poses()[eef] - pose)[0, :3, 3].norm()) for eef, pose in there.items()
                ],
            }
    return seen


if __name__ == "__main__":
    import torch

    sys.path.append(str(Path(__file__).parents[1] / "unit"))
    from webxr_hands import FIST, FLAT, webxr_hand

    print(json.dumps(drive(sys.argv[1], Path(sys.argv[2]))), flush=True)
    os._exit(0)
