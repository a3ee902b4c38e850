"""Source demos of one arm for another: what the hands do stays the same, and what cannot be is refused."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from apprentice.augment.cfg import AugmentCfg
from apprentice.augment.planning.plan import Planner
from apprentice.augment.planning.reach import reach_of
from apprentice.augment.sources.demos import SourceDemo
from apprentice.augment.sources.transfer import Transfer, find_transfer
from apprentice.demos import Demo, DemoWriter
from apprentice.errors import UserError
from apprentice.poses import exp_rotation, make_pose, position, rotation_angle
from apprentice.robots.assets import PANDA, usd_path
from apprentice.robots.kinematics import Chain
from apprentice.tasks.grasps import IDENTITY, Grasp
from apprentice.tasks.registry import task_info

FRANKA, UR5E = "Apprentice-Stack-Franka", "Apprentice-Stack-UR5e"
SWITCH = Grasp(frame=IDENTITY, column=6, open=1.0, closed=-1.0, binary=True)
KNOB = Grasp(frame=IDENTITY, column=2, open=0.0, closed=0.8, binary=False)
vectors = arrays(np.float64, 3, elements=st.floats(-1, 1))


@st.composite
def poses(draw: st.DrawFn) -> torch.Tensor:
    return make_pose(torch.from_numpy(draw(vectors)), exp_rotation(torch.from_numpy(draw(vectors)) * 3))


def frame(pose: torch.Tensor):
    return tuple(tuple(row) for row in pose.tolist())


def transfer(source: Grasp, target: Grasp, source_hz: float = 20.0, target_hz: float = 20.0) -> Transfer:
    return Transfer(
        source_task="One",
        source_eef="one",
        eef="other",
        source=source,
        target=target,
        source_hz=source_hz,
        target_hz=target_hz,
    )


def demo(path: torch.Tensor, gripper: torch.Tensor | None = None) -> SourceDemo:
    length = len(path)
    return SourceDemo(
        name="demo_0",
        length=length,
        eef={"one": path},
        target={"one": path},
        gripper={"other": torch.ones(length, 1) if gripper is None else gripper},
        objects={"cube": path.clone()},
        signals={"grasp": np.arange(length) >= length // 2},
    )


@given(one=poses(), other=poses(), hand=poses())
def test_the_other_hand_holds_its_fingers_where_the_one_held_its(one, other, hand):
    moved = transfer(replace(SWITCH, frame=frame(one)), replace(SWITCH, frame=frame(other))).apply(demo(hand[None]))
    torch.testing.assert_close(moved.eef["other"][0] @ other, hand @ one, atol=1e-9, rtol=0)
    torch.testing.assert_close(moved.target["other"][0] @ other, hand @ one, atol=1e-9, rtol=0)
    assert set(moved.eef) == {"other"}


def test_a_gripper_that_is_switched_tells_one_that_is_turned():
    actions = torch.zeros(3, 7)
    actions[:, 6] = torch.tensor([1.0, -1.0, 0.3])  # Isaac Lab's binary gripper opens from 0 on
    told = transfer(SWITCH, KNOB).gripper(actions)["other"]
    torch.testing.assert_close(told, torch.tensor([[0.0], [0.8], [0.0]]))


def test_a_gripper_that_is_turned_tells_one_that_is_switched():
    actions = torch.zeros(4, 3)
    actions[:, 2] = torch.tensor([0.0, 0.8, 0.3, 1.5])  # open, closed, more open than not, beyond closed
    told = transfer(KNOB, SWITCH).gripper(actions)["other"]
    torch.testing.assert_close(told, torch.tensor([[1.0], [-1.0], [1.0], [-1.0]]))


@given(share=st.floats(0, 1))
def test_a_gripper_that_is_part_open_is_part_open_in_other_units(share):
    other = Grasp(frame=IDENTITY, column=0, open=0.04, closed=0.0, binary=False)
    told = transfer(KNOB, other).gripper(torch.tensor([[0.0, 0.0, 0.8 * (1 - share)]]))["other"]
    assert float(told) == pytest.approx(0.04 * share, abs=1e-6)


def test_demos_at_half_the_rate_are_filled_in_between():
    path = make_pose(
        torch.arange(11, dtype=torch.float64)[:, None] * torch.tensor([0.1, 0.0, 0.0], dtype=torch.float64),
        torch.eye(3, dtype=torch.float64).expand(11, 3, 3),
    )
    gripper = torch.ones(11, 1)
    gripper[5:] = -1.0
    dense = transfer(SWITCH, SWITCH, 10.0, 20.0).apply(demo(path, gripper))
    assert dense.length == 21
    torch.testing.assert_close(position(dense.eef["other"])[:, 0], torch.arange(21, dtype=torch.float64) * 0.05)
    torch.testing.assert_close(position(dense.objects["cube"])[:, 0], torch.arange(21, dtype=torch.float64) * 0.05)
    assert dense.gripper["other"].flatten().tolist() == [1.0] * 10 + [-1.0] * 11
    assert dense.signals["grasp"].tolist() == [False] * 10 + [True] * 11
    sparse = transfer(SWITCH, SWITCH, 20.0, 10.0).apply(demo(path, gripper))
    assert sparse.length == 6
    torch.testing.assert_close(position(sparse.target["other"])[-1], position(path)[-1])


def write(path: Path, eef: str, objects, signals, task: str, hz: float = 20.0) -> Path:
    still = np.eye(4, dtype=np.float32)[None].repeat(5, 0)
    data = {f"obs/datagen_info/{kind}/{eef}": still for kind in ("eef_pose", "target_eef_pose")}
    data |= {f"obs/datagen_info/object_pose/{name}": still for name in objects}
    data |= {f"obs/datagen_info/subtask_term_signals/{name}": np.zeros(5, np.float32) for name in signals}
    with DemoWriter(path, task=task) as writer:
        writer.append(Demo(actions=np.zeros((5, 7), np.float32), data=data, success=True, attrs={"control_hz": hz}))
    return path


CUBES, SIGNALS = ("cube_1", "cube_2", "cube_3"), ("grasp_1", "stack_1", "grasp_2")


def test_the_same_task_with_another_arm_is_a_transfer(tmp_path):
    found = find_transfer(write(tmp_path / "a.hdf5", "franka", CUBES, SIGNALS, FRANKA), task_info(UR5E))
    assert found is not None
    assert (found.source_task, found.source_eef, found.eef) == (FRANKA, "franka", "ur5e")
    assert (found.source.column, found.source.open, found.target.closed) == (6, 1.0, -1.0)
    back = find_transfer(write(tmp_path / "b.hdf5", "ur5e", CUBES, SIGNALS, UR5E), task_info(FRANKA))
    assert back is not None
    assert back.identity != found.identity


def test_demos_of_the_task_itself_are_none(tmp_path):
    assert find_transfer(write(tmp_path / "a.hdf5", "franka", CUBES, SIGNALS, FRANKA), task_info(FRANKA)) is None


def test_stock_demos_of_a_panda_may_be_transferred_too(tmp_path):
    stock = "Isaac-Stack-Cube-Franka-IK-Rel-Mimic-v0"
    found = find_transfer(write(tmp_path / "a.hdf5", "franka", CUBES, SIGNALS, stock), task_info(UR5E))
    assert found is not None
    assert found.source == task_info(FRANKA).grasps["franka"]


def test_another_task_is_refused_with_what_differs(tmp_path):
    info = replace(task_info(UR5E), objects=("mug",), subtasks={"ur5e": (("mug", "lift"), ("mug", None))})
    with pytest.raises(UserError, match=r"objects cube_1, cube_2, cube_3 instead of mug; subtasks grasp_1 .* lift"):
        find_transfer(write(tmp_path / "a.hdf5", "franka", CUBES, SIGNALS, FRANKA), info)


def test_an_arm_that_nobody_knows_is_refused(tmp_path):
    path = write(tmp_path / "a.hdf5", "tentacle", CUBES, SIGNALS, "Their-Stack")
    with pytest.raises(UserError, match=r"Apprentice-Stack-UR5e or of a known task with another arm, found tentacle"):
        find_transfer(path, task_info(UR5E))


def test_a_hand_whose_grasp_frame_is_not_stated_is_refused(tmp_path):
    info = replace(task_info(UR5E), grasps={})
    with pytest.raises(UserError, match=r"how Apprentice-Stack-UR5e grasps.*grasp_frames"):
        find_transfer(write(tmp_path / "a.hdf5", "franka", CUBES, SIGNALS, FRANKA), info)


def test_control_rates_far_apart_are_refused(tmp_path):
    path = write(tmp_path / "a.hdf5", "franka", CUBES, SIGNALS, FRANKA, hz=200.0)
    with pytest.raises(UserError, match=r"20 Hz, found 200 Hz"):
        find_transfer(path, task_info(UR5E))


@pytest.fixture(scope="module")
def panda():
    chain = Chain(usd_path(PANDA), "panda_hand", tool_m=0.1034)
    home = torch.tensor([[0.0444, -0.1894, -0.1107, -2.5148, 0.0044, 2.3775, 0.6952]], dtype=torch.float64)
    return chain, home


def pick(chain, home) -> Planner:
    """From home down to a cube and up again."""
    start = chain.forward(home)[0]
    heights = torch.cat((torch.linspace(0.25, 0.03, 12), torch.linspace(0.03, 0.2, 12))).double()
    path = start.repeat(24, 1, 1)
    path[:, 2, 3] = heights
    cube = make_pose(position(start)[None].repeat(24, 1), torch.eye(3, dtype=torch.float64).expand(24, 3, 3)).clone()
    cube[:, 2, 3] = torch.cat((torch.full((12,), 0.02, dtype=torch.float64), heights[12:] - 0.01))
    one = replace(demo(path), eef={"hand": path}, target={"hand": path}, objects={"cube": cube})
    one = replace(one, gripper={"hand": torch.ones(24, 1)})
    offsets = {"subtask_term_offset_range": (0, 0), "first_subtask_start_offset_range": (0, 0)}
    parts = [SimpleNamespace(object_ref="cube", subtask_term_signal=signal, **offsets) for signal in ("grasp", None)]
    for part in parts:
        part.num_interpolation_steps = part.num_fixed_steps = 0
    cfg = AugmentCfg()
    return Planner("hand", parts, [one], symmetry={}, control_hz=20.0, from_last_target=True, cfg=cfg)


def scenes(chain, home, offsets) -> tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
    count = len(offsets)
    eefs = chain.forward(home).repeat(count, 1, 1)
    cubes = make_pose(position(eefs), torch.eye(3, dtype=torch.float64).expand(count, 3, 3)).clone()
    cubes[:, 2, 3] = 0.02
    cubes[:, :2, 3] += torch.tensor(offsets, dtype=torch.float64)
    return home.repeat(count, 1), eefs, {"cube": cubes}


def test_what_is_out_of_reach_is_counted_by_subtask(panda):
    chain, home = panda
    offsets = [(0.05, 0.05), (-0.05, 0.1), (1.0, 0.0), (0.0, -0.1)]
    found = reach_of(chain, pick(chain, home), *scenes(chain, home, offsets), symmetry={})
    assert [part.name for part in found] == ["grasp", "final"]
    assert [part.out for part in found] == [1, 1]
    assert str(found[0]) == "grasp: 25 % of 4 sampled scenes out of reach"
    assert found[0].demos == {"demo_0": 1}
    assert 0.4 < found[0].missed_m < 0.9


def test_looking_at_reach_does_not_move_what_it_looks_at(panda):
    chain, home = panda
    starts, eefs, objects = scenes(chain, home, [(0.05, 0.0)])
    before = [value.clone() for value in (starts, eefs, objects["cube"])]
    reach_of(chain, pick(chain, home), starts, eefs, objects, symmetry={})
    for was, value in zip(before, (starts, eefs, objects["cube"]), strict=True):
        torch.testing.assert_close(value, was)
    assert float(rotation_angle(eefs[0, :3, :3].T @ before[1][0, :3, :3])) < 1e-6
