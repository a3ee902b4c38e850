"""Augmentation on the real simulator: the Franka stack task, from demos of the scripted operator."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from recorded import record

from apprentice.augment.cfg import AugmentCfg, NoiseCfg, RandomiseCfg, RecoveryCfg, RetryCfg, stock_cfg
from apprentice.augment.generator import Generator
from apprentice.augment.identity import file_sha256
from apprentice.augment.journal import journal_path
from apprentice.augment.lessons import Assignment
from apprentice.augment.play.rollout import Rollout
from apprentice.augment.prepare import make_planners
from apprentice.augment.run import Run
from apprentice.demos import Demo, DemoFile
from apprentice.demos.start_states import StartStates
from apprentice.record.cfg import ReplayCfg
from apprentice.record.replay import replay_in
from apprentice.sim.native import solver
from apprentice.tasks.session import open_session

TASK, NUM_ENVS = "Apprentice-Stack-Franka", 12
# noisy everywhere, so that subtasks fail and stitched demos come about
CFG = AugmentCfg(demos=10, seed=7, task=TASK, num_envs=NUM_ENVS, threads=1, noise=NoiseCfg(kind="task"))

AUGMENT = """
import dataclasses, json, os, sys
from pathlib import Path
from apprentice.augment.augment import augment
from apprentice.augment.cfg import AugmentCfg, NoiseCfg
noise = NoiseCfg(kind="task")
cfg = AugmentCfg(demos=10, seed=7, task=sys.argv[3], num_envs=int(sys.argv[4]), threads=2, noise=noise)
augment(Path(sys.argv[1]), Path(sys.argv[2]), cfg)
os._exit(0)
"""


@pytest.fixture(scope="module")
def session():
    with open_session(TASK, num_envs=NUM_ENVS) as opened:
        yield opened


@pytest.fixture(scope="module")
def source(session, tmp_path_factory) -> Path:
    return record(session, tmp_path_factory.mktemp("source") / "source.hdf5", 5)


@pytest.fixture(scope="module")
def generated(session, source, tmp_path_factory):
    output = tmp_path_factory.mktemp("generated") / "generated.hdf5"
    identity = json.loads(json.dumps({"source_sha256": file_sha256(source), "cfg": CFG.identity}))
    generator = Generator(session, make_planners(session, source, CFG), CFG)
    return Run(generator, source=source, output=output, cfg=CFG, identity=identity).generate()


def attempt(session, source, cfg, count):
    assignments = map(Assignment, range(count))
    finished = Rollout(session, make_planners(session, source, cfg), cfg).run(lambda: next(assignments, None))
    return sorted((one.outcome for one in finished), key=lambda outcome: outcome.number)


def test_most_attempts_become_demos_that_end_in_held_success(generated):
    assert generated.stats["successes"] == CFG.demos
    assert generated.stats["dgr"] > 0.8
    with DemoFile(generated.output) as file:
        for name in file.names:
            demo = file.read(name)
            heights = demo.data["obs/datagen_info/object_pose/cube_3"][:, 2, 3]
            assert (heights[-9:] > 0.08).all()
            assert demo.length < 600


def test_generated_demos_have_everything_that_source_demos_have(source, generated):
    with DemoFile(source) as ours, DemoFile(generated.output) as theirs:
        assert set(ours.keys("demo_0")) <= set(theirs.keys("demo_0"))
        assert {key: theirs.meta[key] for key in ours.meta} == ours.meta
        before, after = ours.read("demo_0").data, theirs.read("demo_0").data
    for key, value in before.items():
        assert after[key].dtype == value.dtype, key
        assert after[key].shape[1:] == value.shape[1:], key


def test_stitched_demos_replay_bit_for_bit_in_other_environments(session, generated):
    with DemoFile(generated.output) as file:
        failures = [sum(part["failures"] for part in file.attrs(name)["attempt"]["subtasks"]) for name in file.names]
    assert sum(failures) > 0, "expected some demos to be stitched from several tries"
    report = replay_in(session, generated.output, ReplayCfg(certify=False))
    assert all(demo.success for demo in report.demos)
    assert all(demo.bit_exact for demo in report.demos)


def test_randomised_physics_is_in_the_file_differs_from_demo_to_demo_and_replays_bit_for_bit(
    session, source, generated, tmp_path
):
    cfg = replace(
        CFG,
        demos=3,
        noise=NoiseCfg(),
        recovery=RecoveryCfg(at_start=0.5, in_transit=0.5),
        randomise=RandomiseCfg(mass=(0.5, 2.0), friction=(0.7, 1.4)),
    )
    generator, output = Generator(session, make_planners(session, source, cfg), cfg), tmp_path / "randomised.hdf5"
    identity = {"source_sha256": file_sha256(source)}
    Run(generator, source=source, output=output, cfg=cfg, identity=identity).generate()
    with DemoFile(output) as file:
        attrs = [file.attrs(name) for name in file.names]
        labels = [file.read(name) for name in file.names]
    masses = np.array([list(demo["physics"]["mass"].values()) for demo in attrs])
    assert masses.shape == (3, 3)
    assert len(np.unique(masses)) == 9
    assert masses.min() > 0.5 and masses.max() < 2.0
    assert len({demo["physics_fingerprint"] for demo in attrs}) == 3
    assert all(np.abs(demo.executed - demo.actions).max() > 0 for demo in labels)
    report = replay_in(session, output, ReplayCfg(certify=False))
    assert all(demo.bit_exact and demo.success for demo in report.demos)
    weights = {round(float(model.body_mass[-1]), 6) for model in solver()._worlds.models}
    assert len(weights) >= 3
    # what was heavy is light again, to the last bit
    assert all(demo.bit_exact for demo in replay_in(session, generated.output, ReplayCfg(certify=False)).demos)


def test_attempts_begin_from_given_states_with_the_subtask_that_is_next(session, source, generated, tmp_path):
    with DemoFile(generated.output) as file:
        demos = [file.read(name) for name in file.names[:2]]
    info = "obs/datagen_info/subtask_term_signals"
    moments: list[tuple[Demo, int]] = []
    for demo in demos:
        stacked = int(demo.data[f"{info}/stack_1"].argmax())
        holding = int(demo.data[f"{info}/grasp_1"].argmax()) + 3
        reaching = (stacked + int(demo.data[f"{info}/grasp_2"].argmax())) // 2
        moments += [(demo, stacked + 5), (demo, holding), (demo, 0), (demo, reaching)]
    states = {
        key.removeprefix("states/"): np.stack([demo.data[key][at] for demo, at in moments])
        for key in demos[0].data
        if key.startswith("states/")
    }
    kinds = ("stacked", "holding", "begin", "missed") * 2
    # closed on nothing: to Isaac Lab the cubes are not stacked while the gripper is closed
    states["articulation/robot/joint_position"][3::4, -2:] = 0.0
    starts = StartStates(task=TASK, variant=None, states=states, seeds=np.arange(8), kinds=kinds)
    cfg, output = replace(CFG, demos=8, noise=NoiseCfg()), tmp_path / "resumed.hdf5"
    generator = Generator(session, make_planners(session, source, cfg), cfg, starts=starts)
    assert generator.facts.states_left_out == 0
    identity = {"source_sha256": file_sha256(source)}
    result = Run(generator, source=source, output=output, cfg=cfg, identity=identity).generate()
    assert result.stats["dgr"] > 0.8
    with DemoFile(output) as file:
        made = [file.read(name) for name in file.names]
    for demo in made:
        number = demo.attrs["attempt"]["number"] % len(starts)
        for key, value in states.items():
            np.testing.assert_allclose(demo.data[f"initial_state/{key}"][0], value[number], atol=1e-5)
        tries = [part["tries"] for part in demo.attrs["attempt"]["subtasks"]]
        first = {"stacked": 2, "holding": 1, "begin": 0, "missed": 2}[starts.kinds[number]]
        assert tries[:first] == [0] * first and all(tries[first:]), (starts.kinds[number], tries)
    assert all(demo.success and demo.bit_exact for demo in replay_in(session, output, ReplayCfg(certify=False)).demos)


def test_killed_and_resumed_with_other_numbers_of_environments_it_makes_the_same_demos(source, generated, tmp_path):
    output = tmp_path / "killed.hdf5"

    def start(num_envs: int) -> subprocess.Popen:
        return subprocess.Popen([sys.executable, "-c", AUGMENT, str(source), str(output), TASK, str(num_envs)])

    process = start(5)
    while process.poll() is None and not (journal_path(output).exists() and journal_path(output).stat().st_size):
        time.sleep(0.05)
    assert process.poll() is None, "expected to kill it while it runs"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert start(7).wait() == 0
    with DemoFile(generated.output) as one, DemoFile(output) as other:
        assert len(other) == CFG.demos
        for name in one.names:
            ours, theirs = one.read(name), other.read(name)
            assert ours.attrs["seed"] == theirs.attrs["seed"]
            np.testing.assert_array_equal(ours.actions, theirs.actions)
            for key, value in ours.data.items():
                np.testing.assert_array_equal(value, theirs.data[key], err_msg=f"{name} {key}")


def test_retry_and_quiet_contact_are_worth_having(session, source):
    noisy = stock_cfg(seed=100, noise=NoiseCfg(kind="task"))
    plain = [outcome.success for outcome in attempt(session, source, noisy, NUM_ENVS)]
    retried = [outcome.success for outcome in attempt(session, source, replace(noisy, retry=RetryCfg()), NUM_ENVS)]
    assert sum(retried) > sum(plain)


@pytest.mark.parametrize("selection", ["task", "random", "nearest_neighbor_robot_distance", "always_the_last"])
def test_strategies_registered_with_isaac_lab_choose_the_segments(session, source, selection):
    from isaaclab_mimic.datagen.selection_strategy import SelectionStrategy

    class Last(SelectionStrategy):
        NAME = "always_the_last"

        def select_source_demo(self, eef_pose, object_pose, src_subtask_datagen_infos):
            assert eef_pose.shape == object_pose.shape == (4, 4)
            assert all(len(info.object_poses) == 1 for info in src_subtask_datagen_infos)
            return len(src_subtask_datagen_infos) - 1

    outcomes = attempt(session, source, AugmentCfg(seed=50, selection=selection), 4)
    if selection == "always_the_last":
        played = [part for outcome in outcomes for part in outcome.subtasks if part["tries"]]
        assert played and {part["source_demo"] for part in played} == {"demo_4"}
    else:
        assert sum(outcome.success for outcome in outcomes) >= 2


def test_isaac_labs_own_generator_runs_on_our_source_file(session, source, monkeypatch):
    from isaaclab_mimic.datagen import generation

    env = session.env
    monkeypatch.setattr(env.cfg.datagen_config, "generation_guarantee", False)
    monkeypatch.setattr(env.cfg.datagen_config, "generation_num_trials", NUM_ENVS)
    for count in ("num_success", "num_failures", "num_attempts"):
        monkeypatch.setattr(generation, count, 0)
    np.random.seed(0)
    torch.manual_seed(0)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    success = SimpleNamespace(func=lambda _: session.success(), params={})
    session.step(session.neutral_actions())  # all environments active again
    parts = generation.setup_async_generation(env, NUM_ENVS, str(source), success)
    tasks = asyncio.gather(*parts["tasks"])
    generation.env_loop(
        env, parts["reset_queue"], parts["action_queue"], parts["info_pool"], parts["event_loop"], tasks
    )
    tasks.cancel()
    assert parts["info_pool"].num_datagen_infos == 5
    assert generation.num_attempts >= NUM_ENVS
    assert generation.num_success > 0
