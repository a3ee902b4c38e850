"""Which backends can run, and what they refuse."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from apprentice.errors import UserError
from apprentice.sim.backends import BACKENDS, configure, why_unavailable
from apprentice.tasks.registry import load_env_cfg

TASK = "Apprentice-Stack-Franka"
SECOND = 20
"""Control steps."""


def play(backend: str, num_envs: int) -> dict:
    """A grasp, and what came of it."""
    import torch
    from scripted_grasp import CLOSED, STEPS, action

    from apprentice.tasks.session import open_session

    with open_session(TASK, backend=backend, num_envs=num_envs) as session:
        obs = session.reset(seeds=range(num_envs))
        rest = session.state()["rigid_object/cube_1/root_pose"][:, 2].tolist()
        fingers = None
        for step in range(STEPS):
            if step == CLOSED:
                fingers = obs["gripper_pos"][:, 0].clone()
                held = session.snapshot([0])
            obs = session.step(action(obs, step))
        heights = session.state()["rigid_object/cube_2/root_pose"][:, 2].clone()
        grasped = session.subtask_signals()["grasp_1"].tolist()
        obs = session.restore(held)
        back = obs["datagen_info/object_pose/cube_2"][0, 2, 3].item()
        for step in range(CLOSED, STEPS):
            obs = session.step(action(obs, step))
        again = session.state()["rigid_object/cube_2/root_pose"][0, 2].item()
        gains = session.env.scene["robot"].data.joint_stiffness.torch[0].tolist()
        session.reset(seeds=range(num_envs))
        state = {name: value.clone() for name, value in session.state().items()}
        below, above = (state[f"rigid_object/cube_{number}/root_pose"] for number in (1, 2))
        above[:] = below
        above[:, 2] += 2 * torch.tensor(rest)
        session.set_state(state, range(num_envs))
        for _ in range(SECOND):
            session.step(session.neutral_actions())
        below, above = (session.state()[f"rigid_object/cube_{number}/root_pose"] for number in (1, 2))
        finite = all(bool(torch.isfinite(value).all()) for value in session.state().values())
    return {
        "rest": rest,
        "fingers": fingers.tolist(),
        "heights": heights.tolist(),
        "grasped": grasped,
        "back": back,
        "again": again,
        "gains": gains,
        "tower": (above - below)[:, :3].tolist(),
        "finite": finite,
    }


@pytest.fixture(scope="module", params=[("ovphysx", 16), ("newton", 2)], ids=["ovphysx", "newton"])
def played(request, tmp_path_factory) -> dict:
    backend, num_envs = request.param
    out = tmp_path_factory.mktemp("backends") / f"{backend}.json"
    subprocess.run([sys.executable, __file__, backend, str(num_envs), str(out)], check=True, timeout=900)
    return json.loads(out.read_text())


def test_cubes_rest_on_the_table(played):
    assert played["rest"] == pytest.approx([0.0203] * len(played["rest"]), abs=0.001)


def test_fingers_stop_at_the_faces_of_the_cube(played):
    assert sum(0.0165 < position < 0.0215 for position in played["fingers"]) >= 0.8 * len(played["fingers"])


def test_the_grasp_lifts_and_holds(played):
    assert played["finite"]
    lifted = [height > 0.2 for height in played["heights"]]
    assert sum(lifted) >= 0.8 * len(lifted)
    assert lifted == played["grasped"]


def test_a_restored_grasp_can_be_lifted_again(played):
    assert played["back"] < 0.03
    assert played["again"] > 0.2


def test_a_cube_stays_on_a_cube(played):
    for apart in played["tower"]:
        assert apart == pytest.approx([0.0, 0.0, 2 * played["rest"][0]], abs=0.001)


def test_the_arm_has_the_gains_of_the_stock_robot(played):
    assert played["gains"][:7] == pytest.approx([400.0] * 7)


def test_isaac_sim_is_refused_in_one_sentence_where_it_is_absent():
    with pytest.raises(UserError, match="isaacsim backend needs") as refusal:
        configure(load_env_cfg(TASK, "isaacsim"), "isaacsim")
    assert "--backend native" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_isaac_sim_without_a_graphics_card_is_refused_too(monkeypatch):
    found = importlib.util.find_spec

    def with_isaac_sim(name, *arguments):
        return object() if name == "isaacsim" else found(name, *arguments)

    monkeypatch.setattr(importlib.util, "find_spec", with_isaac_sim)
    monkeypatch.setattr("apprentice.sim.backends._has_gpu", lambda: False)
    assert "needs an NVIDIA GPU" in why_unavailable("isaacsim")


def test_an_unknown_backend_is_refused_with_the_known_ones():
    with pytest.raises(UserError, match=r"native, newton, ovphysx, isaacsim.*'bullet'"):
        configure(load_env_cfg(TASK), "bullet")


def test_native_names_the_sensor_that_it_cannot_serve():
    from isaaclab.sensors import ImuCfg

    cfg = load_env_cfg(TASK)
    cfg.scene.balance = ImuCfg(prim_path="{ENV_REGEX_NS}/Cube_2")
    with pytest.raises(UserError, match="'balance' \\(ImuCfg\\)"):
        configure(cfg, "native")


def test_asking_what_can_run_starts_no_simulator():
    code = (
        "import sys; from apprentice.sim.backends import BACKENDS, why_unavailable;"
        "[why_unavailable(b) for b in BACKENDS];"
        "print([m for m in sys.modules if m.split('.')[0] in ('isaaclab', 'pxr')])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
    assert BACKENDS[0] == "native"


if __name__ == "__main__":
    Path(sys.argv[3]).write_text(json.dumps(play(sys.argv[1], int(sys.argv[2]))))
