"""Augmentation on two machines, one of which dies: both are this one, with a Ray node of its own each."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from apprentice.augment.augment import augment
from apprentice.augment.cfg import AugmentCfg, NoiseCfg
from apprentice.demos import DemoFile

TASK = "Apprentice-Stack-Franka"
ALONE = """
import dataclasses, os, sys
from pathlib import Path
from apprentice.augment.generator import Generator
from apprentice.augment.identity import file_sha256
from apprentice.augment.prepare import make_planners
from apprentice.augment.run import Run
from apprentice.tasks.session import open_session
from recorded import record
from test_augment_nodes import CFG, TASK
source, output = map(Path, sys.argv[1:])
with open_session(TASK, num_envs=12) as session:
    record(session, source, 4)
    generator = Generator(session, make_planners(session, source, CFG), CFG)
    identity = {"source_sha256": file_sha256(source)}
    Run(generator, source=source, output=output, cfg=CFG, identity=identity).generate()
    os._exit(0)
"""
CFG = AugmentCfg(demos=12, seed=7, task=TASK, num_envs=8, threads=1, noise=NoiseCfg(kind="task"))


@pytest.fixture
def nodes():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")
        import ray
        from ray.cluster_utils import Cluster

        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 100 << 20})
        # joined before there is another node at the same address, so that this process belongs to the one that stays
        ray.init(address=cluster.address, log_to_driver=False, logging_level="error")
        yield cluster, cluster.add_node(num_cpus=1, object_store_memory=100 << 20)
        ray.shutdown()
        cluster.shutdown()


class KillAt:
    """Takes a machine's power away when so many demos are made."""

    def __init__(self, demos, cluster, node) -> None:
        self.demos, self.cluster, self.node = demos, cluster, node

    def update(self, done: int, total: int, note: str = "") -> None:
        if done >= self.demos and self.node is not None:
            self.cluster.remove_node(self.node, allow_graceful=False)
            self.node = None


def demos(path: Path):
    with DemoFile(path) as file:
        return [file.read(name) for name in file.names]


def test_two_machines_of_which_one_dies_make_what_one_process_makes(nodes, tmp_path):
    source, alone = tmp_path / "source.hdf5", tmp_path / "alone.hdf5"
    arguments = [sys.executable, "-c", ALONE, str(source), str(alone)]
    assert subprocess.run(arguments, cwd=Path(__file__).parent, check=False).returncode == 0
    cluster, other = nodes
    power = KillAt(3, cluster, other)
    cfg = AugmentCfg(**vars(CFG) | {"workers": 2, "cluster": cluster.address})
    result = augment(source, tmp_path / "two.hdf5", cfg, power)
    assert power.node is None
    assert result.stats["workers"] == 2
    for one, two in zip(demos(alone), demos(result.output), strict=True):
        assert one.attrs["seed"] == two.attrs["seed"]
        np.testing.assert_array_equal(one.actions, two.actions)
        for key, value in one.data.items():
            np.testing.assert_array_equal(value, two.data[key], err_msg=key)
