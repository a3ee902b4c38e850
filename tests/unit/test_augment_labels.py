"""What generated demos give to learn from: the way as it was meant, and beside it what was executed."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from augment_world import PushWorld, planners, write_source
from hypothesis import given
from hypothesis import strategies as st

from apprentice.augment.cfg import AugmentCfg, BridgeCfg, NoiseCfg, RecoveryCfg, stock_cfg
from apprentice.augment.generator import Generator
from apprentice.augment.planning.recovery import pushes
from apprentice.augment.run import Run
from apprentice.demos import EXECUTED, Demo, DemoFile, DemoWriter, check_file
from apprentice.errors import UserError

CFG = AugmentCfg(demos=6, seed=5, held_steps=4, wait_steps=8, bridge=BridgeCfg(speed_m_s=1.0))
SILENT = NoiseCfg(near_contact=0.0, on_bridge=0.0, away=0.0)
TARGET = "obs/datagen_info/target_eef_pose/hand"


def generate(folder: Path, name: str, cfg: AugmentCfg) -> list[Demo]:
    source, output = folder / "source.hdf5", folder / f"{name}.hdf5"
    if not source.exists():
        write_source(source)
    generator = Generator(PushWorld(4), planners(source, cfg), cfg)
    Run(generator, source=source, output=output, cfg=cfg, identity={"source_sha256": ""}).generate()
    assert check_file(output).ok
    with DemoFile(output) as file:
        return [file.read(name) for name in file.names]


def test_without_noise_the_label_is_what_was_executed(tmp_path):
    for demo in generate(tmp_path, "silent", dataclasses.replace(CFG, noise=SILENT)):
        np.testing.assert_array_equal(demo.executed, demo.actions)


def test_executed_labels_are_alone_in_the_file_as_isaac_lab_writes_it(tmp_path):
    cfg = dataclasses.replace(CFG, noise=NoiseCfg(labels="executed"))
    assert all(EXECUTED not in demo.data for demo in generate(tmp_path, "executed", cfg))
    assert stock_cfg().noise.labels == "executed"


def test_from_wherever_noise_and_pushes_led_the_label_leads_back_to_the_same_path(tmp_path):
    silent = generate(tmp_path, "silent", dataclasses.replace(CFG, noise=SILENT))
    pushed = RecoveryCfg(at_start=1.0, in_transit=1.0)
    noisy = generate(tmp_path, "noisy", dataclasses.replace(CFG, recovery=pushed))
    compared = 0
    of_seed = {demo.attrs["seed"]: demo for demo in silent}
    for meant, disturbed in ((of_seed[demo.attrs["seed"]], demo) for demo in noisy if demo.attrs["seed"] in of_seed):
        parts = [demo.attrs["attempt"]["subtasks"][0] for demo in (meant, disturbed)]
        if parts[0]["source_demo"] != parts[1]["source_demo"] or any(part["failures"] for part in parts):
            continue
        steps = slice(0, parts[0]["bridge_steps"] + parts[0]["end"] - parts[0]["start"])
        np.testing.assert_allclose(disturbed.data[TARGET][steps], meant.data[TARGET][steps], atol=1e-6)
        assert np.abs(disturbed.executed - disturbed.actions)[steps].max() > 0.01
        compared += 1
    assert compared


def test_pushes_that_would_be_imitated_are_refused():
    with pytest.raises(UserError, match="clean labels"):
        AugmentCfg(noise=NoiseCfg(labels="executed"), recovery=RecoveryCfg(at_start=0.5))
    with pytest.raises(UserError, match="from 0 to 1"):
        RecoveryCfg(in_transit=2.0)


@given(
    bridge=st.integers(0, 40),
    contact=st.integers(5, 60),
    rest=st.integers(0, 30),
    scale=st.floats(0.1, 1.0),
    seed=st.integers(0, 1000),
)
def test_a_push_stays_clear_of_contact_within_its_size_and_fades(bridge, contact, rest, scale, seed):
    free = torch.ones(bridge + contact + rest, dtype=torch.bool)
    free[bridge + contact - 5 : bridge + contact] = False
    cfg = RecoveryCfg(at_start=1.0)
    offsets = pushes(free, bridge, scale, np.random.default_rng(seed), cfg)
    assert float(offsets[~free].abs().sum()) == 0
    assert float(offsets[:, :3].norm(dim=1).max()) <= scale * cfg.offset_m
    assert float(offsets[:, 3:].norm(dim=1).max()) <= scale * cfg.turn_rad
    pushed = offsets.norm(dim=1).nonzero().flatten()
    assert len(pushed) <= cfg.steps
    if bridge + contact - 5 >= cfg.steps:
        assert float(offsets[pushed[0]].norm()) < float(offsets.norm(dim=1).max()) / 3
    assert not pushes(free, bridge, scale, np.random.default_rng(seed), RecoveryCfg()).any()


def test_executed_actions_of_another_shape_are_refused(tmp_path):
    with DemoWriter(tmp_path / "bad.hdf5", task="Toy") as writer:
        demo = Demo(actions=np.zeros((5, 3), np.float32), data={EXECUTED: np.zeros((4, 3), np.float32)}, success=True)
        with pytest.raises(UserError, match=r"executed_actions: expected shape \(5, 3\)"):
            writer.append(demo)
