"""Where a rollout left the way of the demos: a hand carries a cube to a box, and things go wrong at known steps."""

from dataclasses import replace

import numpy as np
import pytest
from invented_evaluation import write_evaluation
from scipy.spatial.transform import Rotation
from test_report_page import plain

from apprentice.cli.failures import main
from apprentice.demos import Demo, DemoWriter
from apprentice.errors import UserError
from apprentice.evaluate.failures import explain, read
from apprentice.evaluate.traces import FOLDER, Trace, read_traces
from apprentice.evaluate.trajectories import save_arrays
from apprentice.evaluate.tube import Tube
from apprentice.evaluate.ways import features, layout, way_of_trace, ways_of_demos

GRASP, RELEASE, END = 25, 55, 65
"""Steps of an episode."""
SYMMETRY = {"cube": 4}


def trace(rng, number: int = 0, *, mishap: str | None = None, at: int = 0) -> Trace:
    """One episode; at a step the cube may "slip" and fall, the hand "stall", or somebody "knock" the box aside."""
    steps = 200 if mishap == "stall" else END
    cube, box = rng.uniform(-0.1, 0.1, 2), rng.uniform(-0.1, 0.1, 2) + [0.5, 0.0]
    start = np.array([0.0, 0.0, 0.3]) + rng.normal(0, 0.01, 3)
    grasp, place = np.array([*cube, 0.02]), np.array([*box, 0.06]) + rng.normal(0, 0.002, 3)
    time = np.arange(steps + 1.0)
    if mishap == "stall":
        time = np.minimum(time, at)
    reach, carry = np.clip(time / GRASP, 0, 1)[:, None], np.clip((time - GRASP) / (RELEASE - GRASP), 0, 1)[:, None]
    lift = 0.08 * np.sin(np.pi * carry[:, 0])
    hand = start + reach * (grasp - start) + carry * (place - grasp)
    hand[:, 2] += lift
    thing = np.where((time >= GRASP)[:, None], hand, grasp)
    if mishap == "slip":
        thing[at:] = [*thing[at, :2], 0.02]
    base = np.tile([*box, 0.0], (steps + 1, 1))
    if mishap == "knock":
        base[at:, 1] += 0.08
    yaw = rng.uniform(-np.pi, np.pi)
    held = yaw + np.pi / 2 * rng.integers(4) + rng.normal(0, 0.02)
    return Trace(
        rollout=number,
        success=mishap is None,
        eefs={"hand": posed(hand, held)},
        objects={"cube": posed(thing, yaw), "box": posed(base, 0.0)},
        reached=(time > GRASP)[:, None],
        initial_state={"rigid_object/cube/root_pose": posed(thing[:1], yaw)},
        states={},
    )


def posed(positions: np.ndarray, yaw: float) -> np.ndarray:
    """Positions with a turn about the vertical axis, as x y z and quaternion xyzw. Shape (T, 7)."""
    quaternion = [0.0, 0.0, np.sin(yaw / 2), np.cos(yaw / 2)]
    return np.hstack((positions, np.tile(quaternion, (len(positions), 1)))).astype(np.float32)


@pytest.fixture(scope="module")
def tube() -> Tube:
    rng = np.random.default_rng(0)
    demos, successes = ([way_of_trace(trace(rng)) for _ in range(count)] for count in (80, 60))
    return Tube(demos, successes, SYMMETRY)


def test_successes_stay_in_the_tube(tube):
    rng = np.random.default_rng(1)
    left = sum(tube.exit(way_of_trace(trace(rng))) is not None for _ in range(60))
    assert left <= 9


@pytest.mark.parametrize(
    ("mishap", "at", "within", "channel"),
    [
        ("slip", 35, 8, ("hand", "cube")),
        ("slip", 45, 8, ("hand", "cube")),
        # farther away the box is as far as in other demos; near it, the cube comes where none came
        ("knock", 40, 15, ("cube", "box")),
    ],
)
def test_the_first_step_of_a_mishap_is_found_and_what_was_out_of_place(tube, mishap, at, within, channel):
    rng = np.random.default_rng(2)
    exits = [tube.exit(way_of_trace(trace(rng, mishap=mishap, at=at))) for _ in range(20)]
    found = [exit for exit in exits if exit is not None and at <= exit.step <= at + within]
    assert len(found) >= 18
    assert sum(exit.channel == channel for exit in found) >= 12
    assert all(exit.stage == 1 and exit.kind == "left" and exit.value > exit.usual for exit in found)


def test_a_rollout_that_stops_among_the_demos_is_late(tube):
    rng = np.random.default_rng(3)
    exits = [tube.exit(way_of_trace(trace(rng, mishap="stall", at=12))) for _ in range(20)]
    late = [exit for exit in exits if exit is not None and exit.kind == "late"]
    assert len(late) >= 16
    assert all(GRASP < exit.step < 3 * GRASP and exit.stage == 0 and exit.channel is None for exit in late)


def test_subtasks_done_in_another_order_than_in_any_demo_are_named():
    rng = np.random.default_rng(4)

    def way(order: str):
        one = way_of_trace(trace(rng))
        steps = np.arange(END + 1)
        first, second = (20, 40) if order == "ab" else (40, 20)
        return replace(one, done=np.column_stack((steps >= first, steps >= second)))

    found = Tube([way("ab") for _ in range(20)], [way("ab") for _ in range(20)], SYMMETRY).exit(way("ba"))
    assert found is not None
    assert (found.kind, found.step, found.stage) == ("order", 20, 2)


def test_features_do_not_depend_on_where_it_happened_nor_on_turns_that_look_alike():
    way = way_of_trace(trace(np.random.default_rng(5)))
    moved = np.eye(4)
    moved[:3, :3], moved[:3, 3] = Rotation.from_euler("z", 1.1).as_matrix(), [0.3, -0.2, 0.1]
    elsewhere = replace(
        way,
        eefs={name: moved @ pose for name, pose in way.eefs.items()},
        objects={name: moved @ pose for name, pose in way.objects.items()},
    )
    quarter = np.eye(4)
    quarter[:3, :3] = Rotation.from_euler("z", np.pi / 2).as_matrix()
    turned = replace(way, objects={name: pose @ quarter for name, pose in way.objects.items()})
    here = features(way, SYMMETRY)
    for channel, values in features(elsewhere, SYMMETRY).items():
        np.testing.assert_allclose(values, here[channel], atol=1e-6)
    there = features(turned, SYMMETRY)
    np.testing.assert_allclose(there["hand", "cube"], here["hand", "cube"], atol=1e-6)
    assert np.abs(there["hand", "box"] - here["hand", "box"]).max() > 0.01  # nobody said that the box is symmetric
    alike, different = (layout(one.objects, SYMMETRY) for one in (replace(turned, objects=way.objects), turned))
    assert not np.allclose(alike, different)
    np.testing.assert_allclose(layout({"cube": turned.objects["cube"]}, SYMMETRY), alike[:, :4] * np.sqrt(2), atol=1e-6)


def write_demos(path, count: int = 60, *, signal: str = "grasp", cube: str = "cube"):
    """Successes as a demo file; and a failed demo, which is no way to go."""
    rng = np.random.default_rng(6)
    info = "obs/datagen_info"
    with DemoWriter(path, task="Carry", meta={"symmetry": SYMMETRY}) as writer:
        for number in range(count):
            one = trace(rng) if number else trace(rng, mishap="slip", at=30)
            way = way_of_trace(one)
            data = {
                f"{info}/eef_pose/hand": way.eefs["hand"],
                f"{info}/subtask_term_signals/{signal}": one.reached[:, 0],
            }
            data |= {f"{info}/object_pose/{cube}": way.objects["cube"], f"{info}/object_pose/box": way.objects["box"]}
            writer.append(Demo(actions=np.zeros((END + 1, 2), np.float32), success=number > 0, data=data))
    return path


def evaluated(directory):
    """An evaluation of 60 rollouts, of which every third lost the cube; with its traces."""
    rng = np.random.default_rng(7)
    traces = [trace(rng, number, mishap=None if number % 3 else "slip", at=40) for number in range(60)]
    write_evaluation(directory, [one.success for one in traces])
    for one in traces:
        arrays = {"eef/hand": one.eefs["hand"], "reached": one.reached}
        arrays |= {f"object/{name}": pose for name, pose in one.objects.items()}
        arrays |= {f"initial_state/{name}": value for name, value in one.initial_state.items()}
        outcome = "success" if one.success else "failure"
        save_arrays(directory / FOLDER / f"{outcome}_{one.rollout:05d}.npz", arrays)
    return directory


def test_only_successful_demos_are_followed(tmp_path):
    ways = ways_of_demos(write_demos(tmp_path / "demos.hdf5", 12), ["grasp"], most=5)
    assert [way.name for way in ways] == ["demo_1", "demo_3", "demo_6", "demo_8", "demo_11"]


def test_failures_are_explained_on_the_command_line_in_the_file_and_on_the_page(tmp_path, capsys):
    folder, demos = evaluated(tmp_path / "out"), write_demos(tmp_path / "demos.hdf5")
    with pytest.raises(UserError, match="cube, hand, found box, hand, mug"):
        explain(folder, write_demos(tmp_path / "mug.hdf5", 3, cube="mug"))
    assert len(read_traces(folder, success=False)) == 20
    main(folder, demos)
    said = capsys.readouterr().out
    assert "Where they first left the demos, by what is usual of 40 successful rollouts:" in said
    assert "in final: hand and cube stood to each other as in no demo" in said
    found = read(folder)["divergence"]
    assert found["groups"][0]["what"] == ["hand", "cube"]
    assert sum(group["rollouts"] for group in found["groups"]) == len(found["rollouts"]) == 20
    first = found["rollouts"][0]
    assert (first["subtask"], first["kind"]) == ("final", "left")
    assert 40 <= first["step"] <= 48
    assert abs(first["demo_step"] - first["step"]) < 20
    assert f"At step {first['step']}, in final: hand and cube stood to each other as in no demo, " in plain(
        folder / "report.html"
    )


def test_evaluations_and_demos_that_say_too_little_are_refused(tmp_path):
    folder = evaluated(tmp_path / "out")
    with pytest.raises(UserError, match="expected poses and the subtask signals grasp"):
        explain(folder, write_demos(tmp_path / "demos.hdf5", 3, signal="other"))
    old = write_evaluation(tmp_path / "old", [True, False] * 10)
    with pytest.raises(UserError, match="Expected traces of failed rollouts"):
        explain(old, write_demos(tmp_path / "again.hdf5", 3))
    assert explain(old)["divergence"] is None
