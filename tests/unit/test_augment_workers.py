"""Augmentation by many processes makes what one makes, whoever dies."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from augment_world import OpenPushWorld, PushWorld, planners, write_source
from doubler import Job, open_doubler, open_nothing
from test_augment_run import assert_same

from apprentice.augment.cfg import AugmentCfg, BridgeCfg, LearnCfg
from apprentice.augment.generator import Generator
from apprentice.augment.journal import read_journal
from apprentice.augment.run import Run
from apprentice.errors import UserError
from apprentice.workers import Pool

# short rounds, so that attempts learn from others, wherever those were made
CFG = AugmentCfg(
    demos=40,
    seed=5,
    held_steps=4,
    wait_steps=8,
    bridge=BridgeCfg(speed_m_s=1.0),
    give_up_after=30,
    learn=LearnCfg(behind=12, round=4),
)


LIGHT = """
import sys
from apprentice.augment.attempt import Finished
from apprentice.augment.augment import augment
from apprentice.augment.run import Run
heavy = [name for name in ("torch", "isaaclab", "warp", "mujoco", "ray") if name in sys.modules]
assert not heavy, heavy
"""


@pytest.fixture(scope="module")
def cluster():
    """A machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(Path(__file__).parent), *sys.path))))
        import ray
        from ray.cluster_utils import Cluster

        started = Cluster(initialize_head=True, head_node_args={"num_cpus": 3, "object_store_memory": 100 << 20})
        ray.init(address=started.address, log_to_driver=False, logging_level="error")
        yield started
        ray.shutdown()
        started.shutdown()


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    return write_source(tmp_path_factory.mktemp("source") / "source.hdf5")


@pytest.fixture(scope="module")
def alone(source, tmp_path_factory) -> Path:
    """What one process makes."""
    output = tmp_path_factory.mktemp("alone") / "alone.hdf5"
    generate(Generator(PushWorld(5), planners(source, CFG), CFG), source, output)
    return output


def generate(worker, source, output, cfg=CFG, progress=None):
    more = {} if progress is None else {"progress": progress}
    return Run(worker, source=source, output=output, cfg=cfg, identity={"source_sha256": ""}, **more).generate()


def test_whoever_only_gives_out_work_has_no_simulator_in_memory():
    subprocess.run([sys.executable, "-c", LIGHT], check=True)


def test_attempts_learn_from_earlier_ones(alone):
    used = [row for line in read_journal(alone) for part in line.outcome.subtasks for row in part["used"]]
    assert used and all(tries >= failures for _, _, tries, failures in used)


def test_two_processes_on_one_machine_make_the_same_demos(source, alone, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(Path(__file__).parent), *sys.path))))
    with Pool(OpenPushWorld(source, CFG), 2) as pool:
        generate(pool, source, tmp_path / "pool.hdf5")
    assert_same(alone, tmp_path / "pool.hdf5")


def test_no_cluster_is_one_clear_sentence():
    with pytest.raises(UserError, match="ray start --head"), Pool(open_doubler, 1, cluster="127.0.0.1:1"):
        pass


def test_three_processes_of_a_cluster_make_the_same_demos(cluster, source, alone, tmp_path):
    with Pool(OpenPushWorld(source, CFG), 3, cluster=cluster.address) as pool:
        generate(pool, source, tmp_path / "pool.hdf5")
    assert_same(alone, tmp_path / "pool.hdf5")


def test_a_worker_that_is_killed_costs_nothing_but_time(cluster, source, alone, tmp_path):
    deaths = tmp_path / "deaths"
    deaths.mkdir()
    with Pool(OpenPushWorld(source, CFG, deaths=deaths), 2, cluster=cluster.address) as pool:
        generate(pool, source, tmp_path / "pool.hdf5")
        assert pool.workers == 2
    assert len(list(deaths.iterdir())) == 1
    assert_same(alone, tmp_path / "pool.hdf5")


def double(cluster, numbers, workers=2):
    jobs = map(Job, numbers)
    with Pool(open_doubler, workers, cluster=cluster.address) as pool:
        assert pool.facts == "doubles"
        return sorted((result.number, result.value) for result in pool.run(lambda: next(jobs, None)))


def test_a_pool_does_every_job_once(cluster):
    assert double(cluster, range(100, 160)) == [(number, 2 * number) for number in range(100, 160)]


def test_a_mistake_in_a_worker_is_told_as_if_it_were_here(cluster):
    with pytest.raises(UserError, match="Expected another number, found 13"):
        double(cluster, range(20))
    with (
        pytest.raises(UserError, match="Expected a simulator, found none"),
        Pool(open_nothing, 1, cluster=cluster.address),
    ):
        pass


def test_a_job_that_kills_every_worker_is_named_as_the_reason(cluster):
    with pytest.raises(UserError, match="5 of them died at the same jobs"):
        double(cluster, [17], workers=1)
