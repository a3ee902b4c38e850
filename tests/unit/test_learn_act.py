"""ACT: the style says what the observations do not, and in play nothing is drawn."""

import pytest
import torch

from apprentice.errors import UserError
from apprentice.learn.algorithms.act import ACTNetwork
from apprentice.learn.algorithms.chunk_model import Sizes
from apprentice.learn.algorithms.plugins import require_robomimic

SMALL = {"width": 16, "heads": 2, "feedforward": 32, "encoder_layers": 1, "decoder_layers": 1, "style_size": 4}


def network(values: int, switches: int, chunk: int = 6, **changes) -> ACTNetwork:
    require_robomimic()
    from robomimic.config import config_factory

    torch.manual_seed(0)
    cfg = config_factory("act").algo
    with cfg.values_unlocked():
        cfg.update({**SMALL, "query_steps": 3, **changes})
    return ACTNetwork(Sizes(features=3, frames=2, chunk=chunk, values=values, switches=switches, cameras={}), cfg)


def demos(count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The same observation answered by +1 or by -1. Also which."""
    right = (torch.rand(count, 1, 1) < 0.5).float()
    return (2 * right - 1).expand(count, 6, 2) + 0.05 * torch.randn(count, 6, 2), right.expand(count, 6, 1), right


def trained(style_weight: float) -> ACTNetwork:
    net = network(2, 1, style_weight=style_weight)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    for _ in range(150):
        targets, switches, _ = demos(128)
        loss = net.losses(torch.ones(128, 6), targets, switches)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return net


def test_the_style_of_a_demo_tells_which_way_it_went():
    net, (targets, switches, _) = trained(0.01), demos(64)
    context = torch.ones(64, 6)
    with torch.no_grad():
        style, _ = net.style_of(context, targets, switches)
        values, logits = net(context, style)
    torch.testing.assert_close(values, targets.sign(), atol=0.3, rtol=0)
    assert ((logits > 0) == (switches > 0.5)).all(), "the gripper goes with the hand"


def test_a_style_that_costs_too_much_says_nothing():
    net, (targets, switches, _) = trained(10.0), demos(64)
    with torch.no_grad():
        style, log_variance = net.style_of(torch.ones(64, 6), targets, switches)
    assert style.abs().max() < 0.2 and log_variance.abs().max() < 0.2


def test_in_play_the_style_is_the_most_usual_and_nothing_is_drawn():
    net, context = network(2, 1), torch.randn(5, 6)
    assert net.noise_size == 0
    played, meant = net.predict(context, torch.zeros(5, 0)), net(context, torch.zeros(5, 4))
    assert torch.equal(played[0], meant[0]) and torch.equal(played[1], meant[1])


def test_every_observation_and_camera_is_a_token():
    sizes = Sizes(
        features=3, frames=2, chunk=6, values=2, switches=1, cameras={"a": (3, 16, 16), "b": (3, 16, 16)}, told=5
    )
    cfg = network(2, 1).cfg
    net = ACTNetwork(sizes, cfg)
    embedding = int(cfg.vision.embedding)
    assert net.parts == [3, 3, embedding, embedding, 5]
    images = {key: torch.rand(4, 3, 16, 16) for key in "ab"}
    known = net.context(torch.randn(4, 2, 3), images)
    assert known.told is not None and known.context.shape == (4, sum(net.parts))
    net.losses(known.context, torch.zeros(4, 6, 2), torch.zeros(4, 6, 1))["loss"].backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_shapes_without_grippers_or_without_poses():
    for values, switches in ((2, 0), (0, 3)):
        net = network(values, switches)
        found = net.losses(torch.zeros(7, 6), torch.zeros(7, 6, values), torch.zeros(7, 6, switches))
        assert all(torch.isfinite(value) for value in found.values())
        found["loss"].backward()
        chunk = net.predict(torch.zeros(7, 6), torch.zeros(7, 0))
        assert chunk[0].shape == (7, 6, values) and chunk[1].shape == (7, 6, switches)


def test_queries_that_do_not_fill_the_chunk_are_refused():
    with pytest.raises(UserError, match=r"divide algo.chunk \(7\), found 3"):
        network(2, 1, chunk=7)
