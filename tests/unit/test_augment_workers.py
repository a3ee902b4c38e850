"""Augmentation by many processes makes what one makes, whoever dies."""

import os
import sys
from pathlib import Path

import pytest
from augment_world import OpenPushWorld, PushWorld, planners, write_source
from test_augment_run import assert_same

from apprentice.augment.cfg import AugmentCfg, BridgeCfg, LearnCfg
from apprentice.augment.generator import Generator
from apprentice.augment.journal import read_journal
from apprentice.augment.run import Run
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


@pytest.fixture(scope="module")
def cluster():
    """A machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(Path(__file__).parent), *sys.path))))
        from ray.cluster_utils import Cluster

        started = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "object_store_memory": 100 << 20})
        yield started
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


def test_attempts_learn_from_earlier_ones(alone):
    used = [row for line in read_journal(alone) for part in line.outcome.subtasks for row in part["used"]]
    assert used and all(tries >= failures for _, _, tries, failures in used)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_number_of_workers_does_not_change_the_demos(cluster, source, alone, tmp_path, workers):
    with Pool(OpenPushWorld(source, CFG), workers, cluster=cluster.address) as pool:
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
