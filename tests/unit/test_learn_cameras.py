"""Policies that look through a camera: what they need, what they find out, and that they act alike everywhere."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from learn_demos import reaching_demo

from apprentice.demos import DemoFile, DemoWriter
from apprentice.errors import UserError
from apprentice.learn.algorithms.vision import SpatialSoftmax, augmented, cut_out
from apprentice.learn.cfg import TrainCfg
from apprentice.learn.play.export import export
from apprentice.learn.play.policy import load_policy
from apprentice.learn.training.train import train

SIZE = 24
LIGHT = {
    "algo_name": "chunked_bc",
    "algo": {
        "hidden_dims": [64],
        "chunk": 8,
        "execute": 5,
        "vision": {"channels": [16, 16], "keypoints": 8, "embedding": 32, "glimpse_px": 8},
    },
    "train": {"batch_size": 64},
}


def image(cube: np.ndarray) -> np.ndarray:
    """A bright spot where the cube is. Poses of shape (T, 4, 4) to (T, SIZE, SIZE, 3) bytes."""
    at = (cube[:, :2, 3] / 0.5 + 0.5) * (SIZE - 1)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    distance = (columns - at[:, 0, None, None]) ** 2 + (rows - at[:, 1, None, None]) ** 2
    return (255 * np.exp(-distance / 4)).astype(np.uint8)[..., None].repeat(3, -1)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng, path = np.random.default_rng(0), tmp_path_factory.mktemp("demos") / "demos.hdf5"
    with DemoWriter(path, task="Reach-Cube", meta={"symmetry": {"cube": 4}}) as writer:
        for number in range(120):
            demo = reaching_demo(rng, 12 + number % 3)
            seen = image(demo.data["obs/datagen_info/object_pose/cube"])
            demo.data["obs/front_image"] = seen
            demo.data["obs/front_depth"] = (1.0 - seen[..., :1] / 255 * 0.3).astype(np.float16)
            writer.append(demo)
    return path


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config") / "light.json"
    path.write_text(json.dumps(LIGHT))
    return path


@pytest.fixture(scope="module")
def trained(file: Path, config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("run")
    train(file, output, TrainCfg(config=config, cameras=("front",), steps=1000, valid_fraction=0.1))
    return output


def seen(file: Path, keys: tuple[str, ...], step: int) -> dict[str, torch.Tensor]:
    with DemoFile(file) as demos:
        rows = [demos.read(name).data for name in demos.names[:4]]
    return {key: torch.from_numpy(np.stack([row["obs/" + key][step] for row in rows])) for key in keys}


def test_it_acts_without_object_poses_and_has_learned_to_tell_them(file: Path, trained: Path):
    policy = load_policy(trained)
    assert policy.cameras == ("front_image",)
    assert not any("object_pose" in key for key in policy.obs_keys)
    told = [json.loads(line)["valid_told_loss"] for line in (trained / "log.jsonl").read_text().splitlines()]
    assert told[-1] < 0.5 * told[0], told


def test_it_goes_where_the_spot_is(file: Path, trained: Path):
    policy = load_policy(trained)
    obs = seen(file, policy.obs_keys, 0)
    with DemoFile(file) as demos:
        wanted = torch.from_numpy(np.stack([demos.read(name).actions[0] for name in demos.names[:4]]))
    policy.start(4)
    there = policy.act(obs)
    policy.start(4)
    elsewhere = policy.act(obs | {"front_image": obs["front_image"].roll(1, 0)})
    assert (there - wanted)[:, :2].norm(dim=1).mean() < 0.3 * (elsewhere - wanted)[:, :2].norm(dim=1).mean()


def test_it_looks_only_when_a_chunk_begins(file: Path, trained: Path):
    policy = load_policy(trained)
    policy.start(4)
    for step in range(11):
        looking = policy.looking()
        assert looking.tolist() == [step % 5 == 0] * 4
        obs = seen(file, policy.obs_keys, step)
        if not looking.any():
            obs["front_image"] = torch.zeros_like(obs["front_image"])
        policy.act(obs)


def test_one_environment_acts_as_it_does_among_others(file: Path, trained: Path):
    policy, alone = load_policy(trained), load_policy(trained)
    policy.start(4)
    alone.start(1)
    for step in range(8):
        obs = seen(file, policy.obs_keys, step)
        together = policy.act(obs)
        torch.testing.assert_close(together[2:3], alone.act({k: v[2:3] for k, v in obs.items()}), atol=1e-5, rtol=0)


def test_images_lie_on_the_disk_and_leave_nothing_there(file: Path, trained: Path, tmp_path: Path):
    with DemoFile(file) as demos:
        arrays, _ = demos.stack(["obs/front_image", "actions"], images_on=tmp_path)
        plain, _ = demos.stack(["obs/front_image"])
    assert isinstance(arrays["obs/front_image"], np.memmap) and not isinstance(arrays["actions"], np.memmap)
    np.testing.assert_array_equal(arrays["obs/front_image"], plain["obs/front_image"])
    assert not list(tmp_path.iterdir())
    assert {path.name for path in trained.iterdir() if path.is_file()} <= {
        "policy.pth", "config.json", "log.jsonl", "state.pt", "state.pt.lock"
    }  # fmt: skip


def test_it_goes_on_to_the_same_weights(file: Path, config: Path, tmp_path: Path):
    cfg = TrainCfg(config=config, cameras=("front",), steps=12, save_every=5)

    class Stop(Exception):
        pass

    class Kill:
        def update(self, done: int, total: int, note: str = "") -> None:
            if done >= 6:
                raise Stop

    train(file, tmp_path / "whole", cfg)
    with pytest.raises(Stop):
        train(file, tmp_path / "halves", TrainCfg(**{**vars(cfg), "log_every": 6}), progress=Kill())
    train(file, tmp_path / "halves", cfg)
    whole, halves = (torch.load(tmp_path / name / "policy.pth")["model"] for name in ("whole", "halves"))
    assert all(torch.equal(value, halves[key]) for key, value in whole.items())


def test_it_is_exported_with_its_eyes(trained: Path, tmp_path: Path):
    result = export(trained, tmp_path / "exported")
    assert max(result.onnx_difference, result.torchscript_difference) < 1e-4


def test_depth_alone_is_enough_to_see_where_the_spot_is(file: Path, config: Path, tmp_path: Path):
    train(file, tmp_path / "run", TrainCfg(config=config, depth=("front",), steps=300, valid_fraction=0.1))
    told = [json.loads(line)["valid_told_loss"] for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert told[-1] < 0.7 * told[0], told
    policy = load_policy(tmp_path / "run")
    assert policy.cameras == ("front_depth",) and policy.obs_shapes["front_depth"] == ((SIZE, SIZE, 1), "float32")
    policy.start(4)
    obs = seen(file, policy.obs_keys, 0)
    there = policy.act(obs)
    policy.start(4)
    # it reads metres, beyond one too, and nothing at all is far away
    far = obs["front_depth"].clone()
    far[:, 0] = 0.0
    assert not torch.equal(there, policy.act(obs | {"front_depth": far + 2.0}))
    exported = export(tmp_path / "run", tmp_path / "exported")
    assert max(exported.onnx_difference, exported.torchscript_difference) < 1e-4


def test_depth_is_only_for_our_own_policies(file: Path, tmp_path: Path):
    with pytest.raises(UserError, match="--depth of a chunk policy"):
        train(file, tmp_path / "run", TrainCfg(algo="bc", depth=("front",), steps=2))


def test_a_camera_that_was_not_drawn_is_named_with_those_that_were(file: Path, tmp_path: Path):
    with pytest.raises(UserError, match=r"images wrist_image .*found .*front_image.*apprentice render"):
        train(file, tmp_path / "run", TrainCfg(cameras=("wrist",)))


def test_robomimics_own_algorithms_look_too(file: Path, tmp_path: Path):
    cfg = TrainCfg(algo="bc", cameras=("front",), steps=2, batch_size=4)
    train(file, tmp_path / "run", cfg)


def test_keypoints_are_where_the_map_is_bright():
    maps = torch.zeros(1, 1, 21, 21)
    maps[0, 0, 15, 5] = 50.0
    x, y, *_ = SpatialSoftmax(1)(maps)[0, 0].tolist()
    assert (x, y) == pytest.approx((-0.5, 0.5), abs=1e-3)


@pytest.mark.parametrize(("row", "column"), [(10, 13), (0, 19), (11, 2)])
def test_a_glimpse_is_what_is_around_its_centre(row: int, column: int):
    height, width, size = 12, 20, 5
    image = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(row))
    centre = torch.tensor([[[2 * column / (width - 1) - 1, 2 * row / (height - 1) - 1]]])
    top, left = min(max(row - 2, 0), height - size), min(max(column - 2, 0), width - size)
    expected = image[:, :, top : top + size, left : left + size]
    assert torch.equal(cut_out(image, centre, size)[:, 0], expected)


def test_a_shift_moves_a_whole_image_and_colours_stay_within_bounds():
    torch.manual_seed(0)

    class Cfg:
        shift_px, colour = 2, 0.0

    batch = torch.zeros(16, 3, 12, 12)
    batch[:, :, 6, 6] = 1.0
    moved = augmented(batch, Cfg)
    places = {tuple(one[0].nonzero()[0].tolist()) for one in moved}
    assert len(places) > 5 and all(4 <= row <= 8 and 4 <= column <= 8 for row, column in places)
    assert (moved.sum((2, 3)) == 1).all()
    Cfg.shift_px, Cfg.colour = 0, 0.5
    coloured = augmented(torch.rand(16, 3, 12, 12), Cfg)
    assert coloured.min() >= 0 and coloured.max() <= 1
