"""What a run of augmentation promises, on a toy task: the same demos however it is run, and none lost."""

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from augment_world import PushWorld, load, planners, write_source

from apprentice.augment.augment import augment
from apprentice.augment.cfg import AugmentCfg, BridgeCfg, NoiseCfg, RetryCfg
from apprentice.augment.explain.failures import failures_path
from apprentice.augment.explain.stats import stats_path
from apprentice.augment.generator import Generator
from apprentice.augment.journal import Journal, journal_path, read_journal
from apprentice.augment.run import Run
from apprentice.demos import DemoFile
from apprentice.errors import UserError

CFG = AugmentCfg(demos=12, seed=5, held_steps=4, wait_steps=8, bridge=BridgeCfg(speed_m_s=1.0), give_up_after=30)
IDENTITY = {"source_sha256": ""}


class Stop(Exception):
    """Stands for Ctrl-C."""


class StopAfter:
    """Interrupts a run when it has made so many demos."""

    def __init__(self, demos: int) -> None:
        self.demos = demos

    def update(self, done: int, total: int, note: str = "") -> None:
        if done >= self.demos:
            raise Stop


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_source(tmp_path / "source.hdf5")


def generate(source: Path, output: Path, cfg: AugmentCfg = CFG, num_envs: int = 5, progress=None, world=None):
    world = world or PushWorld(num_envs)
    more = {} if progress is None else {"progress": progress}
    generator = Generator(world, planners(source, cfg), cfg)
    run = Run(generator, source=source, output=output, cfg=cfg, identity=IDENTITY, **more)
    return run.generate(), world


def contents(path: Path) -> list[tuple[int, np.ndarray, dict[str, np.ndarray]]]:
    with DemoFile(path) as file:
        demos = [file.read(name) for name in file.names]
    return [(demo.attrs["seed"], demo.actions, demo.data) for demo in demos]


def assert_same(one: Path, other: Path) -> None:
    first, second = contents(one), contents(other)
    assert [seed for seed, _, _ in first] == [seed for seed, _, _ in second]
    for (_, actions, data), (_, other_actions, other_data) in zip(first, second, strict=True):
        np.testing.assert_array_equal(actions, other_actions)
        assert data.keys() == other_data.keys()
        for key, value in data.items():
            np.testing.assert_array_equal(value, other_data[key], err_msg=key)


@pytest.mark.parametrize("retry", [RetryCfg(), None], ids=["retry", "no_retry"])
@pytest.mark.parametrize("num_envs", [1, 3, 16])
def test_the_number_of_environments_does_not_change_the_demos(source, tmp_path, num_envs, retry):
    cfg = dataclasses.replace(CFG, retry=retry)
    generate(source, tmp_path / "five.hdf5", cfg, num_envs=5)
    generate(source, tmp_path / "other.hdf5", cfg, num_envs=num_envs)
    assert_same(tmp_path / "five.hdf5", tmp_path / "other.hdf5")


@pytest.mark.parametrize("after", [0, 1, 7, 11])
def test_an_interrupted_run_continues_to_the_same_demos(source, tmp_path, after):
    whole, _ = generate(source, tmp_path / "whole.hdf5")
    with pytest.raises(Stop):
        generate(source, tmp_path / "cut.hdf5", progress=StopAfter(after))
    continued, _ = generate(source, tmp_path / "cut.hdf5")
    assert_same(tmp_path / "whole.hdf5", tmp_path / "cut.hdf5")
    for key in ("attempts", "successes", "env_steps", "subtasks", "initial_states", "lengths"):
        assert continued.stats[key] == whole.stats[key]


def test_a_demo_saved_just_before_a_kill_is_not_generated_twice(source, tmp_path):
    generate(source, tmp_path / "whole.hdf5")
    with pytest.raises(Stop):
        generate(source, tmp_path / "cut.hdf5", progress=StopAfter(6))
    path = journal_path(tmp_path / "cut.hdf5")
    lines = path.read_text().splitlines(keepends=True)
    assert json.loads(lines[-1])["outcome"]["success"]
    path.write_text("".join(lines[:-1]) + lines[-1][:30])
    generate(source, tmp_path / "cut.hdf5")
    assert_same(tmp_path / "whole.hdf5", tmp_path / "cut.hdf5")


def test_a_finished_file_grows_when_more_demos_are_wanted(source, tmp_path):
    generate(source, tmp_path / "grown.hdf5", dataclasses.replace(CFG, demos=5))
    generate(source, tmp_path / "grown.hdf5")
    generate(source, tmp_path / "whole.hdf5")
    assert_same(tmp_path / "whole.hdf5", tmp_path / "grown.hdf5")


def test_retry_turns_failures_into_successes(source, tmp_path):
    with_retry, _ = generate(source, tmp_path / "retry.hdf5")
    without, _ = generate(source, tmp_path / "plain.hdf5", dataclasses.replace(CFG, retry=None))
    assert with_retry.stats["dgr"] == 1.0
    assert without.stats["dgr"] < 1.0
    press = with_retry.stats["subtasks"][0]
    assert press["signal"] == "press"
    assert press["failures"] > 0
    assert press["tries"] == with_retry.stats["attempts"] + press["failures"]
    assert without.stats["failure_causes"] == {"press": without.stats["attempts"] - without.stats["successes"]}


def test_stitched_demos_replay_exactly(source, tmp_path):
    generate(source, tmp_path / "demos.hdf5")
    with DemoFile(tmp_path / "demos.hdf5") as file:
        demos = [file.read(name) for name in file.names]
    assert any(part["failures"] for demo in demos for part in demo.attrs["attempt"]["subtasks"])
    for demo in demos:
        world = PushWorld(1)
        world.reset([0], [demo.attrs["seed"]])
        np.testing.assert_array_equal(
            world.state()["rigid_object/button/root_pose"].numpy(),
            demo.data["initial_state/rigid_object/button/root_pose"],
        )
        for step, action in enumerate(demo.executed):
            np.testing.assert_array_equal(world.hand[0].numpy(), demo.data["obs/hand"][step])
            world.step(torch.as_tensor(action)[None])
            for key, value in world.state().items():
                np.testing.assert_array_equal(value[0].numpy(), demo.data[f"states/{key}"][step])
        assert bool(world.success())


def test_demos_say_where_they_come_from(source, tmp_path):
    generate(source, tmp_path / "demos.hdf5")
    lengths = {demo.name: demo.length for demo in load(source)}
    with DemoFile(tmp_path / "demos.hdf5") as file:
        assert file.meta["subtasks"] == {
            "hand": [
                {"object": "button", "signal": "press", "description": "Press the button"},
                {"object": "pad", "signal": None, "description": ""},
            ]
        }
        for name in file.names:
            attrs = file.attrs(name)
            assert attrs["operator"] == "generated"
            assert attrs["seed"] == CFG.seed + attrs["attempt"]["number"]
            first, last = attrs["attempt"]["subtasks"]
            assert 0 == first["start"] < first["end"] <= lengths[first["source_demo"]]
            assert 2 <= first["offset"] <= 4
            assert last["end"] == lengths[last["source_demo"]]
            assert last["tries"] >= 1


def test_success_is_held_to_the_end(source, tmp_path):
    generate(source, tmp_path / "demos.hdf5")
    for _, actions, data in contents(tmp_path / "demos.hdf5"):
        pad = data["obs/datagen_info/object_pose/pad"][-1][:3, 3]
        last = data["states/rigid_object/hand/root_pose"][-CFG.held_steps :]
        assert (np.linalg.norm(last - pad, axis=1) < 0.02).all()
        assert len(actions) < 2 * 60


def test_a_task_that_cannot_succeed_is_given_up_with_the_reason(source, tmp_path):
    class Broken(PushWorld):
        def subtask_signals(self):
            return {"press": self.pressed > 2}

    cfg = dataclasses.replace(CFG, retry=None, give_up_after=10)
    generator = Generator(Broken(4), planners(source, cfg), cfg)
    run = Run(generator, source=source, output=tmp_path / "none.hdf5", cfg=cfg, identity=IDENTITY)
    with pytest.raises(UserError, match="10 attempts to succeed, found none: press failed in 10 of 10 tries"):
        run.generate()
    assert json.loads(stats_path(tmp_path / "none.hdf5").read_text())["successes"] == 0


def test_environments_do_not_wait_for_each_other(source, tmp_path):
    _, alone = generate(source, tmp_path / "alone.hdf5", num_envs=1)
    _, together = generate(source, tmp_path / "together.hdf5", num_envs=6)
    assert together.steps_taken < alone.steps_taken / 3


def test_other_options_are_refused_not_mixed(source, tmp_path):
    cfg = CFG
    identity = {
        "source_sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
        "cfg": json.loads(json.dumps(cfg.identity)),
    }
    output = tmp_path / "demos.hdf5"
    generator = Generator(PushWorld(4), planners(source, cfg), cfg)
    Run(generator, source=source, output=output, cfg=cfg, identity=identity).generate()
    before = output.read_bytes()
    with pytest.raises(UserError, match="seed 5 instead of 6"):
        augment(source, output, dataclasses.replace(cfg, seed=6))
    with pytest.raises(UserError, match=r"noise\.near_contact|near_contact"):
        augment(source, output, dataclasses.replace(cfg, noise=NoiseCfg(near_contact=0.02)))
    with pytest.raises(UserError, match="at most 3 demos, found 12"):
        augment(source, output, dataclasses.replace(cfg, demos=3))
    with pytest.raises(UserError, match="source_sha256"):
        augment(write_source(tmp_path / "else.hdf5", count=2), output, cfg)
    with pytest.raises(UserError, match="a new file or one that augment began"):
        augment(output, source, cfg)
    assert augment(source, output, cfg).stats["successes"] == 12
    assert output.read_bytes() == before


def test_a_file_without_subtask_signals_says_how_to_get_them(tmp_path):
    path = write_source(tmp_path / "bare.hdf5", signals=False)
    with pytest.raises(UserError, match="apprentice annotate"):
        load(path)


def test_a_missing_source_is_one_clear_sentence(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        augment(tmp_path / "none.hdf5", tmp_path / "out.hdf5", CFG)


def test_a_torn_journal_line_is_forgotten(source, tmp_path):
    output = tmp_path / "demos.hdf5"
    generate(source, output)
    count = len(read_journal(output))
    with journal_path(output).open("a") as file:
        file.write('{"outcome": {"num')
    assert len(read_journal(output)) == count
    with Journal(output) as journal:
        assert len(journal.lines) == count
    assert journal_path(output).read_bytes().endswith(b"}\n")


def test_a_few_failed_tries_of_each_kind_are_kept_to_look_at_however_the_run_was_cut(source, tmp_path):
    class HalfBroken(PushWorld):
        def subtask_signals(self):
            return {"press": (self.pressed > 0) & (self.button[:, 1] > 0.1)}

    cfg = dataclasses.replace(CFG, retry=None)
    result, _ = generate(source, tmp_path / "whole.hdf5", cfg, world=HalfBroken(5))
    with pytest.raises(Stop):
        generate(source, tmp_path / "cut.hdf5", cfg, world=HalfBroken(5), progress=StopAfter(7))
    generate(source, tmp_path / "cut.hdf5", cfg, world=HalfBroken(2))
    press = result.stats["subtasks"][0]
    assert 3 < press["failures"] == sum(one["tries"] for one in press["causes"])
    with (
        DemoFile(failures_path(tmp_path / "whole.hdf5")) as whole,
        DemoFile(failures_path(tmp_path / "cut.hdf5")) as cut,
    ):
        kept = [whole.attrs(name)["failed_try"] for name in whole.names]
        assert kept == [cut.attrs(name)["failed_try"] for name in cut.names]
        kinds = [(one["subtask"], one["cause"]) for one in kept]
        assert max(kinds.count(kind) for kind in kinds) == 3
        demo = whole.read(whole.names[0])
    assert demo.success is False
    states = demo.data["states/rigid_object/hand/root_pose"]
    assert len(states) == demo.length
    start = demo.data["initial_state/rigid_object/hand/root_pose"][0]
    np.testing.assert_allclose(states[0] - start, demo.actions[0, :3], atol=1e-6)


def test_statistics_say_what_became_of_every_try(source, tmp_path):
    stats = generate(source, tmp_path / "demos.hdf5")[0].stats
    for row in stats["subtasks"]:
        assert row["tries"] == sum(one["tries"] for one in row["sources"].values())
        assert row["tries"] - row["failures"] == sum(one["reached"] for one in row["sources"].values())
    # the slippery side is the source demos' own, so that they differ in how often they work
    assert stats["coverage"]["visited"] == stats["coverage"]["filled"] > 0
    assert sum(row["steps"] for row in stats["subtasks"]) == stats["env_steps"]
