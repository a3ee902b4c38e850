"""Bounding boxes of geometry that was moved after the compiler had made them."""

import copy

import mujoco
import numpy as np
import pytest

from apprentice.sim.native_bounds import bound_geometry

COMPOUND = """
<mujoco>
  <asset><mesh name="wedge" vertex="0 0 0  .2 0 0  0 .1 0  0 0 .1"/></asset>
  <worldbody>
    <geom name="ground" type="plane" size="0 0 .1"/>
    <geom name="table" type="box" size=".5 .4 .02" pos="0 0 .4"/>
    <body name="tool" pos="0 0 .6"><freejoint/>
      <geom type="box" size=".03 .02 .2" pos=".1 0 0" euler="20 0 40"/>
      <geom type="capsule" size=".02 .1" pos="-.1 .05 0"/>
      <geom type="mesh" mesh="wedge" pos="0 -.1 .05"/>
    </body>
    <body name="brick" pos=".2 .1 .5"><freejoint/>
      <geom type="box" size=".05 .05 .05"/>
      <geom type="sphere" size=".04" pos="0 .09 0"/>
    </body>
  </worldbody>
</mujoco>
"""


@pytest.fixture
def before():
    return mujoco.MjModel.from_xml_string(COMPOUND)


def contacts(model, seed):
    """What touches in 200 random states."""
    draw, data, found = np.random.default_rng(seed), mujoco.MjData(model), []
    for _ in range(200):
        poses = draw.normal(size=(2, 7))
        poses[:, :3] = draw.uniform((-0.4, -0.3, 0.0), (0.4, 0.3, 0.6), (2, 3))
        data.qpos[:] = poses.ravel()
        mujoco.mj_forward(model, data)
        found.append(sorted((*contact.geom.tolist(), round(contact.dist, 9)) for contact in data.contact[: data.ncon]))
    return found


def without_boxes(model):
    plain = copy.copy(model)
    plain.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_MIDPHASE)
    return plain


def moved(before):
    """Geometry of a world of its own: everything stands elsewhere, and is larger."""
    model = copy.copy(before)
    draw = np.random.default_rng(1)
    solid = model.geom_type == mujoco.mjtGeom.mjGEOM_BOX
    model.geom_pos += draw.uniform(-0.1, 0.1, model.geom_pos.shape)
    turned = draw.normal(size=model.geom_quat.shape)
    model.geom_quat[1:] = (turned / np.linalg.norm(turned, axis=1, keepdims=True))[1:]
    model.body_ipos[1:] += draw.uniform(-0.05, 0.05, (model.nbody - 1, 3))
    model.geom_size[solid] *= 1.5
    model.geom_rbound[solid] *= 1.5
    model.geom_sameframe[:] = int(mujoco.mjtSameFrame.mjSAMEFRAME_NONE)
    model.body_sameframe[:] = int(mujoco.mjtSameFrame.mjSAMEFRAME_NONE)
    return model


def test_nothing_that_touches_is_missed(before):
    model = moved(before)
    stale = contacts(model, 0)
    bound_geometry(model, before)
    expected = contacts(without_boxes(model), 0)
    assert contacts(model, 0) == expected
    assert stale != expected, "the boxes of the compiler would have done"
    assert sum(map(len, expected)) > 100


def test_boxes_fit_as_those_of_the_compiler_do(before):
    model = copy.copy(before)
    bound_geometry(model, before)
    bodies = model.body_bvhadr[-1] + model.body_bvhnum[-1]
    ours, theirs = model.bvh_aabb[:bodies], before.bvh_aabb[:bodies]
    plane = (theirs[:, 3:] > 1e3).any(axis=1)
    np.testing.assert_allclose(ours[~plane], theirs[~plane], atol=1e-6)
