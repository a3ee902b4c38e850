"""Contact sensors: what touches what, and how hard, on `native` as on Isaac Lab's own Newton backend."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

TASK = "Apprentice-Stack-Franka"
SECOND = 20
"""Control steps."""


def measure(backend: str) -> dict:
    """Forces (N) on a cube on the table, on one under another, and on the fingers that close on nothing."""
    from isaaclab.sensors import ContactSensorCfg

    from apprentice.tasks import registry
    from apprentice.tasks.session import open_session

    load = registry.load_env_cfg

    def with_sensors(task, backend="native"):
        cfg = load(task, backend)
        for name in ("Cube_1", "Cube_2", "Cube_3"):
            others = ["{ENV_REGEX_NS}/" + other for other in ("Cube_1", "Cube_2") if other != name]
            sensor = ContactSensorCfg(
                prim_path="{ENV_REGEX_NS}/" + name, filter_prim_paths_expr=others, track_air_time=True
            )
            setattr(cfg.scene, f"{name.lower()}_touch", sensor)
        return cfg

    registry.load_env_cfg = with_sensors
    with open_session(TASK, backend=backend, num_envs=2) as session:
        session.reset(seeds=[0, 1])
        state = {name: value.clone() for name, value in session.state().items()}
        below, above = (state[f"rigid_object/cube_{number}/root_pose"] for number in (1, 2))
        above[:] = below
        above[:, 2] += 0.0406
        session.set_state(state, [0, 1])
        for _ in range(SECOND):
            session.step(session.neutral_actions())
        sensors = {name: session.env.scene[f"{name}_touch"] for name in ("cube_1", "cube_2", "cube_3")}
        found = {name: sensor.data.net_forces_w.torch[:, 0].tolist() for name, sensor in sensors.items()}
        by_partner = {
            name: dict(
                zip(sensor.filter_object_names, sensor.data.force_matrix_w.torch[0, 0, :, 2].tolist(), strict=True)
            )
            for name, sensor in sensors.items()
        }
        masses = {name: session.env.scene[name].data.body_mass.torch[0, 0].item() for name in sensors}
        # lifted off: in the air nothing touches it
        state = {name: value.clone() for name, value in session.state().items()}
        state["rigid_object/cube_3/root_pose"][:, 2] += 0.5
        session.set_state(state, [0, 1])
        session.step(session.neutral_actions())
        sensor = sensors["cube_3"]
        flying = sensor.data.net_forces_w.torch[:, 0].norm(dim=-1).tolist()
        in_air = sensor.data.current_air_time.torch[:, 0].tolist()
    return {
        "net": found,
        "by_partner": by_partner,
        "weights": {name: 9.81 * mass for name, mass in masses.items()},
        "flying": flying,
        "in_air": in_air,
    }


@pytest.fixture(scope="module")
def measured(tmp_path_factory) -> dict[str, dict]:
    out = tmp_path_factory.mktemp("contacts")
    for backend in ("native", "newton"):
        subprocess.run([sys.executable, __file__, backend, str(out / backend)], check=True, timeout=900)
    return {backend: json.loads((out / backend).read_text()) for backend in ("native", "newton")}


@pytest.mark.parametrize("backend", ["native", "newton"])
def test_what_rests_is_carried(measured, backend):
    found = measured[backend]
    for name, weight in found["weights"].items():
        for force in found["net"][name]:
            assert force == pytest.approx([0.0, 0.0, weight], abs=0.02 * weight)


@pytest.mark.parametrize("backend", ["native", "newton"])
def test_partners_are_told_apart(measured, backend):
    found = measured[backend]
    weight = found["weights"]["cube_2"]
    assert found["by_partner"]["cube_2"]["Cube_1"] == pytest.approx(weight, rel=0.02)
    assert found["by_partner"]["cube_1"]["Cube_2"] == pytest.approx(-weight, rel=0.02)
    assert found["by_partner"]["cube_3"]["Cube_1"] == found["by_partner"]["cube_3"]["Cube_2"] == 0.0


def test_native_reads_what_newton_reads(measured):
    native, newton = measured["native"], measured["newton"]
    for name, weight in native["weights"].items():
        for ours, theirs in zip(native["net"][name], newton["net"][name], strict=True):
            assert ours == pytest.approx(theirs, abs=0.02 * weight)
        assert native["by_partner"][name] == pytest.approx(newton["by_partner"][name], abs=0.02 * weight)


def test_in_the_air_nothing_touches(measured):
    for found in measured.values():
        assert found["flying"] == [0.0, 0.0]
        assert all(seconds > 0.0 for seconds in found["in_air"])


def main() -> None:
    import os

    backend, out = sys.argv[1:]
    Path(out).write_text(json.dumps(measure(backend)))
    sys.stdout.flush()
    os._exit(0)  # a simulator's threads may not stop when asked


if __name__ == "__main__":
    main()
