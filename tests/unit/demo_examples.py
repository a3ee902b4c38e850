"""A small made-up demo: a cube that an end effector carries on a smooth path."""

import numpy as np

from apprentice.demos import Demo

TASK = "Example-Carry"


def make_demo(index: int = 0, *, length: int = 40, success: bool = True, **attrs) -> Demo:
    """Different for every index. `actions[0, 0]` is the index, so that tests recognise it."""
    rng = np.random.default_rng(index)
    time = np.linspace(0, 1, length, dtype=np.float32)[:, None]
    path = 0.3 * np.sin(3 * time + rng.uniform(0, 1, 3).astype(np.float32))
    pose = np.tile(np.eye(4, dtype=np.float32), (length, 1, 1))
    pose[:, :3, 3] = path
    root_pose = np.concatenate([path, np.tile(np.float32([0, 0, 0, 1]), (length, 1))], axis=1)
    actions = rng.uniform(-1, 1, (length, 7)).astype(np.float32)
    actions[0, 0] = index
    return Demo(
        actions=actions,
        data={
            "obs/eef_pos": path,
            "obs/joint_pos": np.cumsum(0.01 * actions, axis=0),
            "obs/datagen_info/eef_pose/franka": pose,
            "obs/datagen_info/object_pose/cube": pose,
            "obs/datagen_info/subtask_term_signals/grasp": time[:, 0] > 0.5,
            "initial_state/rigid_object/cube/root_pose": root_pose[:1],
            "states/rigid_object/cube/root_pose": root_pose,
            "processed_actions": 0.5 * actions,
        },
        success=success,
        attrs={"seed": index, "operator": "scripted"} | attrs,
    )


def assert_same(found: Demo, expected: Demo) -> None:
    np.testing.assert_array_equal(found.actions, expected.actions)
    for key, value in expected.data.items():
        np.testing.assert_array_equal(found.data[key], value, err_msg=key)
        assert found.data[key].dtype == value.dtype, key
    assert found.success == expected.success
    assert {key: found.attrs[key] for key in expected.attrs} == expected.attrs
