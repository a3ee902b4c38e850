"""The native backend against its own single world, against Newton's MuJoCo C path, and where environments differ."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from scripted_grasp import STEPS, TASK, action, measured

TWIN = 5
"""Environment of 64 that is played again alone; also its seed."""
JOINT_POSITIONS = slice(13, 22)
CUBES = (31, 44, 57)
"""Where joint positions and the positions of the cubes are in a row of `measured`."""
HEIGHT = "rigid_object/cube_2/root_pose"


def play_many(out: Path) -> None:
    from apprentice.tasks.session import open_session

    with open_session(TASK, num_envs=64) as session:
        obs = session.reset(seeds=range(64))
        rows, actions = [measured(session)[TWIN]], []
        for step in range(STEPS):
            actions.append(action(obs, step))
            obs = session.step(actions[-1])
            rows.append(measured(session)[TWIN])
        heights = session.state()[HEIGHT][:, 2]
    torch.save({"rows": torch.stack(rows), "actions": torch.stack(actions)[:, TWIN], "heights": heights}, out)


def play_one(out: Path, backend: str = "native") -> None:
    """The twin alone: by its own observations, then by the recorded actions."""
    from apprentice.tasks.session import open_session

    recorded = torch.load(out.parent / "many.pt")["actions"]
    saved = {}
    with open_session(TASK, backend=backend) as session:
        for name in ("own", "recorded"):
            obs = session.reset(seeds=[TWIN])
            rows = [measured(session)[0]]
            for step in range(STEPS):
                obs = session.step(action(obs, step) if name == "own" else recorded[step : step + 1])
                rows.append(measured(session)[0])
            saved[name] = torch.stack(rows)
    torch.save(saved, out)


def play_newton_c(out: Path) -> None:
    """The same in Newton's own single-world path, which steps `mj_step` once per substep."""
    from newton.solvers import SolverMuJoCo

    from apprentice.sim import backends

    configured = backends._newton

    def with_mujoco_c(backend, dt):
        physics = configured(backend, dt)
        physics.solver_cfg.use_mujoco_cpu = physics.solver_cfg.use_mujoco_contacts = True
        return physics

    backends._newton = with_mujoco_c
    # Newton 1.6 does not know this for MuJoCo C; Isaac Lab only sizes buffers by it
    SolverMuJoCo.get_max_contact_count = lambda self: 256
    play_one(out, backend="newton")


def play_apart(out: Path) -> None:
    """Environments 3 m apart: tables, ground and robots' bases stand elsewhere in each world."""
    from apprentice.sim import launch
    from apprentice.tasks.session import open_session

    configure = launch.configure

    def spaced(env_cfg, *arguments):
        configure(env_cfg, *arguments)
        env_cfg.scene.env_spacing = 3.0

    launch.configure = spaced
    with open_session(TASK, num_envs=4) as session:
        obs = session.reset(seeds=[TWIN] * 4)
        rows = [measured(session)]
        for step in range(STEPS):
            obs = session.step(action(obs, step))
            rows.append(measured(session))
        heights, origins = session.state()[HEIGHT][:, 2], session.env.scene.env_origins.clone()
    torch.save({"rows": torch.stack(rows), "heights": heights, "origins": origins}, out)


def play_randomised(out: Path) -> None:
    """One initial state, played as it is and with one environment's mass, friction or gains changed."""
    from isaaclab.envs import mdp
    from isaaclab.managers import EventTermCfg, SceneEntityCfg

    from apprentice.errors import UserError
    from apprentice.sim import native
    from apprentice.tasks import registry
    from apprentice.tasks.session import open_session

    def on_demand(func, **params):
        return EventTermCfg(func=func, mode="interval", interval_range_s=(1e9, 1e9), params=params)

    def slippery(name, **bodies):
        return on_demand(
            mdp.randomize_rigid_body_material,
            asset_cfg=SceneEntityCfg(name, **bodies),
            static_friction_range=(0.002, 0.002),
            dynamic_friction_range=(0.002, 0.002),
            restitution_range=(0.0, 0.0),
            num_buckets=1,
        )

    load = registry.load_env_cfg

    def with_events(task, backend="native"):
        cfg = load(task, backend)
        cfg.events.mass = on_demand(
            mdp.randomize_rigid_body_mass,
            asset_cfg=SceneEntityCfg("cube_2"),
            mass_distribution_params=(20.0, 20.0),
            operation="scale",
            min_mass=1e-6,
        )
        cfg.events.cube_friction = slippery("cube_2")
        cfg.events.hand_friction = slippery("robot", body_names=".*finger")
        cfg.events.gains = on_demand(
            mdp.randomize_actuator_gains,
            asset_cfg=SceneEntityCfg("robot"),
            stiffness_distribution_params=(0.2, 0.2),
            damping_distribution_params=(1.0, 1.0),
            operation="scale",
        )
        return cfg

    registry.load_env_cfg = with_events
    saved = {}
    with open_session(TASK, num_envs=4) as session:
        for name, world, terms in (
            ("as it was", 0, ()),
            ("mass", 1, ("mass",)),
            ("friction", 2, ("cube_friction", "hand_friction")),
            ("gains", 3, ("gains",)),
        ):
            for term in terms:
                event = session.env.event_manager.get_term_cfg(term)
                event.func(session.env, torch.tensor([world]), **event.params)
            obs, rows, heights = session.reset(seeds=[TWIN] * 4), [], []
            for step in range(180):
                obs = session.step(action(obs, step))
                rows.append(measured(session))
                heights.append(session.state()[HEIGHT][:, 2].clone())
            saved[name] = {"rows": torch.stack(rows), "heights": torch.stack(heights)}
        solver = native.solver()
        saved["masses"] = [float(model.body("_World_envs_env_0_Cube_2").mass[0]) for model in solver._worlds.models]
        # one environment stands still while the others go on
        session.reset(seeds=[TWIN] * 4)
        saved["frozen before"] = measured(session)
        session.step(action(obs, 0), active=torch.tensor([True, True, False, True]))
        saved["frozen after"] = measured(session)
        # what MuJoCo C takes from the model once for all worlds may not differ between worlds
        import warp as wp

        option = solver.mjw_model.opt
        option.tolerance = wp.array([1e-8, 1e-8, 1e-3, 1e-8], dtype=float)
        try:
            solver._worlds.synchronise(solver.mjw_model)
        except UserError as error:
            saved["refusal"] = str(error)
    torch.save(saved, out)


PLAYS = {"many": play_many, "one": play_one, "newton_c": play_newton_c, "apart": play_apart, "mixed": play_randomised}


@pytest.fixture(scope="module")
def played(tmp_path_factory) -> dict[str, dict]:
    """What each play saved. A simulation needs a process of its own."""
    directory = tmp_path_factory.mktemp("native")
    for name in PLAYS:
        subprocess.run([sys.executable, __file__, name, str(directory / f"{name}.pt")], check=True, timeout=600)
    return {name: torch.load(directory / f"{name}.pt") for name in PLAYS}


def test_the_scripted_grasp_holds_the_cube_in_most_environments(played):
    assert (played["many"]["heights"] > 0.2).float().mean() > 0.9
    assert played["many"]["heights"][TWIN] > 0.2


@pytest.mark.parametrize("actions", ["own", "recorded"])
def test_one_world_of_many_is_exactly_its_twin_alone(played, actions):
    torch.testing.assert_close(played["one"][actions], played["many"]["rows"], rtol=0, atol=0)


def test_native_follows_newtons_own_mujoco_path(played):
    """Not exactly: between substeps Newton rounds the state to single precision, and MuJoCo C here does not."""
    native, newton = played["one"]["recorded"], played["newton_c"]["recorded"]
    difference = (native - newton).abs().amax(dim=0)
    assert difference[JOINT_POSITIONS].max() < 1e-4  # rad and m; 1.5e-5 seen
    for first in CUBES:
        assert difference[first : first + 3].max() < 1e-4  # m; 5e-6 seen


def test_environments_that_stand_apart_do_the_same_in_their_own_frames(played):
    apart = played["apart"]
    assert len(apart["origins"].unique(dim=0)) == 4
    assert (apart["heights"] > 0.2).all()


@pytest.mark.parametrize(("what", "world"), [("mass", 1), ("friction", 2), ("gains", 3)])
def test_a_change_in_one_environment_changes_that_one_only(played, what, world):
    plays = played["mixed"]
    order = ["as it was", "mass", "friction", "gains"]
    before, after = plays[order[order.index(what) - 1]]["rows"], plays[what]["rows"]
    others = [other for other in range(4) if other != world]
    torch.testing.assert_close(after[:, others], before[:, others], rtol=0, atol=0)
    assert (after[:, world] - before[:, world]).abs().max() > 1e-3


def test_masses_and_friction_mean_what_they_say(played):
    plays = played["mixed"]
    masses = plays["masses"]
    assert masses[1] == pytest.approx(20 * masses[0])
    heights = plays["gains"]["heights"][-1]
    assert heights[0] > 0.15, "the untouched environment lifts the cube"
    assert heights[2] < 0.05, "slippery fingers lose it"


def test_a_frozen_environment_stands_still(played):
    before, after = played["mixed"]["frozen before"], played["mixed"]["frozen after"]
    states = slice(0, 13 + 18 + 3 * 13)
    torch.testing.assert_close(after[2, states], before[2, states], rtol=0, atol=0)
    assert (after[1, states] != before[1, states]).any()


def test_a_difference_that_cannot_be_followed_is_refused_by_name(played):
    assert "'opt.tolerance'" in played["mixed"]["refusal"]


if __name__ == "__main__":
    PLAYS[sys.argv[1]](Path(sys.argv[2]))
