"""Steps marked by hand end up in the file, earlier annotations stay, and what does not fit is refused. No simulator."""

import json

import numpy as np
import pytest

from apprentice.demos import Demo, DemoFile, DemoWriter
from apprentice.errors import UserError
from apprentice.record.annotate import annotate
from apprentice.record.cfg import AnnotateCfg, RecordCfg, ReplayCfg
from apprentice.record.recorder import record
from apprentice.record.replay import replay

TASK = "Apprentice-Stack-Franka"
STEPS = 30
INFO = "obs/datagen_info"


def demo(**changes):
    poses = np.tile(np.eye(4, dtype=np.float32), (STEPS, 1, 1))
    data = {f"{INFO}/{kind}/franka": poses for kind in ("eef_pose", "target_eef_pose")}
    data |= {f"{INFO}/object_pose/cube_{k}": poses for k in (1, 2, 3)}
    for name, step in {"grasp_1": 5, "stack_1": 12, "grasp_2": 20}.items():
        data[f"{INFO}/subtask_term_signals/{name}"] = np.arange(STEPS) >= step
    actions = np.zeros((STEPS, 7), np.float32)
    return Demo(actions=actions, data=data | changes, success=True, attrs={"seed": 3})


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "demos.hdf5"
    with DemoWriter(path, task=TASK, meta={"variant": "d0", "backend": "native"}) as writer:
        writer.append(demo())
        writer.append(demo())
    return path


def signal(path, name, key="datagen_info/subtask_term_signals/stack_1"):
    with DemoFile(path) as opened:
        return opened.read(name, [f"obs/{key}"]).data[f"obs/{key}"]


def test_a_step_marked_by_hand_is_where_the_subtask_ends_and_the_old_one_is_kept(file):
    result = annotate(file, AnnotateCfg(), steps={"demo_1": {"stack_1": 15}})
    assert (result.annotated, result.complete, result.missing) == (["demo_1"], ["demo_0"], {})
    assert int(signal(file, "demo_1").argmax()) == 15
    assert int(signal(file, "demo_0").argmax()) == 12
    assert int(signal(file, "demo_1", "datagen_info_previous/0/subtask_term_signals/stack_1").argmax()) == 12


def test_marking_twice_keeps_both_earlier_ones(file):
    for step in (15, 17):
        annotate(file, AnnotateCfg(), steps={"demo_0": {"stack_1": step}})
    kept = [signal(file, "demo_0", f"datagen_info_previous/{k}/subtask_term_signals/stack_1").argmax() for k in (0, 1)]
    assert [int(step) for step in kept] == [12, 15]
    assert int(signal(file, "demo_0").argmax()) == 17


def test_steps_may_come_from_a_json_file_and_go_to_a_new_file(file, tmp_path):
    steps, output = tmp_path / "steps.json", tmp_path / "out.hdf5"
    steps.write_text(json.dumps({"demo_0": {"grasp_1": 4, "grasp_2": 25}}))
    annotate(file, AnnotateCfg(steps=steps, output=output))
    assert int(signal(output, "demo_0", "datagen_info/subtask_term_signals/grasp_2").argmax()) == 25
    assert int(signal(file, "demo_0", "datagen_info/subtask_term_signals/grasp_2").argmax()) == 20


def test_a_file_that_is_annotated_is_left_alone(file):
    before = file.read_bytes()
    result = annotate(file, AnnotateCfg())
    assert (result.annotated, result.complete) == ([], ["demo_0", "demo_1"])
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("steps", "text"),
    [
        ({"demo_7": {"grasp_1": 4}}, "demo_7"),
        ({"demo_0": {"lift": 4}}, "grasp_1, stack_1, grasp_2"),
        ({"demo_0": {"grasp_1": 0}}, "from 1 to 29"),
        ({"demo_0": {"grasp_1": STEPS}}, "from 1 to 29"),
        ({"demo_0": {"grasp_1": 4.5}}, "4.5"),
        ({"demo_0": {"grasp_1": True}}, "True"),
        ({"demo_0": {"stack_1": 9, "grasp_1": 9}}, "later steps for later subtasks"),
    ],
)
def test_steps_that_do_not_fit_are_refused_and_nothing_is_changed(file, steps, text):
    before = file.read_bytes()
    with pytest.raises(UserError, match=text):
        annotate(file, AnnotateCfg(), steps=steps)
    assert file.read_bytes() == before


@pytest.mark.parametrize("content", ["no json", "[1]", '{"demo_0": 3}'])
def test_a_steps_file_in_another_form_is_refused(file, tmp_path, content):
    (tmp_path / "steps.json").write_text(content)
    with pytest.raises(UserError, match="steps"):
        annotate(file, AnnotateCfg(steps=tmp_path / "steps.json"))


@pytest.mark.parametrize(
    "command", [lambda p, t: annotate(p, AnnotateCfg(task=t)), lambda p, t: replay(p, ReplayCfg(task=t))]
)
def test_a_task_that_the_demos_do_not_fit_is_refused(file, command):
    with pytest.raises(UserError, match="expected demos of"):
        command(file, "Isaac-Stack-Cube-Franka-IK-Abs-Mimic-v0")
    with pytest.raises(UserError, match="No-Such-Task"):
        command(file, "No-Such-Task")


def test_annotating_needs_a_mimic_task(file):
    with pytest.raises(UserError, match="Mimic"):
        annotate(file, AnnotateCfg(task="IsaacContrib-Stack-Cube-Franka-IK-Rel-v0"))


def test_an_unknown_task_is_named(tmp_path):
    with pytest.raises(UserError, match="No-Such-Task"):
        record("No-Such-Task", tmp_path / "new.hdf5", RecordCfg())
    assert not (tmp_path / "new.hdf5").exists()


def test_recording_does_not_add_to_another_kind_of_file(file, tmp_path):
    with pytest.raises(UserError, match="variant d1"):
        record(TASK, file, RecordCfg(variant="d1"))
    with pytest.raises(UserError, match="backend newton"):
        record(TASK, file, RecordCfg(backend="newton"))
    foreign = tmp_path / "foreign.hdf5"
    with DemoWriter(foreign, task="Isaac-Reach-Franka") as writer:
        writer.append(demo())
    with pytest.raises(UserError, match="Isaac-Reach-Franka"):
        record(TASK, foreign, RecordCfg())


def test_a_file_that_has_enough_demos_is_done_without_a_simulator(file):
    result = record(TASK, file, RecordCfg(demos=2))
    assert (result.demos, result.saved) == (2, 0)


@pytest.mark.parametrize(
    ("kind", "bad"),
    [
        (RecordCfg, {"demos": 0}),
        (RecordCfg, {"held_steps": 0}),
        (AnnotateCfg, {"num_envs": 0}),
        (ReplayCfg, {"tolerance_m": -1}),
    ],
)
def test_settings_that_make_no_sense_are_refused(kind, bad):
    with pytest.raises(UserError, match="at least"):
        kind(**bad)
