"""For how long gripper commands have held: the same in demos and in play."""

import torch

from apprentice.learn.data.held import held_after, held_before


def test_how_long_a_command_has_held_is_told_from_its_last_change_in_this_demo():
    high = torch.tensor([0, 0, 1, 1, 1, 1, 0] + [1, 1, 0, 0, 0, 0])[:, None].bool()
    held = held_before(high, [7, 6], most=3)[:, 0].tolist()
    assert held == [3, 3, 0, 1, 2, 3, 0] + [3, 3, 0, 1, 2, 3]


def test_in_play_a_command_holds_for_as_long_as_in_demos():
    high = torch.rand(200, 2, generator=torch.Generator().manual_seed(3)) > 0.8
    whole = held_before(high, [200], most=4)
    held = torch.full((1, 2), 4.0)
    for step in range(1, 200):
        held = held_after(high[step : step + 1], high[step - 1 : step], held, most=4)
        torch.testing.assert_close(held[0], whole[step])
