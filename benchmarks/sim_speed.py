"""Environment steps a second: Isaac Lab as shipped on a CPU, our backends, and MuJoCo's own limit, from one run.

    python benchmarks/sim_speed.py [--json FILE] [--only NAME ...]

Franka cube stack, 20 Hz control, 10 physics substeps a step. "At rest" the arms hold still; "moving" they grasp, lift
and carry a cube, and the limit is `mj_step` alone on the same model, states and controls. Humanoids do their tasks,
told by the scripted operator. Every number comes from a process of its own, on one core unless its name says otherwise.
One core is timed by its processor time, so that other jobs on the machine do not count; two cores by the clock on the
wall.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TASK = "Apprentice-Stack-Franka"
STOCK = "Isaac-Stack-Cube-Franka-IK-Rel-Mimic-v0"
MOVING_STEPS = 200
SAMPLED_WORLDS = 8
"""Worlds whose motion is stepped again by `mj_step` alone."""

MEASUREMENTS: dict[str, tuple[str, dict]] = {
    "stock_1": ("stock", {"envs": 1, "seconds": 6}),
    "stock_16": ("stock", {"envs": 16, "seconds": 10}),
    "newton_16": ("rest", {"backend": "newton", "envs": 16, "seconds": 10}),
    "native_1": ("rest", {"envs": 1}),
    "native_16": ("rest", {"envs": 16}),
    "native_64": ("rest", {"envs": 64}),
    "native_256": ("rest", {"envs": 256}),
    "native_256_2cores": ("rest", {"envs": 256, "cores": 2}),
    "native_2x128_2cores": ("pair", {"envs": 128}),
    "raw_limit": ("raw", {}),
    "native_64_moving": ("moving", {"envs": 64}),
    "native_256_moving": ("moving", {"envs": 256}),
    "ovphysx_32": ("rest", {"backend": "ovphysx", "envs": 32}),
    "g1_64": ("operated", {"task": "Apprentice-PickPlace-G1", "envs": 64}),
    "gr1t2_64": ("operated", {"task": "Apprentice-PickPlace-GR1T2", "envs": 64}),
    "g1_box_64": ("operated", {"task": "Apprentice-LiftBox-G1", "envs": 64}),
    "g1_walk_64": ("operated", {"task": "Apprentice-WalkPickPlace-G1", "envs": 64}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    parser.add_argument(
        "--only", nargs="+", choices=MEASUREMENTS, default=list(MEASUREMENTS), help="measure only these"
    )
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        kind, settings = json.loads(arguments.measure)
        print(json.dumps(globals()[f"measure_{kind}"](**settings)), flush=True)
        os._exit(0)  # nothing is left to save, and closing a simulation takes seconds
    results: dict[str, float] = {}
    for name in arguments.only:
        kind, settings = MEASUREMENTS[name]
        if settings.get("backend") == "ovphysx" and importlib.util.find_spec("ovphysx") is None:
            print(f"{name:22} left out: PhysX is not installed")
            continue
        for key, value in _measured(name, kind, settings).items():
            results[key] = round(value, 2)
            print(f"{key:22} {value:10.1f} {_unit(key)}", flush=True)
    _print_ratios(results)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")


def _measured(name: str, kind: str, settings: dict) -> dict[str, float]:
    if kind == "pair":
        # the two start measuring at the same time: each waits until the other is ready
        start = time.time() + 45.0
        pair = [_start("rest", settings | {"core": core, "start": start}) for core in (0, 1)]
        return {name: sum(_finish(process)["rate"] for process in pair)}
    values = _finish(_start(kind, settings))
    return {name: values.pop("rate"), **{f"{key}_{settings['envs']}": value for key, value in values.items()}}


def _start(kind: str, settings: dict) -> subprocess.Popen:
    threads = str(settings.get("cores", 1))
    environment = os.environ | {"OMP_NUM_THREADS": threads, "PYTHONPATH": f"{ROOT / 'source'}:{ROOT / 'tests' / 'sim'}"}
    command = [sys.executable, __file__, "--measure", json.dumps([kind, settings])]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _finish(process: subprocess.Popen) -> dict[str, float]:
    output, errors = process.communicate()
    if process.returncode != 0 or not output.strip():
        sys.exit(f"A measurement failed:\n{errors[-3000:]}")
    return json.loads(output.strip().splitlines()[-1])


def _unit(key: str) -> str:
    return "%" if key.startswith("percent") else "env-steps/s"


def _print_ratios(results: dict[str, float]) -> None:
    print()
    for name, over in (
        ("native_1", "stock_1"),
        ("native_16", "stock_16"),
        ("native_256_2cores", "native_256"),
        ("native_2x128_2cores", "native_256"),
        ("native_64", "raw_limit"),
        ("native_256", "raw_limit"),
        ("native_64_moving", "raw_moving_64"),
        ("native_256_moving", "raw_moving_256"),
    ):
        if name in results and over in results:
            print(f"{name + ' / ' + over:40} {results[name] / results[over]:6.2f}")


def measure_stock(envs: int, seconds: float) -> dict[str, float]:
    """Isaac Lab's own task with its own settings; its models come from this machine."""
    _use_cores(0, 1)
    import torch
    from isaaclab.app import launch_simulation

    from apprentice.sim.localise import localise
    from apprentice.tasks.registry import environment_class, load_env_cfg

    torch.set_num_threads(1)
    env_cfg = load_env_cfg(STOCK, "newton")
    localise(env_cfg, "newton")
    env_cfg.scene.num_envs = envs
    env_cfg.scene.replicate_physics = True  # without it Isaac Lab's Newton finds no robot
    env_cfg.sim.device = "cpu"
    with launch_simulation(env_cfg, {"device": "cpu"}), torch.inference_mode():
        env = environment_class(STOCK)(cfg=env_cfg)
        env.reset()
        actions = torch.zeros(envs, env.action_manager.total_action_dim)
        actions[:, -1] = 1.0  # hold still, gripper open
        env.step(actions)
        best, steps = 0.0, max(2, round(seconds / 5 * 25 / envs))
        for _ in range(5):
            began = time.process_time()
            for _ in range(steps):
                env.step(actions)
            best = max(best, steps * envs / (time.process_time() - began))
    return {"rate": best}


def measure_rest(
    envs: int, backend: str = "native", seconds: float = 6.0, cores: int = 1, core: int = 0, start: float = 0.0
) -> dict[str, float]:
    """Arms hold still. Best of five stretches: other programs only ever take time away."""
    _use_cores(core, cores)
    clock = time.process_time if cores == 1 and start == 0.0 else time.perf_counter
    from apprentice.tasks.session import open_session

    with open_session(TASK, backend=backend, num_envs=envs, threads=cores) as session:
        actions = session.neutral_actions().clone()
        steps = _steps_in(session, actions, seconds / 5)
        time.sleep(max(0.0, start - time.time()))
        best = 0.0
        for _ in range(5):
            began = clock()
            for _ in range(steps):
                session.step(actions)
            best = max(best, steps * envs / (clock() - began))
    return {"rate": best}


def measure_moving(envs: int) -> dict[str, float]:
    """Arms grasp and carry; and the same motion by `mj_step` alone."""
    _use_cores(0, 1)
    import mujoco
    from scripted_grasp import action

    from apprentice.sim import native
    from apprentice.tasks.session import open_session

    with open_session(TASK, num_envs=envs) as session:
        obs = session.reset(seeds=range(envs))
        solver = native.solver()
        sampled = list(range(0, envs, envs // SAMPLED_WORLDS))
        begin, controls = None, []
        roll_out = solver._roll_out

        def noting(worlds, substeps):
            nonlocal begin
            if begin is None:
                begin = solver._state[sampled].copy()
            controls.append(solver._control[sampled, 0].copy())
            return roll_out(worlds, substeps)

        solver._roll_out = noting
        spent = 0.0
        for step in range(MOVING_STEPS):
            actions = action(obs, step)
            began = time.process_time()
            obs = session.step(actions)
            spent += time.process_time() - began
        model = solver._worlds.models[0]
        raw = 0.0
        for world in range(len(sampled)):
            data = mujoco.MjData(model)
            mujoco.mj_setState(model, data, begin[world], mujoco.mjtState.mjSTATE_FULLPHYSICS)
            began = time.process_time()
            for control in controls:
                mujoco.mj_setState(model, data, control[world], native._CONTROL)
                mujoco.mj_step(model, data, nstep=2)
            raw += time.process_time() - began
    rate, limit = MOVING_STEPS * envs / spent, MOVING_STEPS * len(sampled) / raw
    return {"rate": rate, "raw_moving": limit, "percent_of_raw": 100 * rate / limit}


def measure_operated(task: str, envs: int) -> dict[str, float]:
    """Every environment has an episode of the scripted operator; steps alone are timed, not the operator."""
    _use_cores(0, 1)
    from apprentice.record.cfg import RecordCfg
    from apprentice.record.loop import EpisodeLoop
    from apprentice.record.operators import retarget_for, scripted_operators
    from apprentice.tasks.session import open_session

    with open_session(task, num_envs=envs) as session:
        spent, steps, step = 0.0, 0, session.step

        def timed_step(actions, env_ids):
            nonlocal spent, steps
            began = time.process_time()
            result = step(actions, env_ids)
            spent, steps = spent + time.process_time() - began, steps + 1
            return result

        session.step = timed_step
        how = RecordCfg(device=("scripted",), num_envs=envs)
        loop = EpisodeLoop(session, scripted_operators(session), how, retarget=retarget_for(session))
        seeds = iter(range(envs))
        for _ in loop.run(lambda: next(seeds, None)):
            if steps >= MOVING_STEPS:
                break
    return {"rate": steps * envs / spent}


def measure_raw() -> dict[str, float]:
    """`mj_step` of one world at rest."""
    _use_cores(0, 1)
    import mujoco

    from apprentice.sim import native
    from apprentice.tasks.session import open_session

    with open_session(TASK) as session:
        for _ in range(20):
            session.step(session.neutral_actions())
        solver = native.solver()
        model = solver._worlds.models[0]
        data = mujoco.MjData(model)
        mujoco.mj_setState(model, data, solver._result[0, -1].copy(), mujoco.mjtState.mjSTATE_FULLPHYSICS)
        mujoco.mj_setState(model, data, solver._control[0, 0].copy(), native._CONTROL)
        substeps = round(session.env.step_dt / model.opt.timestep)
        best = 0.0
        for _ in range(5):
            began = time.process_time()
            mujoco.mj_step(model, data, nstep=200 * substeps)
            best = max(best, 200 / (time.process_time() - began))
    return {"rate": best}


def _steps_in(session, actions, seconds: float) -> int:
    """Warm up, and find how many steps take about `seconds`."""
    session.step(actions)
    began = time.perf_counter()
    session.step(actions)
    session.step(actions)
    return max(2, round(seconds / ((time.perf_counter() - began) / 2)))


def _use_cores(first: int, count: int) -> None:
    available = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {available[(first + k) % len(available)] for k in range(count)})


if __name__ == "__main__":
    main()
