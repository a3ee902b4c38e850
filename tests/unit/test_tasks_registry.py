"""What a user notices when naming, listing and inferring tasks. No simulator is started."""

from itertools import pairwise

import pytest

from apprentice.errors import UserError
from apprentice.tasks.infer import DemoStructure, demo_structure, infer_task
from apprentice.tasks.oracle import find_oracle, find_oracles
from apprentice.tasks.registry import apply_variant, known_tasks, load_env_cfg, reset_ranges, resolve_task, task_info
from apprentice.tasks.tabletop.mdp.events import sample_poses

OURS = "Apprentice-Stack-Franka"
INSERT = "Apprentice-Insert-Franka"
STOCK = "Isaac-Stack-Cube-Franka-IK-Rel-Mimic-v0"
STACK = DemoStructure(
    eef_names=frozenset({"franka"}),
    objects=frozenset({"cube_1", "cube_2", "cube_3"}),
    signals=frozenset({"grasp_1", "stack_1", "grasp_2"}),
    action_dim=7,
)


def test_our_task_and_isaac_labs_are_known():
    assert {OURS, STOCK, "IsaacContrib-Lift-Cube-Franka", "Isaac-Reach-Franka"} <= set(known_tasks())


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (STOCK, STOCK),
        ("apprentice-stack-franka", OURS),
        ("Isaac-Stack-Cube-Franka-IK-Rel-Mimic", STOCK),
        ("Isaac-Stack-Cube-Franka-IK-Rel-v0", "IsaacContrib-Stack-Cube-Franka-IK-Rel"),  # its name in Isaac Lab 2
    ],
)
def test_a_task_is_found_under_the_names_people_use(typed, meant):
    assert resolve_task(typed) == meant


def test_a_typing_mistake_gets_suggestions():
    with pytest.raises(UserError, match=OURS):
        resolve_task("Apprentice-Stak-Franka")
    with pytest.raises(UserError, match="apprentice tasks"):
        resolve_task("zzz")


def test_what_is_known_of_a_task_comes_from_its_configuration():
    info = task_info(OURS)
    assert info.mimic and info.eef_names == ("franka",)
    assert info.objects == ("cube_1", "cube_2", "cube_3")
    assert dict(info.symmetry) == {"cube_1": 4, "cube_2": 4, "cube_3": 4}
    assert info.cubes == info.objects == task_info(STOCK).cubes
    assert info.subtasks["franka"][0] == ("cube_2", "grasp_1") and info.subtasks["franka"][-1] == ("cube_2", None)
    assert (info.action_dim, info.success, info.control_hz) == (7, "success", 20.0)
    assert info.variants == ("d0", "d1", "d2")


def test_our_stack_task_is_the_stock_one_as_far_as_demos_can_tell():
    ours, stock = task_info(OURS), task_info(STOCK)
    for name in ("eef_names", "objects", "symmetry", "subtasks", "action_dim", "control_hz"):
        assert getattr(ours, name) == getattr(stock, name), name


def test_the_insertion_task_is_one_peg_one_socket_and_two_subtasks():
    info = task_info(INSERT)
    assert info.cubes == () and task_info("Apprentice-Lift-Franka").cubes == ("cube",)
    assert info.objects == ("peg", "socket") and dict(info.symmetry) == {"peg": 4, "socket": 4}
    assert info.subtasks == {"franka": (("peg", "grasp"), ("socket", None))}
    assert (info.action_dim, info.success, info.control_hz) == (7, "success", 20.0)
    shown = DemoStructure(
        eef_names=frozenset({"franka"}),
        objects=frozenset({"peg", "socket"}),
        signals=frozenset({"grasp"}),
        action_dim=7,
    )
    assert infer_task(shown).task == INSERT
    assert find_oracle(info).stages[0].moved == "peg"


TABLETOP = (
    "Apprentice-Bins-Franka",
    "Apprentice-Drawer-Franka",
    "Apprentice-Hang-Franka",
    "Apprentice-Hook-Franka",
    "Apprentice-Insert-Franka",
    "Apprentice-Lift-Franka",
    "Apprentice-Nut-Franka",
    "Apprentice-PickPlace-SO101",
    "Apprentice-Pour-Franka",
    "Apprentice-Stack-SO101",
)
TWO_ARMS = (
    "Apprentice-Handover-TwoFrankas",
    "Apprentice-Lid-TwoFrankas",
    "Apprentice-LiftTray-TwoFrankas",
    "Apprentice-PegTransfer-TwoPSMs",
    "Apprentice-Thread-TwoFrankas",
)
WALKING = "Apprentice-WalkPickPlace-G1"


@pytest.mark.parametrize("task", TABLETOP)
def test_a_table_top_task_has_all_that_the_commands_need(task):
    info = task_info(task)
    (eef,) = info.eef_names
    assert info.mimic and eef == task.rpartition("-")[2].lower() and info.success == "success"
    assert (info.action_dim, info.control_hz, info.variants) == (7, 20.0, ("d0", "d1", "d2"))
    parts = info.subtasks[eef]
    assert {name for name, _ in parts} <= set(info.objects) == set(info.symmetry)
    assert all(signal for _, signal in parts[:-1]) and parts[-1][1] is None
    signals = {signal for _, signal in parts if signal}
    shown = DemoStructure(
        eef_names=frozenset(info.eef_names),
        objects=frozenset(info.objects),
        signals=frozenset(signals),
        action_dim=7,
    )
    assert infer_task(shown).task == task
    assert find_oracle(info).stages


@pytest.mark.parametrize("task", (*TABLETOP, *TWO_ARMS, WALKING))
def test_wider_variants_of_a_task_contain_narrower_ones(task):
    for narrow, wide in pairwise(reset_ranges(task, variant) for variant in task_info(task).variants):
        for name, ranges in narrow.items():
            for axis, (low, high) in ranges.items():
                assert wide[name][axis][0] <= low and high <= wide[name][axis][1], (name, axis)


def test_a_walking_task_has_its_base_in_the_action_and_nobody_follows_the_second_table():
    info = task_info(WALKING)
    assert info.mimic and info.eef_names == ("right",) and info.action_dim == 10
    assert set(info.objects) == {"brick", "pad"} and info.symmetry == {"brick": 4, "pad": 1}
    assert info.subtasks["right"] == (("brick", "grasp"), (None, "carry"), ("pad", None))
    assert find_oracle(info).stages


@pytest.mark.parametrize("task", TWO_ARMS)
def test_a_two_arm_task_has_all_that_the_commands_need(task):
    info = task_info(task)
    assert info.mimic and info.eef_names == ("left", "right") and info.success == "success"
    assert (info.action_dim, info.control_hz, info.variants) == (14, 20.0, ("d0", "d1", "d2"))
    parts = [part for eef in info.eef_names for part in info.subtasks[eef]]
    assert {name for name, _ in parts if name} <= set(info.objects)
    shown = DemoStructure(
        eef_names=frozenset(info.eef_names),
        objects=frozenset(info.objects),
        signals=frozenset(signal for _, signal in parts if signal),
        action_dim=14,
    )
    assert infer_task(shown).task == task
    assert {oracle.eef for oracle in find_oracles(info)} == set(info.eef_names)


def test_ranges_without_room_are_refused():
    close = {"x": (0.5, 0.51), "y": (0.0, 0.01), "yaw": (0.0, 0.0)}
    with pytest.raises(UserError, match="footprints"):
        sample_poses({"a": close, "b": close}, {"a": 0.05, "b": 0.05})


def test_joint_and_absolute_actions_are_counted():
    assert task_info("IsaacContrib-Lift-Cube-Franka").action_dim == 8
    assert task_info("Isaac-Stack-Cube-Franka-IK-Abs-Mimic-v0").action_dim == 8
    assert task_info("Isaac-Reach-Franka").action_dim == 7


def test_a_task_without_its_assets_is_still_described():
    info = task_info("Isaac-NutPour-GR1T2-Pink-IK-Abs-Mimic-v0")
    assert info.eef_names == ("right", "left") and info.action_dim is None


def test_wider_variants_contain_narrower_ones():
    ranges = []
    for variant in task_info(OURS).variants:
        cfg = load_env_cfg(OURS)
        apply_variant(cfg, variant)
        ranges.append(cfg.events.randomize_cube_positions.params["pose_range"])
    for narrow, wide in pairwise(ranges):
        for axis, (low, high) in narrow.items():
            assert wide[axis][0] <= low and high <= wide[axis][1]
    stock = load_env_cfg(STOCK).events.randomize_cube_positions.params
    assert ranges[0] == {axis: tuple(limits) for axis, limits in stock["pose_range"].items()}


def test_variants_that_do_not_exist_are_refused():
    with pytest.raises(UserError, match="d0, d1, d2"):
        apply_variant(load_env_cfg(OURS), "d7")
    with pytest.raises(UserError, match="Apprentice-Stack-Franka"):
        apply_variant(load_env_cfg(STOCK), "d1")


def test_the_structure_of_a_demo_is_read_off_its_keys():
    keys = [
        "obs/eef_pos",
        "obs/datagen_info/eef_pose/franka",
        "obs/datagen_info/target_eef_pose/franka",
        "obs/datagen_info/object_pose/cube_1",
        "obs/datagen_info/subtask_term_signals/grasp_1",
        "initial_state/rigid_object/cube_2/root_pose",
        "initial_state/articulation/robot/joint_position",
    ]
    assert demo_structure(keys, 7) == DemoStructure(
        eef_names=frozenset({"franka"}),
        objects=frozenset({"cube_1", "cube_2"}),
        signals=frozenset({"grasp_1"}),
        action_dim=7,
    )


def test_a_foreign_stack_file_is_taken_for_our_task_and_told_why():
    found = infer_task(STACK, env_name="stack")
    assert found.task == OURS
    assert "'stack'" in found.why and "grasp_1" in found.why and "7 actions" in found.why


def test_absolute_actions_are_not_taken_for_relative_ones():
    structure = DemoStructure(eef_names=STACK.eef_names, objects=STACK.objects, signals=STACK.signals, action_dim=8)
    assert infer_task(structure).task == "Isaac-Stack-Cube-Franka-IK-Abs-Mimic-v0"


def test_a_file_that_names_a_task_is_believed():
    assert infer_task(STACK, env_name=STOCK).task == STOCK


def test_demos_of_no_known_task_are_refused_with_what_they_show():
    structure = DemoStructure(
        eef_names=frozenset({"left"}), objects=frozenset({"pizza"}), signals=frozenset(), action_dim=5
    )
    with pytest.raises(UserError, match="pizza"):
        infer_task(structure)
