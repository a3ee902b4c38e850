"""Looking ahead in the real scene: what a bridge would touch, and what the arm cannot reach."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from recorded import record

from apprentice.augment.cfg import AugmentCfg
from apprentice.augment.lessons import Assignment
from apprentice.augment.paths.bridge import Terms, find_bridge
from apprentice.augment.paths.limits import look_along
from apprentice.augment.paths.profile import StepLimits, timed
from apprentice.augment.play.rollout import Rollout
from apprentice.augment.play.state import RolloutState
from apprentice.augment.prepare import make_planners
from apprentice.demos import DemoFile
from apprentice.poses import make_pose
from apprentice.sim.launch import launched
from apprentice.tasks.registry import environment_class, load_env_cfg, task_info
from apprentice.tasks.session import Session

TASK, CUBE_M = "Apprentice-Stack-Franka", 0.0406
LIMITS = StepLimits(speed=0.025, acceleration=0.0075, turn=0.125, turn_acceleration=0.0375)
TERMS = Terms(limits=LIMITS, clearance_m=0.01, about=None, near_m=0.08)


@pytest.fixture(scope="module")
def session():
    """The stack task with a wall that stands far away until a test wants it."""
    import isaaclab.sim as sim_utils
    from isaaclab.assets import RigidObjectCfg

    env_cfg = load_env_cfg(TASK, "native")
    env_cfg.scene.wall = RigidObjectCfg(
        prim_path="{ENV_REGEX_NS}/Wall",
        spawn=sim_utils.CuboidCfg(
            size=(0.5, 0.02, 0.5),
            rigid_props=sim_utils.RigidBodyPropertiesCfg(),
            mass_props=sim_utils.MassPropertiesCfg(mass=5.0),
            collision_props=sim_utils.CollisionPropertiesCfg(),
        ),
        init_state=RigidObjectCfg.InitialStateCfg(pos=(-3.0, 0.0, 0.25)),
    )
    info = task_info(TASK)
    success = env_cfg.terminations.success
    with launched(environment_class(TASK), env_cfg, backend="native", num_envs=3, seed=0, threads=1) as env:
        yield Session(env, info, variant=None, backend="native", success=success)


@pytest.fixture(scope="module")
def source(session, tmp_path_factory) -> Path:
    return record(session, tmp_path_factory.mktemp("source") / "source.hdf5", 2)


def place(session, env_id: int, **xyz: tuple[float, float, float]) -> None:
    session.reset([0, 1, 2], [1, 2, 3])
    state = {key: value[env_id : env_id + 1].clone() for key, value in session.state().items()}
    for name, at in {"wall": (-3.0, 0.0, 0.25), **xyz}.items():
        state[f"rigid_object/{name}/root_pose"] = torch.tensor([[*at, 0.0, 0.0, 0.0, 1.0]])
    session.set_state(state, [env_id])


def tower(session, env_id: int = 0) -> None:
    heights = [0.0203 + CUBE_M * level for level in range(3)]
    place(session, env_id, **{f"cube_{3 - level}": (0.5, 0.0, z) for level, z in enumerate(heights)})


def hand_at(session, xyz: tuple[float, float, float]) -> np.ndarray:
    """Pointing down."""
    pose = session.eef_poses()["franka"][0].double().numpy()
    pose[:3, 3] = xyz
    return pose


class At:
    """The scene of an environment, with the arm brought to where a bridge starts."""

    def __init__(self, moment, start: np.ndarray) -> None:
        joints = moment.reach(start, moment.joints)
        assert joints is not None
        self.joints, self.low, self.high = joints, moment.low, moment.high
        self.reach, self.hand, self.distances = moment.reach, moment.hand, moment.distances


def bridged(session, start: np.ndarray, end: np.ndarray, env_id: int = 0, held: str | None = None):
    moment = session.collision_scenes()["franka"].moment(env_id, start, held)
    space = At(moment, start)
    return find_bridge(space, start, end, None, TERMS, np.random.default_rng(0)), space


def nearest(space, path: np.ndarray) -> float:
    joints, least = space.joints, 1.0
    for pose in path:
        joints = space.reach(pose, joints)
        assert joints is not None
        least = min([least, *space.distances(joints).values()])
    return least


def test_straight_through_a_tower_is_refused_and_over_it_accepted(session):
    tower(session)
    start, end = hand_at(session, (0.5, -0.15, 0.08)), hand_at(session, (0.5, 0.15, 0.08))
    way, space = bridged(session, start, end)
    straight = timed(np.stack((start, end)), LIMITS)
    assert nearest(space, straight) < -0.01
    assert (way.kind, way.problem) == ("raised", None)
    assert nearest(space, way.path) > 0
    place(session, 0)
    assert bridged(session, start, end)[0].kind == "straight"


def test_what_is_held_must_get_over_too(session):
    tower(session)
    start, end = hand_at(session, (0.5, -0.15, 0.15)), hand_at(session, (0.5, 0.15, 0.15))
    assert bridged(session, start, end)[0].kind == "straight"
    place(session, 0, cube_2=(0.5, 0.0, 0.0203), cube_3=(0.5, 0.0, 0.0609), cube_1=(0.5, -0.15, 0.1))
    way, space = bridged(session, start, end, held="cube_1")
    assert (way.kind, way.problem) == ("raised", None)
    assert {pair[0] for joints in [space.joints] for pair in space.distances(joints)} <= {"robot", "cube_1"}


def test_a_wall_is_gone_around_by_search(session):
    start, end = hand_at(session, (0.5, -0.2, 0.15)), hand_at(session, (0.5, 0.2, 0.15))
    place(session, 0, wall=(0.65, 0.0, 0.25), cube_1=(1.5, 0.5, 0.1), cube_2=(1.5, 0.3, 0.1), cube_3=(1.5, 0.1, 0.1))
    way, space = bridged(session, start, end)
    assert (way.kind, way.problem) == ("searched", None)
    assert nearest(space, way.path) > 0
    again, _ = bridged(session, start, end)
    np.testing.assert_array_equal(again.path, way.path)


def test_all_environments_see_the_same(session):
    start, end = hand_at(session, (0.5, -0.15, 0.08)), hand_at(session, (0.5, 0.15, 0.08))
    paths = []
    for env_id in range(3):
        tower(session, env_id)
        paths.append(bridged(session, start, end, env_id)[0].path)
    np.testing.assert_array_equal(paths[0], paths[1])
    np.testing.assert_array_equal(paths[0], paths[2])


def test_joint_limits_and_the_length_of_the_arm_are_kept(session):
    place(session, 0)
    start = hand_at(session, (0.5, 0.0, 0.2))
    moment = session.collision_scenes()["franka"].moment(0, start, None)
    for xyz in ((0.4, 0.25, 0.05), (0.65, -0.2, 0.1)):
        joints = moment.reach(hand_at(session, xyz), moment.joints)
        assert joints is not None
        assert ((joints >= moment.low) & (joints <= moment.high)).all()
        np.testing.assert_allclose(moment.hand(joints)[:3, 3], xyz, atol=0.003)
    far = np.stack([start, hand_at(session, (1.1, 0.0, 0.1))])
    assert look_along(moment, far, [1], moment.joints, lambda _, __: 0.0).problem == "unreachable"


def test_an_object_beyond_the_arm_makes_a_plan_that_says_so(session, source):
    cfg = AugmentCfg(seed=0, task=TASK, retry=None)
    planner = make_planners(session, source, cfg)["franka"]
    place(session, 0)
    scene = RolloutState(session, {"franka": planner}, cfg).scene(0)

    def plan(x: float):
        objects: Mapping = {
            **scene.objects,
            "cube_2": make_pose(torch.tensor([x, 0.0, 0.02]).double(), torch.eye(3).double()),
        }
        rng = np.random.default_rng(0)
        where = replace(scene, objects=objects)
        return planner.plan(0, where, planner.draw(rng), failed=[], keep_demo=None, last_target=None, rng=rng)

    assert plan(0.5).problem is None
    assert plan(1.2).problem == "unreachable"


def test_an_attempt_that_cannot_reach_ends_at_once_and_says_why(session, source, monkeypatch):
    cfg = AugmentCfg(seed=0, task=TASK, retry=None)
    planners = make_planners(session, source, cfg)
    reset = session.reset

    def out_of_reach(env_ids, seeds):
        reset(env_ids, seeds)
        state = {key: value[list(env_ids)].clone() for key, value in session.state().items()}
        state["rigid_object/cube_2/root_pose"][:, 0] = 1.2
        return session.set_state(state, env_ids)

    monkeypatch.setattr(session, "reset", out_of_reach)
    assignments = map(Assignment, range(3))
    outcomes = [one.outcome for one in Rollout(session, planners, cfg).run(lambda: next(assignments, None))]
    assert [outcome.cause for outcome in outcomes] == ["grasp_1"] * 3
    assert {outcome.subtasks[0]["problem"] for outcome in outcomes} == {"unreachable"}
    assert max(outcome.env_steps for outcome in outcomes) <= 1


def test_the_contact_rich_parts_of_recorded_demos_are_much_shorter_than_the_demos(session, source):
    planner = make_planners(session, source, AugmentCfg(seed=0, task=TASK))["franka"]
    contact = planner.nominal[:, :, 1] - planner.candidates.contact.last
    with DemoFile(source) as file:
        lengths = [file.read(name).length for name in file.names]
    assert (contact.sum(1) < 0.75 * np.array(lengths)).all()
    assert (contact >= 5).all()
