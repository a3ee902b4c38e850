"""Where demos go one way or the other, the policy goes one of them, and not between."""

from types import SimpleNamespace

import torch

from apprentice.learn.algorithms.chunk_model import Sizes
from apprentice.learn.algorithms.chunked_bc import ChunkNetwork, Chunks, losses

CFG = SimpleNamespace(
    modes=4, hidden_dims=(32,), feature_clip=4.0, gripper_weight=0.3, mode_weight=0.1, mode_sharing=0.05
)


def sizes(values: int, switches: int) -> Sizes:
    return Sizes(features=3, frames=2, chunk=5, values=values, switches=switches, cameras={})


def trained(modes: int, *, share: float) -> Chunks:
    """A network that saw the same observation answered by +1 or by -1, the former in some share of the demos."""
    torch.manual_seed(0)
    cfg = SimpleNamespace(**(vars(CFG) | {"modes": modes}))
    network = ChunkNetwork(sizes(values=2, switches=1), cfg)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    context = torch.ones(256, 6)
    for _ in range(300):
        right = (torch.rand(256, 1, 1) < share).float()
        targets = (2 * right - 1).expand(256, 5, 2) + 0.05 * torch.randn(256, 5, 2)
        loss = losses(network(context), targets, right.expand(256, 5, 1), cfg)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        return network(context[:1])


def test_one_of_two_ways_is_taken_whole_and_it_is_the_likelier():
    for share, side in ((0.65, 1.0), (0.35, -1.0)):
        values, switches = trained(4, share=share).likeliest()
        torch.testing.assert_close(values, torch.full((1, 5, 2), side), atol=0.15, rtol=0)
        assert ((switches > 0) == (side > 0)).all(), "the gripper goes with the hand"


def test_shapes_without_grippers_or_without_poses():
    for values, switches in ((2, 0), (0, 3)):
        network = ChunkNetwork(sizes(values, switches), CFG)
        chunks = network(torch.zeros(7, 6))
        assert chunks.values.shape == (7, 4, 5, values) and chunks.switches.shape == (7, 4, 5, switches)
        found = losses(chunks, torch.zeros(7, 5, values), torch.zeros(7, 5, switches), CFG)
        assert all(torch.isfinite(value) for value in found.values())
        found["loss"].backward()
