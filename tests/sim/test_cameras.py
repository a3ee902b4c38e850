"""Images: Isaac Lab's camera sensor on the native backend, and stored states drawn by MuJoCo."""

import pickle

import numpy as np
import pytest
import torch
from scripted_grasp import TASK

from apprentice.errors import UserError
from apprentice.sim import gl
from apprentice.sim.render import StateRenderer, detail_for
from apprentice.sim.scene_model import scene_model
from apprentice.sim.views import FRONT, TABLE, WRIST, CameraView

NUM_ENVS = 16
SIZE = 84
VIEWS = (TABLE, WRIST)


@pytest.fixture(scope="module")
def session():
    import isaaclab.sim as sim_utils
    from isaaclab.sensors import CameraCfg
    from isaaclab_newton.renderers import NewtonWarpRendererCfg

    from apprentice.tasks import registry
    from apprentice.tasks.session import open_session

    load = registry.load_env_cfg

    def with_cameras(task, backend="native"):
        cfg = load(task, backend)
        for name, x in (("near", 1.2), ("far", 1.6)):
            camera = CameraCfg(
                prim_path=f"{{ENV_REGEX_NS}}/{name}",
                height=SIZE,
                width=SIZE,
                data_types=["rgb"],
                renderer_cfg=NewtonWarpRendererCfg(),
                spawn=sim_utils.PinholeCameraCfg(focal_length=24.0),
                # looks back at the robot, a little down
                offset=CameraCfg.OffsetCfg(pos=(x, 0.0, 0.5), rot=(0.56, 0.56, 0.43, 0.43), convention="opengl"),
            )
            setattr(cfg.scene, name, camera)
        return cfg

    registry.load_env_cfg = with_cameras
    with open_session(TASK, num_envs=NUM_ENVS) as opened:
        yield opened
    registry.load_env_cfg = load


@pytest.fixture(scope="module")
def state(session) -> dict[str, np.ndarray]:
    session.reset(seeds=range(NUM_ENVS))
    return {name: value[3].numpy() for name, value in session.state().items()}


@pytest.fixture(scope="module")
def drawn(session, state):
    renderer = StateRenderer(session, (FRONT, *VIEWS), width=240, height=240)
    yield renderer
    renderer.close()


def sensor_images(session) -> dict[str, np.ndarray]:
    images = {}
    for name in ("near", "far"):
        output = session.env.scene[name].data.output["rgb"]
        images[name] = getattr(output, "torch", output)[..., :3].numpy().copy()
    return images


def test_two_cameras_see_every_environment(session):
    session.reset(seeds=range(NUM_ENVS))
    session.step(session.neutral_actions())
    for images in sensor_images(session).values():
        assert images.shape == (NUM_ENVS, SIZE, SIZE, 3)
        assert images.dtype == np.uint8
        for image in images:
            assert len(np.unique(image.reshape(-1, 3), axis=0)) > 50


def test_environments_at_one_place_do_not_see_each_other(session):
    session.reset(seeds=[0] * NUM_ENVS)
    session.step(session.neutral_actions())
    before = sensor_images(session)
    for images in before.values():
        np.testing.assert_array_equal(images, np.broadcast_to(images[:1], images.shape))
    lifted = {name: value[[3]].clone() for name, value in session.state().items()}
    lifted["rigid_object/cube_2/root_pose"][:, :3] = torch.tensor([0.5, 0.0, 0.3])
    session.set_state(lifted, [3])
    session.step(session.neutral_actions())
    for name, images in sensor_images(session).items():
        changed = (images != before[name]).any(axis=(1, 2, 3))
        assert changed.tolist() == [env == 3 for env in range(NUM_ENVS)]


def pixel(view: CameraView, point, size: int) -> tuple[int, int]:
    """Row and column at which a view shows a point."""
    x, y, z = view.rotation.T @ (np.asarray(point) - view.eye_m)
    focal = size / 2 / np.tan(np.radians(view.field_of_view_deg) / 2)
    return round(size / 2 - 0.5 + focal * y / z), round(size / 2 - 0.5 - focal * x / z)


@pytest.mark.parametrize("view", [FRONT, TABLE], ids=["front", "table"])
def test_cubes_are_drawn_where_they_are_in_their_colours(drawn, state, view):
    image = drawn.render(state)[view.name]
    for name, channel in (("cube_1", 2), ("cube_2", 0), ("cube_3", 1)):
        colour = image[pixel(view, state[f"rigid_object/{name}/root_pose"][:3], 240)].astype(int)
        others = np.delete(colour, channel)
        assert colour[channel] > 100, f"{name} has colour {colour}"
        assert (others < 60).all(), f"{name} has colour {colour}"


def test_the_arm_is_drawn_where_its_joints_put_it(drawn, session, state):
    image = drawn.render(state)["front"]
    session.set_state({name: torch.from_numpy(value[None]) for name, value in state.items()}, [3])
    hand = session.observe()["datagen_info/eef_pose/franka"][3].numpy()
    without = dict(state) | {"articulation/robot/root_pose": np.array([0, 0, -9, 0, 0, 0, 1], np.float32)}
    background = drawn.render(without)["front"]
    palm = hand[:3, 3] - 0.08 * hand[:3, 2]
    row, column = pixel(FRONT, palm, 240)
    assert (image[row, column] != background[row, column]).any()


def test_an_episode_is_drawn_like_its_states(session, state):
    scene = scene_model(session.env, VIEWS, detail_for(SIZE))
    states = {name: np.stack([value, value]) for name, value in state.items()}
    states["rigid_object/cube_2/root_pose"][1, 2] += 0.1
    renderer = StateRenderer(pickle.loads(pickle.dumps(scene)), VIEWS, width=SIZE, height=SIZE, samples=0)
    images = renderer.render_episode(states)
    assert {name: value.shape for name, value in images.items()} == {view.name: (2, SIZE, SIZE, 3) for view in VIEWS}
    assert (images["table"][0] != images["table"][1]).any()
    for step in range(2):
        for name, image in renderer.render({key: value[step] for key, value in states.items()}).items():
            np.testing.assert_array_equal(image, images[name][step])
    renderer.close()


def test_a_camera_on_an_unknown_link_is_refused_with_the_links_there_are(session):
    lost = CameraView(name="lost", eye_m=(0.1, 0, 0), target_m=(0, 0, 0), link="elbow")
    with pytest.raises(UserError, match=r"panda_hand.*'elbow'"):
        scene_model(session.env, (lost,), 0.01)


def test_a_machine_without_opengl_is_told_what_to_install(monkeypatch):
    monkeypatch.setattr(gl, "_loads", lambda names: False)
    assert gl.missing_packages() == ("libegl1", "libgl1-mesa-dri")
    with pytest.raises(UserError, match="apt-get install libegl1 libgl1-mesa-dri"):
        gl.open_context(8, 8)
