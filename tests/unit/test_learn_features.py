"""What a policy sees of objects does not depend on what cannot be seen."""

import math
from dataclasses import replace

import pytest
import torch

from apprentice.learn.data.features import (
    EEF_POSE,
    OBJECT_POSE,
    FeatureCfg,
    features,
    heading_axis,
    position_columns,
)
from apprentice.poses import exp_rotation, make_pose, position, rotation, rotation_z


def scene(yaw: float, order: int) -> tuple[dict[str, torch.Tensor], FeatureCfg]:
    hand = make_pose(torch.tensor([[0.4, 0.1, 0.3]]), exp_rotation(torch.tensor([[3.0, 0.2, 0.1]])))
    cube = make_pose(torch.tensor([[0.5, -0.1, 0.02]]), rotation_z(torch.tensor([yaw])))
    cup = make_pose(torch.tensor([[0.3, 0.2, 0.05]]), exp_rotation(torch.tensor([[0.1, 0.2, 0.3]])))
    obs = {EEF_POSE + "hand": hand, OBJECT_POSE + "cube": cube, OBJECT_POSE + "cup": cup}
    return obs, FeatureCfg(eefs=("hand",), objects=("cube", "cup"), symmetry={"cube": order})


@pytest.mark.parametrize("order", [1, 2, 4])
def test_turning_an_object_onto_itself_changes_nothing(order: int):
    before, cfg = scene(0.3, order)
    after, _ = scene(0.3 + 2 * math.pi / order, order)
    between, _ = scene(0.3 + math.pi / order, order)
    torch.testing.assert_close(features(before, cfg), features(after, cfg), atol=1e-5, rtol=0)
    assert (features(before, cfg) - features(between, cfg)).abs().max() > 0.1


def test_a_cube_on_its_side_is_seen_like_one_on_its_bottom_and_a_cup_is_not():
    upright, plain = scene(0.3, 4)
    cfg = replace(plain, cubes=("cube",))
    tipped = exp_rotation(torch.tensor([[math.pi / 2, 0.0, 0.0]]))
    fallen = dict(upright)
    for name in ("cube", "cup"):
        pose = upright[OBJECT_POSE + name]
        fallen[OBJECT_POSE + name] = make_pose(position(pose), rotation(pose) @ tipped)
    cup_stands = fallen | {OBJECT_POSE + "cup": upright[OBJECT_POSE + "cup"]}
    torch.testing.assert_close(features(cup_stands, cfg), features(upright, cfg), atol=1e-5, rtol=0)
    assert (features(fallen, cfg) - features(upright, cfg)).abs().max() > 0.1
    assert (features(cup_stands, plain) - features(upright, plain)).abs().max() > 0.1


def test_the_columns_of_positions_are_where_they_are_said_to_be():
    obs, cfg = scene(0.3, 4)
    obs[EEF_POSE + "other hand"] = make_pose(torch.tensor([[0.1, 0.2, 0.3]]), torch.eye(3)[None])
    for eefs in (("hand",), ("hand", "other hand")):
        both = replace(cfg, eefs=eefs)
        found = features(obs, both)
        for name, start in zip(both.objects, position_columns(both), strict=True):
            apart = position(obs[OBJECT_POSE + name]) - position(obs[EEF_POSE + "hand"])
            torch.testing.assert_close(found[:, start : start + 3], apart)


def test_a_hand_whose_x_axis_hangs_down_tells_its_turn_by_another_axis():
    down, forward = torch.diag(torch.tensor([1.0, -1.0, -1.0])), torch.tensor([[0, 0, 1.0], [0, 1, 0], [-1, 0, 0]])
    shaken = exp_rotation(0.05 * torch.randn(50, 3, generator=torch.Generator().manual_seed(0)))
    place = torch.tensor([0.4, 0.1, 0.3]).expand(50, 3)
    assert heading_axis(make_pose(place, shaken @ down)) == 0
    axis = heading_axis(make_pose(place, shaken @ forward))
    assert axis == 2
    obs = {EEF_POSE + "hand": make_pose(place, shaken @ forward), OBJECT_POSE + "cube": make_pose(place, torch.eye(3))}
    obs[OBJECT_POSE + "cube"] = obs[OBJECT_POSE + "cube"].expand(50, 4, 4)
    cfg = FeatureCfg(eefs=("hand",), objects=("cube",))
    steady = features(obs, replace(cfg, headings=(axis,)))[:, 12:14]  # sine and cosine of the turn between them
    assert float(steady.std(0).max()) < 0.1 < float(features(obs, cfg)[:, 12:14].std(0).max())


def test_before_the_first_action_the_gripper_counts_as_told_what_demos_begin_with():
    cfg = FeatureCfg(plain=("fingers",), last_action="actions", last_action_columns=(2,))
    obs = {"fingers": torch.zeros(2, 1), "actions": torch.tensor([[0.0, 0.0, 0.0], [0.1, 0.0, -1.0]])}
    seen = features(obs, cfg, initial_command=torch.tensor([1.0]))
    torch.testing.assert_close(seen[:, -1], torch.tensor([1.0, -1.0]))


def test_the_choice_of_features_survives_being_written_as_json():
    import json

    _, cfg = scene(0.0, 4)
    assert FeatureCfg.from_dict(json.loads(json.dumps(cfg.to_dict()))) == cfg
