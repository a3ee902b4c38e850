"""What training sees of the demos: Robomimic's windows, only faster."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from learn_demos import write_demos

from apprentice.demos import DemoFile
from apprentice.errors import UserError
from apprentice.learn.data.batches import Batches, WindowCfg, Windows, nest

KEYS = ("eef_pos", "gripper_pos", "bytes")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = write_demos(tmp_path_factory.mktemp("demos") / "demos.hdf5", count=4, length=9)
    with h5py.File(path, "r+") as h5:  # as Robomimic's own datasets have it, with bytes beside numbers
        for demo in h5["data"].values():
            length = len(demo["actions"])
            demo["obs/bytes"] = (np.arange(length * 3) % 251).astype(np.uint8).reshape(length, 3)
            for key in KEYS:
                value = demo[f"obs/{key}"][()]
                demo[f"next_obs/{key}"] = np.concatenate([value[1:], value[-1:]])
    return path


@pytest.mark.parametrize(
    ("frame_stack", "seq_length", "pad_stack", "pad_sequence"),
    [
        (1, 1, True, True),
        (1, 10, True, True),
        (3, 1, True, True),
        (3, 5, True, True),
        (3, 4, False, False),
        (2, 12, False, True),
    ],
)
def test_windows_are_those_of_robomimics_sequence_dataset(
    file: Path, frame_stack: int, seq_length: int, pad_stack: bool, pad_sequence: bool
):
    from robomimic.utils import obs_utils
    from robomimic.utils.dataset import SequenceDataset

    keys = KEYS
    obs_utils.initialize_obs_modality_mapping_from_dict({"low_dim": list(keys)})
    reference = SequenceDataset(
        str(file), keys, ("actions",), frame_stack, seq_length, pad_stack, pad_sequence, goal_mode="last"
    )
    cfg = WindowCfg(
        frame_stack=frame_stack,
        seq_length=seq_length,
        pad_frame_stack=pad_stack,
        pad_seq_length=pad_sequence,
        next_obs=True,
        goal_obs=True,
    )
    with DemoFile(file) as demos:
        arrays, lengths = demos.stack(["actions", *(f"obs/{key}" for key in keys)])
    data = {key: torch.from_numpy(value) for key, value in arrays.items()}
    windows = Windows(data, lengths.tolist(), cfg)

    assert len(windows) == len(reference)
    batch = nest(windows.gather(torch.arange(len(windows))))
    for number in range(len(reference)):
        expected = reference[number]
        np.testing.assert_array_equal(batch["actions"][number], expected["actions"])
        for key in keys:
            np.testing.assert_array_equal(batch["obs"][key][number], expected["obs"][key])
            np.testing.assert_array_equal(batch["goal_obs"][key][number], expected["goal_obs"][key])
            # Robomimic stacks what comes after the first frame before it, too; ours is the stack of the next step
            later = slice(frame_stack - 1, None)
            np.testing.assert_array_equal(batch["next_obs"][key][number][later], expected["next_obs"][key][later])


@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=5), stack=st.integers(1, 4), sequence=st.integers(1, 6))
def test_a_window_never_crosses_into_another_demo(lengths: list[int], stack: int, sequence: int):
    frame = torch.arange(sum(lengths), dtype=torch.float32)
    demo = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths)).float()
    windows = Windows({"frame": frame, "demo": demo}, lengths, WindowCfg(frame_stack=stack, seq_length=sequence))
    seen = windows.gather(torch.arange(len(windows)))
    assert len(windows) == sum(lengths)
    assert seen["frame"].shape == (sum(lengths), stack - 1 + sequence)
    torch.testing.assert_close(seen["frame"][:, stack - 1], frame)
    assert (seen["demo"] == demo[:, None]).all()
    assert (seen["frame"].diff(dim=1) >= 0).all()


def test_images_stay_bytes_and_odd_sizes_work():
    lengths = [3, 4]
    images = torch.randint(0, 256, (7, 4, 4, 3), dtype=torch.uint8)
    odd = torch.randint(0, 256, (7, 5, 1, 3), dtype=torch.uint8)
    windows = Windows({"obs/a": images, "obs/b": odd}, lengths, WindowCfg(seq_length=2))
    batch = nest(windows.gather(torch.tensor([2, 3])))
    assert batch["obs"]["a"].dtype == torch.uint8
    assert torch.equal(batch["obs"]["a"], torch.stack([images[[2, 2]], images[[3, 4]]]))
    assert torch.equal(batch["obs"]["b"], torch.stack([odd[[2, 2]], odd[[3, 4]]]))


def test_one_pass_shows_every_window_once_and_each_pass_another_order():
    batches = Batches(Windows({"x": torch.arange(20.0)}, [20]), batch_size=5, seed=1)
    passes = [torch.cat([batch["x"][:, 0] for batch in batches]) for _ in range(2)]
    for seen in passes:
        assert sorted(seen.tolist()) == list(range(20))
    assert not torch.equal(*passes)


def test_the_batch_of_a_step_does_not_depend_on_what_was_drawn_before():
    windows = Windows({"x": torch.arange(50.0)}, [50])
    straight = [Batches(windows, 8, seed=3).batch(step)["x"] for step in range(20)]
    jumping = Batches(windows, 8, seed=3)
    for step in (17, 2, 19, 0):
        assert torch.equal(jumping.batch(step)["x"], straight[step])


def test_fewer_windows_than_a_batch_make_a_smaller_batch():
    assert Batches(Windows({"x": torch.arange(3.0)}, [3]), 8).batch(5)["x"].shape == (3, 1)


def test_a_demo_too_short_for_an_unpadded_window_is_named():
    with pytest.raises(UserError, match="at least 5 frames, the 2th has 3"):
        Windows({"x": torch.arange(9.0)}, [6, 3], WindowCfg(seq_length=5, pad_seq_length=False))
