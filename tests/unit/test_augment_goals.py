"""When a run of augmentation ends, and how it goes on, on a toy task."""

import dataclasses
import itertools
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from augment_world import PushWorld, planners, write_source
from test_augment_run import assert_same

from apprentice.augment import journal as journals
from apprentice.augment.cfg import AugmentCfg, BridgeCfg
from apprentice.augment.explain.coverage import Coverage
from apprentice.augment.explain.stats import stats_path
from apprentice.augment.generator import Generator
from apprentice.augment.run import AugmentResult, Run
from apprentice.demos import DemoFile
from apprentice.errors import UserError

CFG = AugmentCfg(seed=5, held_steps=4, wait_steps=8, bridge=BridgeCfg(speed_m_s=1.0))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_source(tmp_path / "source.hdf5")


class CtrlC:
    """Somebody presses Ctrl-C when there are so many demos."""

    def __init__(self, demos: int) -> None:
        self.demos = demos

    def update(self, done: int, total: int, note: str = "") -> None:
        if done >= self.demos:
            raise KeyboardInterrupt


def generate(source: Path, output: Path, cfg: AugmentCfg, progress=None, start_seconds: float = 0.0) -> AugmentResult:
    more = {} if progress is None else {"progress": progress}
    generator = Generator(PushWorld(6), planners(source, cfg), cfg)
    more |= {"identity": {"source_sha256": ""}, "start_seconds": start_seconds}
    return Run(generator, source=source, output=output, cfg=cfg, **more).generate()


def test_two_hundred_demos_are_the_goal_if_none_is_given():
    assert AugmentCfg().wanted_demos == 200
    assert AugmentCfg(hours=2).wanted_demos is None
    assert AugmentCfg(hours=2, demos=7).wanted_demos == 7


@pytest.mark.parametrize("wrong", [{"hours": 0.0}, {"coverage": 1.2}, {"coverage": 0.0}, {"demos": 0}, {"workers": 0}])
def test_goals_that_make_no_sense_are_refused(wrong):
    with pytest.raises(UserError, match=f"{next(iter(wrong))}"):
        AugmentCfg(**wrong)


def test_ctrl_c_leaves_a_good_file_and_its_numbers_and_the_same_command_goes_on(source, tmp_path):
    cfg = dataclasses.replace(CFG, demos=14)
    generate(source, tmp_path / "whole.hdf5", cfg)
    stopped = generate(source, tmp_path / "cut.hdf5", cfg, CtrlC(6))
    assert stopped.interrupted
    with DemoFile(tmp_path / "cut.hdf5") as file:
        assert 0 < len(file) == stopped.stats["successes"] < 14
    assert json.loads(stats_path(tmp_path / "cut.hdf5").read_text()) == stopped.stats
    assert not generate(source, tmp_path / "cut.hdf5", cfg).interrupted
    assert_same(tmp_path / "whole.hdf5", tmp_path / "cut.hdf5")


def test_hours_count_all_runs_of_a_file_and_the_starts_of_the_simulator(source, tmp_path, monkeypatch):
    ticks = itertools.count()
    monkeypatch.setattr(journals, "time", SimpleNamespace(monotonic=lambda: float(next(ticks))))
    output, cfg = tmp_path / "demos.hdf5", dataclasses.replace(CFG, hours=200 / 3600)
    first = generate(source, output, cfg)
    assert first.stats["successes"] > 0
    assert first.stats["wall_seconds"] <= 220
    # a time that is up is not spent again
    again = generate(source, output, cfg)
    assert again.stats["attempts"] == first.stats["attempts"]
    # of a second as long time, most goes into starting
    longer = generate(source, output, dataclasses.replace(CFG, hours=400 / 3600), start_seconds=150.0)
    assert longer.stats["attempts"] > first.stats["attempts"]
    added = longer.stats["attempts"] - first.stats["attempts"]
    assert added < 0.6 * first.stats["attempts"]
    assert longer.stats["seconds"] < longer.stats["wall_seconds"] - 140


def test_coverage_ends_a_run_when_successes_fill_the_cells(source, tmp_path):
    result = generate(source, tmp_path / "demos.hdf5", dataclasses.replace(CFG, coverage=0.5, demos=400))
    assert 0 < result.stats["successes"] < 400
    coverage = Coverage({"button": 1, "pad": 1})
    for outcome in result.outcomes[:-1]:
        coverage.add(outcome.initial_objects, outcome.success)
    assert not coverage.reached(0.5)
    coverage.add(result.outcomes[-1].initial_objects, result.outcomes[-1].success)
    assert coverage.reached(0.5)
