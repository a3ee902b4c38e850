"""The list behind `apprentice tasks`."""

import pytest

from apprentice.tasks import listing


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory):
    some = ["Apprentice-Stack-Franka", "Isaac-Lift-Franka", "Isaac-Ant-Direct", "Isaac-Lift-Cloth-Franka"]
    some += ["Isaac-NutPour-GR1T2-Pink-IK-Abs-Mimic-v0"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("APPRENTICE_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(listing, "known_tasks", lambda: list(some))  # the whole list takes 20 s
        first = listing.list_tasks()
        patch.setattr(listing, "load_env_cfg", None)  # the second time nothing is loaded
        assert listing.list_tasks() == first
    return {line.id: line for line in first}


def test_our_task_runs_on_the_cpu_backends(listed):
    assert {"native", "newton"} <= set(listed["Apprentice-Stack-Franka"].backends)
    assert listed["Apprentice-Stack-Franka"].mimic


def test_missing_assets_are_named(listed):
    line = listed["Isaac-NutPour-GR1T2-Pink-IK-Abs-Mimic-v0"]
    assert line.backends == () and any("factory_m16_nut_green.usd" in asset for asset in line.missing)


def test_what_a_backend_cannot_serve_is_said(listed):
    assert "deformable" in listed["Isaac-Lift-Cloth-Franka"].reason
    assert listed["Isaac-Ant-Direct"].backends == ()
