"""Flow matching and diffusion policy draw from what demos do, not its mean."""

import pytest
import torch

from apprentice.errors import UserError
from apprentice.learn.algorithms.chunk_model import Sizes
from apprentice.learn.algorithms.flow import FlowNetwork, schedule
from apprentice.learn.algorithms.plugins import require_robomimic


def config(algo: str, **changes):
    require_robomimic()
    from robomimic.config import config_factory

    cfg = config_factory(algo).algo
    with cfg.values_unlocked():
        cfg.update({"hidden_dim": 32, "blocks": 2, **changes})
    return cfg


def network(algo: str, values: int, switches: int, **changes) -> FlowNetwork:
    torch.manual_seed(0)
    sizes = Sizes(features=3, frames=2, chunk=5, values=values, switches=switches, cameras={})
    return FlowNetwork(sizes, config(algo, **changes))


@pytest.mark.parametrize("algo", ["flow", "diffusion"])
def test_both_of_two_ways_are_drawn_as_often_as_in_the_demos_and_nothing_between(algo: str):
    net = network(algo, values=2, switches=1, temperature=1.0)
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    context = torch.ones(256, 6)
    for _ in range(400):
        right = (torch.rand(256, 1, 1) < 0.7).float()
        targets = (2 * right - 1).expand(256, 5, 2) + 0.02 * torch.randn(256, 5, 2)
        loss = net.losses(context, targets, right.expand(256, 5, 1))["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        values, switches = net.predict(context, torch.randn(256, net.noise_size))
    side = values[:, :1, :1].sign()
    assert ((values - side).abs() < 0.35).all((1, 2)).float().mean() > 0.9
    assert 0.55 < (side > 0).float().mean() < 0.85
    assert ((switches > 0) == (side > 0)).all((1, 2)).float().mean() > 0.95, "the gripper goes with the hand"


@pytest.mark.parametrize("algo", ["flow", "diffusion"])
def test_a_network_that_knows_the_chunk_is_led_there_from_any_noise(algo: str):
    """The steps of play, apart from learning: they end where the network points, and stand on the path between."""
    net = network(algo, values=2, switches=1, solver_steps=4, temperature=1.0)
    chunk, seen = torch.randn(7, 15), []

    def forward(point: torch.Tensor, t: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        seen.append((point, t))
        return chunk

    net.forward = forward
    noise = torch.randn(7, net.noise_size)
    values, switches = net.predict(torch.ones(7, 6), noise)
    torch.testing.assert_close(torch.cat([values, switches], -1).flatten(1), chunk)
    assert len(seen) == 4
    for point, t in seen:
        share, rest = schedule(net.cfg.path, t)
        torch.testing.assert_close(point, share * chunk + rest * noise, atol=1e-5, rtol=1e-5)


def test_the_same_noise_gives_the_same_chunk_and_none_gives_one_for_all():
    net = network("flow", values=2, switches=1)
    context, noise = torch.randn(6, 6), torch.randn(6, net.noise_size)
    first, again = net.predict(context, noise), net.predict(context[2:3], noise[2:3])
    torch.testing.assert_close(first[0][2:3], again[0], atol=1e-5, rtol=1e-5)
    cold = network("flow", values=2, switches=1, temperature=0.0)
    torch.testing.assert_close(cold.predict(context, noise)[0], cold.predict(context, 2 * noise)[0])


def test_shapes_without_grippers_or_without_poses():
    for values, switches in ((2, 0), (0, 3)):
        net = network("flow", values, switches)
        found = net.losses(torch.zeros(7, 6), torch.zeros(7, 5, values), torch.zeros(7, 5, switches))
        assert all(torch.isfinite(value) for value in found.values())
        found["loss"].backward()
        chunk = net.predict(torch.zeros(7, 6), torch.randn(7, net.noise_size))
        assert chunk[0].shape == (7, 5, values) and chunk[1].shape == (7, 5, switches)


def test_a_path_that_there_is_not_is_named():
    with pytest.raises(UserError, match="straight, cosine, found 'winding'"):
        network("flow", values=2, switches=1, path="winding")
