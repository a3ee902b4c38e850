"""Start states: what is written is what is read, bit for bit, and anything else ends in one sentence."""

from dataclasses import replace

import h5py
import numpy as np
import pytest
from demo_examples import TASK, make_demo

from apprentice.demos import DemoWriter
from apprentice.demos.start_states import StartStates, read_start_states, require_fitting, write_start_states
from apprentice.errors import UserError

POSE, JOINTS = "rigid_object/cube_1/root_pose", "articulation/robot/joint_position"


def make_starts(count: int = 5) -> StartStates:
    rng = np.random.default_rng(0)
    return StartStates(
        task=TASK,
        variant="d0",
        states={
            POSE: rng.normal(size=(count, 7)).astype(np.float32),
            JOINTS: rng.normal(size=(count, 9)).astype(np.float32),
        },
        seeds=np.arange(count, dtype=np.int64) + 2**40,
        kinds=tuple(("drop", "knock", "miss")[place % 3] for place in range(count)),
    )


@pytest.mark.parametrize("variant", ["d0", None])
def test_what_is_written_is_read_bit_for_bit(tmp_path, variant):
    starts = replace(make_starts(), variant=variant)
    write_start_states(tmp_path / "new" / "starts.hdf5", starts)
    found = read_start_states(tmp_path / "new" / "starts.hdf5")
    assert (found.task, found.variant, found.kinds) == (starts.task, starts.variant, starts.kinds)
    np.testing.assert_array_equal(found.seeds, starts.seeds)
    assert found.states.keys() == starts.states.keys()
    for key, value in starts.states.items():
        assert found.states[key].tobytes() == value.tobytes()
    assert found.sha256 == starts.sha256
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["starts.hdf5"]


def test_the_digest_tells_contents_apart():
    starts = make_starts()
    moved = {key: value.copy() for key, value in starts.states.items()}
    moved[POSE][3, 2] = np.nextafter(moved[POSE][3, 2], np.float32(9))
    others = [
        replace(starts, states=moved),
        replace(starts, seeds=starts.seeds + 1),
        replace(starts, kinds=("knock", *starts.kinds[1:])),
        replace(starts, variant="d1"),
        starts.select([1, 0, 2, 3, 4]),
    ]
    assert len({starts.sha256, *(other.sha256 for other in others)}) == 6
    assert starts.select(range(5)).sha256 == starts.sha256


def test_a_selection_keeps_what_belongs_together():
    starts = make_starts()
    chosen = starts.select([4, 1])
    assert (len(chosen), chosen.kinds, chosen.seeds.tolist()) == (2, ("knock", "knock"), [2**40 + 4, 2**40 + 1])
    np.testing.assert_array_equal(chosen.states[POSE], starts.states[POSE][[4, 1]])


def test_a_file_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "starts.hdf5"
    write_start_states(path, make_starts(5))
    write_start_states(path, make_starts(2))
    assert len(read_start_states(path)) == 2


def test_states_that_do_not_fit_together_are_refused():
    with pytest.raises(ValueError, match=r"one length, got lengths \[4, 5\]"):
        replace(make_starts(), kinds=("drop",) * 4)
    broken = make_starts().states
    broken[POSE][2, 0] = np.nan
    with pytest.raises(UserError, match=f"{POSE}: expected finite numbers"):
        replace(make_starts(), states=broken)


def test_other_files_are_refused(tmp_path):
    with DemoWriter(tmp_path / "demos.hdf5", task=TASK) as writer:
        writer.append(make_demo(0))
    with pytest.raises(UserError, match=r"demos\.hdf5: expected a file of start states, found another"):
        read_start_states(tmp_path / "demos.hdf5")
    with pytest.raises(UserError, match="no such file"):
        read_start_states(tmp_path / "nothing.hdf5")
    write_start_states(tmp_path / "starts.hdf5", make_starts())
    with h5py.File(tmp_path / "starts.hdf5", "r+") as file:
        del file["seeds"]
        file["seeds"] = np.arange(3)
    with pytest.raises(UserError, match=r"starts\.hdf5: Expected states, seeds and kinds of one length"):
        read_start_states(tmp_path / "starts.hdf5")


def test_states_of_another_scene_are_refused():
    starts = make_starts()
    require_fitting(starts, TASK, [POSE, JOINTS])
    with pytest.raises(UserError, match="start states of the task Other-Task, found some of"):
        require_fitting(starts, "Other-Task", [POSE, JOINTS])
    with pytest.raises(UserError, match=f"difference in {POSE}"):
        require_fitting(starts, TASK, [JOINTS])
