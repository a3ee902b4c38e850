"""What a user notices of the asset cache: it converts once, serves a whole file or none, and says what is wrong."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from pxr import Usd, UsdGeom, UsdPhysics, UsdShade

from apprentice.errors import UserError
from apprentice.robots import g1, g1_urdf, gr1t2, gr1t2_urdf, psm, psm_urdf
from apprentice.robots.assets import G1, GR1T2, PANDA, PSM, SO101, UR5E, UrdfModel, cache_dir, usd_path
from apprentice.robots.humanoid import SIDES
from apprentice.robots.kinematics import Chain
from apprentice.robots.so101_urdf import GRASP, GRASP_M, PARALLEL_M, PARALLEL_RAD, padded
from apprentice.robots.ur5e_urdf import assembled


@pytest.fixture(scope="module")
def panda(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("APPRENTICE_CACHE", str(tmp_path_factory.mktemp("cache")))
        return usd_path(PANDA)


def test_the_model_is_converted_once_and_then_served(panda, monkeypatch):
    monkeypatch.setenv("APPRENTICE_CACHE", str(panda.parents[2]))
    written = panda.stat().st_mtime_ns
    assert usd_path(PANDA) == panda
    assert panda.stat().st_mtime_ns == written
    assert [path for path in panda.parent.parent.iterdir() if path.is_dir()] == [panda.parent]  # no scratch folder left


def test_processes_that_start_together_share_one_conversion(tmp_path, monkeypatch):
    monkeypatch.setenv("APPRENTICE_CACHE", str(tmp_path))
    code = "from apprentice.robots.assets import PANDA, usd_path; p = usd_path(PANDA); print(p, p.stat().st_mtime_ns)"
    running = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    served = [process.communicate()[0] for process in running]
    assert all(process.returncode == 0 for process in running)
    assert len(set(served)) == 1


def test_the_base_is_free_for_the_spawner_to_fix_and_every_joint_can_be_driven(panda):
    stage = Usd.Stage.Open(str(panda))
    joints = {prim.GetName(): prim for prim in stage.Traverse() if prim.IsA(UsdPhysics.Joint)}
    assert "root_joint" not in joints
    assert "panda_hand_joint" in joints  # the fixed joint between hand and arm stays
    effort = {
        name: drive.GetMaxForceAttr().Get()
        for name, prim in joints.items()
        for kind in ("angular", "linear")
        if (drive := UsdPhysics.DriveAPI.Get(prim, kind))
    }
    assert effort["panda_joint1"] == pytest.approx(87.0)
    assert effort["panda_joint7"] == pytest.approx(12.0)
    assert set(effort) == {*(f"panda_joint{i}" for i in range(1, 8)), "panda_finger_joint1", "panda_finger_joint2"}


def test_the_file_stands_alone_and_keeps_its_colours(panda):
    stage = Usd.Stage.Open(str(panda))
    assert stage.GetDefaultPrim()
    assert not any(stage.GetRootLayer().GetExternalReferences())
    painted = [prim for prim in stage.Traverse() if prim.HasAPI(UsdShade.MaterialBindingAPI)]
    colours = set()
    for prim in painted:
        material, _ = UsdShade.MaterialBindingAPI(prim).ComputeBoundMaterial()
        for shader in Usd.PrimRange(material.GetPrim()):
            colour = shader.GetAttribute("inputs:diffuseColor")
            if colour and colour.Get() is not None:
                colours.add(tuple(round(channel, 2) for channel in colour.Get()))
    assert len(colours) > 3


def test_a_cache_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    monkeypatch.setenv("APPRENTICE_CACHE", str(blocked))
    with pytest.raises(UserError, match=r"APPRENTICE_CACHE"):
        usd_path(PANDA)


def test_a_package_that_is_not_installed_is_named():
    model = UrdfModel(name="x", package="no-such-robots", root="share", urdf="x.urdf")
    with pytest.raises(UserError, match=r"pip install no-such-robots"):
        usd_path(model)


def test_the_environment_decides_where_the_cache_is(monkeypatch, tmp_path):
    monkeypatch.delenv("APPRENTICE_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    assert cache_dir() == tmp_path / "apprentice"
    monkeypatch.setenv("APPRENTICE_CACHE", str(tmp_path / "mine"))
    assert cache_dir() == tmp_path / "mine"


def test_arm_and_gripper_of_one_package_become_one_robot():
    stage = Usd.Stage.Open(str(usd_path(UR5E)))
    joints = {prim.GetName(): prim for prim in stage.Traverse() if prim.IsA(UsdPhysics.Joint)}
    (flange,) = UsdPhysics.Joint(joints["robotiq_mount"]).GetBody0Rel().GetTargets()
    assert flange.name == "wrist_3_link"
    followers = {name for name, prim in joints.items() if prim.GetRelationship("newton:mimicJoint").GetTargets()}
    assert followers == {
        *(f"{side}_inner_{part}_joint" for side in ("left", "right") for part in ("finger", "knuckle")),
        "right_outer_knuckle_joint",
    }
    assert sum(prim.HasAPI(UsdPhysics.ArticulationRootAPI) for prim in stage.Traverse()) == 1


@pytest.mark.parametrize(("model", "robot"), [(G1, g1), (GR1T2, gr1t2)])
def test_a_humanoid_that_stands_moves_its_waist_arms_and_fingers(model, robot):
    stage = Usd.Stage.Open(str(usd_path(model)))
    moving = {prim.GetName() for prim in stage.Traverse() if prim.IsA(UsdPhysics.RevoluteJoint)}
    hands = {name for side in SIDES for name in (*robot.arm_joints(side), *robot.hand(side).open)}
    assert moving == {*robot.WAIST_JOINTS, *hands}


def test_the_jaws_of_the_small_arm_collide_with_nothing_but_their_pads():
    stage = Usd.Stage.Open(str(usd_path(SO101)))
    colliding = [prim for prim in stage.Traverse() if prim.HasAPI(UsdPhysics.CollisionAPI)]
    pads = [prim for prim in colliding if prim.IsA(UsdGeom.Cube)]
    assert {pad.GetParent().GetName() for pad in pads} == {"gripper", "moving_jaw_so101_v1"}
    assert [prim.GetParent().GetName() for prim in colliding].count("moving_jaw_so101_v1") == 1


def test_the_pads_of_the_small_arm_are_parallel_where_it_says_so():
    usd, link = usd_path(SO101), "moving_jaw_so101_v1"
    stage = Usd.Stage.Open(str(usd))
    cache = UsdGeom.XformCache()
    shown = {}
    for name in ("gripper", link):
        (pad,) = (
            prim
            for prim in stage.Traverse()
            if prim.IsA(UsdGeom.Cube) and prim.HasAPI(UsdPhysics.CollisionAPI) and prim.GetParent().GetName() == name
        )
        place = cache.ComputeRelativeTransform(pad, pad.GetParent())[0].RemoveScaleShear()
        chain = Chain(usd, name)
        joints = torch.zeros(1, len(chain.names), dtype=torch.float64)
        if name == link:
            joints[0, chain.names.index("gripper")] = PARALLEL_RAD
        shown[name] = chain.forward(joints)[0].numpy() @ np.array(place).T
    (base,) = Chain(usd, GRASP).forward(torch.zeros(1, 5, dtype=torch.float64)).numpy()
    one, other = (np.linalg.inv(base) @ shown[name] for name in ("gripper", link))
    # thickness is along x of a pad, 6 mm; y of the grasp frame leads from one to the other
    assert abs(one[1, 0]) == pytest.approx(1.0, abs=1e-3) and abs(other[1, 0]) == pytest.approx(1.0, abs=1e-3)
    assert other[1, 3] - one[1, 3] == pytest.approx(PARALLEL_M + 0.006, abs=1e-4)
    assert one[1, 3] == pytest.approx(-GRASP_M - 0.003, abs=1e-4)
    assert one[0, 3] == pytest.approx(other[0, 3], abs=1e-3) and one[2, 3] == pytest.approx(other[2, 3], abs=2e-3)


def test_an_instrument_turns_about_its_remote_centre():
    shaft = Chain(usd_path(PSM), "roll_link")
    assert shaft.names == ("yaw", "pitch", "insertion", "roll")
    draw = torch.rand(50, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    wrist = shaft.forward(shaft.lower + draw * (shaft.upper - shaft.lower))
    place, axis = wrist[:, :3, 3], wrist[:, :3, 2]
    assert torch.linalg.cross(place, axis).norm(dim=1).max() < 1e-6
    torch.testing.assert_close(place.norm(dim=1), draw[:, 2] * psm_urdf.INSERTION_M, atol=1e-6, rtol=0)
    tool = Chain(usd_path(PSM), psm_urdf.GRASP, tool_m=psm_urdf.JAW_M)
    hanging = tool.forward(torch.zeros(1, len(tool.names), dtype=torch.float64))[0]
    torch.testing.assert_close(hanging[:3, :3], torch.diag(torch.tensor([1.0, -1.0, -1.0], dtype=torch.float64)))
    assert float(hanging[2, 3]) == pytest.approx(-psm_urdf.WRIST_M - psm_urdf.JAW_M)


def test_the_pads_of_an_instrument_are_where_their_opening_says():
    usd = usd_path(PSM)
    stage, cache = Usd.Stage.Open(str(usd)), UsdGeom.XformCache()
    for angle in (0.0, psm_urdf.PARALLEL_RAD, 0.46):
        for name, side in zip(psm_urdf.JAWS, (-1.0, 1.0), strict=True):
            (pad,) = (
                prim
                for prim in stage.Traverse()
                if prim.HasAPI(UsdPhysics.CollisionAPI) and prim.GetParent().GetName() == f"{name}_link"
            )
            place = np.array(cache.ComputeRelativeTransform(pad, pad.GetParent())[0].RemoveScaleShear()).T
            chain = Chain(usd, f"{name}_link")
            joints = torch.zeros(1, len(chain.names), dtype=torch.float64)
            base = Chain(usd, psm_urdf.GRASP).forward(joints[:, :-1])[0].numpy()
            joints[0, -1] = angle
            seen = np.linalg.inv(base) @ chain.forward(joints)[0].numpy() @ place
            # the plane of its surface, where it crosses the plane of the grasp frame
            inward = -side * seen[:3, 1]
            surface = seen[:3, 3] + inward * psm_urdf.PAD_M[1] / 2
            y = (inward @ surface - inward[2] * psm_urdf.JAW_M) / inward[1]
            assert side * y == pytest.approx(float(psm.half_opening(torch.tensor(angle))), abs=1e-4), (name, angle)
            reach = (seen @ [0.0, 0.0, psm_urdf.PAD_M[2] / 2, 1.0])[2]
            assert reach == pytest.approx(psm_urdf.JAW_M + psm_urdf.TIP_M, abs=0.006)


def test_a_package_without_the_robot_is_named(tmp_path):
    with pytest.raises(UserError, match=r"ur5e\.urdf in airo-models.*force-reinstall"):
        assembled(tmp_path)
    with pytest.raises(UserError, match=r"g1_29dof_with_hand_rev_1_0\.urdf in example-robot-data.*force-reinstall"):
        g1_urdf.standing(tmp_path)
    with pytest.raises(UserError, match=r"so101\.urdf in example-robot-data.*force-reinstall"):
        padded(tmp_path)
    with pytest.raises(
        UserError, match=r"gr1t2_fourier_hand_6dof\.urdf in fourier-robot-descriptions.*force-reinstall"
    ):
        gr1t2_urdf.standing(tmp_path)
