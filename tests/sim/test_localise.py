"""Stock Isaac Lab tasks on local assets, in the real simulator: one process each, since it holds one simulation."""

import json
import subprocess
import sys
from importlib import import_module

import gymnasium
import pytest

from apprentice.errors import UserError
from apprentice.sim.localise import localise, missing_assets
from apprentice.tasks.registry import known_tasks, load_env_cfg

OURS = "Apprentice-Stack-Franka"
REL_MIMIC = "Isaac-Stack-Cube-Franka-IK-Rel-Mimic-v0"
SERVED = (
    OURS,
    REL_MIMIC,
    "Isaac-Stack-Cube-Franka-IK-Abs-Mimic-v0",
    "Isaac-Stack-Cube-Franka-IK-Rel-Visuomotor-Mimic-v0",
    "IsaacContrib-Stack-Cube-Franka",
    "IsaacContrib-Stack-Cube-Franka-IK-Rel",
    "IsaacContrib-Stack-Cube-Franka-IK-Abs",
    "IsaacContrib-Stack-Cube-RedGreen-Franka-IK-Rel",
    "IsaacContrib-Stack-Cube-RedGreenBlue-Franka-IK-Rel",
    "IsaacContrib-Stack-Cube-BlueGreen-Franka-IK-Rel",
    "IsaacContrib-Stack-Cube-BlueGreenRed-Franka-IK-Rel",
    "IsaacContrib-Stack-Cube-Instance-Randomize-Franka",
    "IsaacContrib-Stack-Cube-Instance-Randomize-Franka-IK-Rel",
    "IsaacContrib-Lift-Cube-Franka",
    "IsaacContrib-Lift-Cube-Franka-IK-Rel",
    "IsaacContrib-Lift-Cube-Franka-IK-Abs",
    "Isaac-Reach-Franka",
    "IsaacContrib-Reach-Franka-IK-Abs",
    "Isaac-Reach-UR10",
    "IsaacContrib-Stack-Cube-SO101",
    "IsaacContrib-Stack-Cube-SO101-IK-Abs",
    "IsaacContrib-Stack-Cube-SO101-Joint-Teleop",
    "IsaacContrib-PickPlace-GR1T2-Abs",
    "IsaacContrib-PickPlace-GR1T2-WaistEnabled-Abs",
    "Isaac-PickPlace-GR1T2-Abs-Mimic-v0",
    "Isaac-PickPlace-GR1T2-WaistEnabled-Abs-Mimic-v0",
    "IsaacContrib-PickPlace-FixedBaseUpperBodyIK-G1-Abs",
)


@pytest.mark.parametrize("backend", ["native", "ovphysx"])
@pytest.mark.parametrize("task", SERVED)
def test_a_served_task_names_no_cloud_asset_any_more(task, backend):
    cfg = load_env_cfg(task, backend)
    localise(cfg, backend)
    assert missing_assets(cfg) == []


def test_every_swap_is_reported():
    swaps = {swap.where: swap for swap in localise(load_env_cfg(REL_MIMIC))}
    assert swaps["scene.cube_2"].original.endswith("red_block.usd")
    assert "40.6 mm" in swaps["scene.cube_2"].stand_in
    assert {"scene.robot", "scene.table", "scene.plane", "scene.cube_1", "scene.cube_3"} <= set(swaps)


def test_localising_twice_changes_nothing_more():
    cfg = load_env_cfg(REL_MIMIC)
    localise(cfg)
    assert localise(cfg) == []


def test_blocks_keep_the_scale_that_the_task_gives_them():
    cfg = load_env_cfg("IsaacContrib-Lift-Cube-Franka")
    localise(cfg)
    assert cfg.scene.object.spawn.size == pytest.approx((0.048,) * 3)  # a 6 cm cube at scale 0.8


def test_all_that_is_missing_is_named_at_once():
    with pytest.raises(UserError) as refused:
        localise(load_env_cfg("Isaac-NutPour-GR1T2-Pink-IK-Abs-Mimic-v0"))
    for asset in ("factory_m16_nut_green.usd", "sorting_beaker_red.usd", "sorting_scale.usd"):
        assert asset in str(refused.value)


def test_a_humanoid_says_what_stands_in_for_it():
    swaps = {swap.where: swap for swap in localise(load_env_cfg("Isaac-PickPlace-GR1T2-Abs-Mimic-v0"))}
    assert "legs touch nothing" in swaps["scene.robot"].stand_in
    assert "kinematics" in swaps["actions.upper_body_ik.controller"].stand_in
    assert swaps["actions.upper_body_ik"].stand_in == "by the simulator"
    assert swaps["scene.left_hand_contact"].stand_in == swaps["scene.right_hand_contact"].stand_in == "none"
    assert {"scene.packing_table", "scene.object"} <= set(swaps)


def run(case: str, task: str, num_envs: int = 2) -> dict:
    """Run one of the functions below, by name, on `task` in a process of its own."""
    command = [sys.executable, __file__, case, task, str(num_envs)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("task", ["IsaacContrib-Lift-Cube-Franka", "Isaac-Reach-Franka", OURS])
def test_the_arm_holds_still_and_objects_rest_on_the_table(task):
    seen = run("rest", task)
    assert seen["joint_drift_rad"] < 1e-3
    for height, half_edge in seen["objects_m"].values():
        assert height == pytest.approx(half_edge, abs=5e-4)


@pytest.mark.parametrize(
    "task", ["Isaac-PickPlace-GR1T2-Abs-Mimic-v0", "IsaacContrib-PickPlace-FixedBaseUpperBodyIK-G1-Abs"]
)
def test_a_stock_humanoid_moves_its_hands_where_pink_is_told_and_survives_what_makes_no_sense(task):
    seen = run("humanoid", task)
    assert seen["hands_off_m"] < 0.02 and seen["hands_moved_m"] > 0.03
    assert seen["wheel_sank_m"] < 0.002, "the wheel lies on the table"
    assert seen["finite"], "zero and random actions, which are no poses"
    assert seen["same_after_reset"]


def test_our_observations_maps_and_conditions_against_the_stock_tasks():
    seen = run("against_stock", REL_MIMIC, num_envs=3)
    for name, difference in seen["observations"].items():
        assert difference < 1e-5, name
    assert seen["maps"] < 1e-5
    # two cubes side by side on the table, gripper open: the stock signal takes that for a stack
    assert seen["side_by_side"] == {"stock": True, "ours": False}
    assert seen["on_top"] == {"stock": True, "ours": True}


def test_the_panda_grasps_lifts_and_keeps_a_cube():
    seen = run("lift", OURS, num_envs=4)
    assert seen["grasp_before"] == [False] * 4
    assert seen["grasped"] == [True] * 4
    assert min(seen["height_m"]) > 0.15
    assert max(seen["slip_m"]) < 2e-3


def test_observations_are_fresh_right_after_a_reset():
    assert run("fresh", OURS)["moved_m"] < 2e-3  # a stale reading is the hand's place before the reset, 10 cm away


def rest(env, info) -> dict:
    robot = env.scene["robot"]
    actions = torch.zeros(env.num_envs, env.action_manager.total_action_dim)
    if "gripper_action" in env.action_manager.active_terms:
        actions[:, -1] = 1.0
    for _ in range(60):
        env.step(actions)
    before = robot.data.joint_pos.torch.clone()
    for _ in range(20):
        env.step(actions)
    drift = (robot.data.joint_pos.torch - before).abs().max().item()
    objects = {}
    for name, body in env.scene.rigid_objects.items():
        height = (body.data.root_pos_w.torch - env.scene.env_origins)[0, 2].item()
        objects[name] = (height, body.cfg.spawn.size[2] / 2)
    return {"joint_drift_rad": drift, "objects_m": objects}


def humanoid(env, info) -> dict:
    robot, count = env.scene["robot"], env.action_manager.total_action_dim
    term = env.action_manager.get_term("upper_body_ik")
    hands = [robot.body_names.index(name) for name in term.cfg.target_eef_link_names.values()]

    def wrists():
        return robot.data.body_link_pose_w.torch[:, hands].clone()

    def wheel():
        return (env.scene["object"].data.root_pos_w.torch - env.scene.env_origins)[:, 2].clone()

    first, height = env.reset()[0]["policy"], wheel()
    at_rest = wrists()
    target = at_rest.clone()
    target[..., 2] += 0.05
    target[..., :3] -= env.scene.env_origins[:, None]
    actions = torch.zeros(env.num_envs, count)
    actions[:, :14] = target.flatten(1)
    for _ in range(50):
        env.step(actions)
    reached = wrists()
    off = (reached[..., :3] - env.scene.env_origins[:, None] - target[..., :3]).norm(dim=-1).max().item()
    sank = (wheel() - height).abs().max().item()
    finite = True
    for number in range(10):
        obs = env.step(torch.zeros_like(actions) if number < 5 else torch.randn(env.num_envs, count))[0]["policy"]
        finite &= all(bool(torch.isfinite(value.float()).all()) for value in obs.values())
    again = env.reset()[0]["policy"]["robot_joint_pos"]
    return {
        "hands_off_m": off,
        "hands_moved_m": (reached - at_rest)[..., 2].min().item(),
        "wheel_sank_m": sank,
        "finite": finite,
        "same_after_reset": bool(torch.equal(again, first["robot_joint_pos"])),
    }


def against_stock(env, info) -> dict:
    from isaaclab.managers import SceneEntityCfg
    from isaaclab_tasks.contrib.stack.mdp.observations import object_stacked

    from apprentice.robots.franka import HAND
    from apprentice.tasks import readings
    from apprentice.tasks.eef_maps import target_to_action
    from apprentice.tasks.one_arm_env import OneArmMimicEnv
    from apprentice.tasks.stack.mdp import conditions, observations

    env.hand = HAND  # as our environments state theirs
    stock_obs = env.step(torch.randn(env.num_envs, 7) * 0.05)[0]["policy"]
    ours = {
        "object": observations.object_state(env),
        "cube_positions": observations.cube_positions(env),
        "cube_orientations": observations.cube_orientations(env),
        "eef_pos": readings.eef_pos(env),
        "eef_quat": readings.eef_quat(env),
        "gripper_pos": readings.gripper_pos(env),
    }
    differences = {name: (value - stock_obs[name]).abs().max().item() for name, value in ours.items()}
    current = env.get_robot_eef_pose("franka")
    target = current @ poses.make_pose(
        torch.tensor([0.05, -0.02, 0.1]), poses.exp_rotation(torch.tensor([0.3, 0.1, -0.2]))
    )
    grip = torch.ones(env.num_envs, 1)
    looped = target_to_action(env, {"franka": target}, {"franka": grip})
    maps = (looped - OneArmMimicEnv._actions(current, target, grip)).abs().max().item()

    def stacked(offset: tuple[float, float, float]) -> dict:
        lower = env.scene["cube_1"].data.root_link_pose_w.torch.clone()
        upper = lower.clone()
        upper[:, :3] += torch.tensor(offset)
        env.scene["cube_2"].write_root_pose_to_sim_index(root_pose=upper, env_ids=torch.arange(env.num_envs))
        entity = {name: SceneEntityCfg(name) for name in ("robot", "cube_1", "cube_2")}
        stock = object_stacked(env, entity["robot"], entity["cube_2"], entity["cube_1"])
        return {"stock": stock.all().item(), "ours": conditions.object_stacked(env, "cube_2", "cube_1").all().item()}

    for _ in range(30):  # until the fingers are within the stock signal's 0.1 mm of fully open
        env.step(torch.tensor([[0.0] * 6 + [1.0]]).repeat(env.num_envs, 1))
    side_by_side = stacked((0.045, 0.0, 0.0))
    return {"observations": differences, "maps": maps, "side_by_side": side_by_side, "on_top": stacked((0, 0, 0.0406))}


def lift(env, info) -> dict:
    from apprentice.tasks.eef_maps import target_to_action

    def go(target, grip: float, steps: int) -> None:
        for _ in range(steps):
            action = target_to_action(env, {"franka": target}, {"franka": torch.full((env.num_envs, 1), grip)})
            action[:, :6] *= 2.0  # the action term moves half of what it is asked
            action[:, :3] *= (0.1 / action[:, :3].norm(dim=1, keepdim=True)).clamp(max=1.0)
            env.step(action)

    def raised(pose, height: float):
        pose = pose.clone()
        pose[:, 2, 3] = height
        return pose

    cube = env.get_object_poses()["cube_2"]
    yaw = torch.atan2(cube[:, 1, 0], cube[:, 0, 0])
    yaw = (yaw + math.pi / 4) % (math.pi / 2) - math.pi / 4  # the cube looks the same after a quarter turn
    down = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    grasp = poses.make_pose(poses.position(cube), poses.rotation_z(yaw) @ down)
    go(raised(grasp, 0.2), 1.0, 40)
    go(grasp, 1.0, 30)
    before = env.get_subtask_term_signals()["grasp_1"].tolist()
    go(grasp, -1.0, 15)
    grasped = env.get_subtask_term_signals()["grasp_1"].tolist()
    go(raised(grasp, 0.2), -1.0, 40)

    def in_hand():
        hand, held = env.get_robot_eef_pose("franka"), env.get_object_poses()["cube_2"]
        return poses.position(poses.inverse(hand) @ held)

    start = in_hand()
    go(raised(grasp, 0.2), -1.0, 40)
    slip = (in_hand() - start).norm(dim=1)
    height = env.get_object_poses()["cube_2"][:, 2, 3]
    return {"grasp_before": before, "grasped": grasped, "height_m": height.tolist(), "slip_m": slip.tolist()}


def fresh(env, info) -> dict:
    for _ in range(10):
        env.step(torch.full((env.num_envs, 7), 0.3))
    after_reset = env.reset()[0]["policy"]["eef_pos"].clone()
    still = env.step(torch.tensor([[0.0] * 6 + [1.0]]).repeat(env.num_envs, 1))[0]["policy"]["eef_pos"]
    return {"moved_m": (after_reset - still).abs().max().item()}


if __name__ == "__main__":
    import math

    import torch

    from apprentice import poses
    from apprentice.sim.launch import launched

    case, task, num_envs = sys.argv[1:]
    cfg = load_env_cfg(task)
    cfg.rewards = cfg.curriculum = None  # some refer to terminations, which `launched` takes off
    assert task in known_tasks()
    module, _, name = gymnasium.spec(task).entry_point.partition(":")
    with launched(getattr(import_module(module), name), cfg, num_envs=int(num_envs), seed=3) as env:
        env.reset()
        print(json.dumps(globals()[case](env, cfg)), flush=True)
