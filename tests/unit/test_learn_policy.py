"""One policy plays many environments, and none of them notices the others."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from learn_demos import observation, write_demos

from apprentice.errors import UserError
from apprentice.learn.cfg import TrainCfg
from apprentice.learn.play.policy import load_policy
from apprentice.learn.training.train import train

OBS = {"observation": {"modalities": {"obs": {"low_dim": ["eef_pos", "gripper_pos"]}}}}
TRANSFORMER = {"enabled": True, "context_length": 4, "embed_dim": 16, "num_layers": 1, "num_heads": 2}
VAE = {"enabled": True, "latent_dim": 3, "encoder_layer_dims": [16], "decoder_layer_dims": [16]}
DRAWS = {"actor": {"net": {"common": {"low_noise_eval": False}}}}
SUBGOAL = {
    "modalities": {
        "obs": {"low_dim": ["eef_pos", "gripper_pos"]},
        "subgoal": {"low_dim": ["eef_pos"]},
    }
}
SMALL_ACT = {"width": 16, "heads": 2, "feedforward": 32, "encoder_layers": 1, "decoder_layers": 1, "query_steps": 4}
CONFIGS = {
    "chunked_bc": {"algo_name": "chunked_bc", "algo": {"hidden_dims": [32], "execute": 5, "chunk": 8}},
    "chunked_bc_ensemble": {
        "algo_name": "chunked_bc",
        "algo": {"hidden_dims": [32], "execute": 2, "chunk": 8, "ensemble": 0.1},
    },
    "act": {"algo_name": "act", "algo": {**SMALL_ACT, "execute": 5, "chunk": 8}},
    "flow": {"algo_name": "flow", "algo": {"hidden_dim": 32, "blocks": 2, "execute": 5, "chunk": 8}},
    "diffusion": {"algo_name": "diffusion", "algo": {"hidden_dim": 32, "blocks": 2, "execute": 5, "chunk": 8}},
    "bc": {"algo_name": "bc", "algo": {"actor_layer_dims": [32]}, **OBS},
    "gmm": {"algo_name": "bc", "algo": {"actor_layer_dims": [32], "gmm": {"enabled": True}}, **OBS},
    "rnn": {
        "algo_name": "bc",
        "train": {"seq_length": 4},
        "algo": {"rnn": {"enabled": True, "hidden_dim": 16, "horizon": 4}},
        **OBS,
    },
    "open_loop_gru": {
        "algo_name": "bc",
        "train": {"seq_length": 4},
        "algo": {"rnn": {"enabled": True, "hidden_dim": 16, "horizon": 4, "rnn_type": "GRU", "open_loop": True}},
        **OBS,
    },
    "rnn_gmm": {
        "algo_name": "bc",
        "train": {"seq_length": 4},
        "algo": {"rnn": {"enabled": True, "hidden_dim": 16, "horizon": 4}, "gmm": {"enabled": True}},
        **OBS,
    },
    "transformer": {"algo_name": "bc", "train": {"frame_stack": 4}, "algo": {"transformer": TRANSFORMER}, **OBS},
    "transformer_gmm": {
        "algo_name": "bc",
        "train": {"frame_stack": 4},
        "algo": {"transformer": TRANSFORMER, "gmm": {"enabled": True}},
        **OBS,
    },
    "gaussian": {
        "algo_name": "bc",
        "algo": {"actor_layer_dims": [32], "gaussian": {"enabled": True, "low_noise_eval": False}},
        **OBS,
    },
    "vae": {"algo_name": "bc", "algo": {"actor_layer_dims": [32], "vae": VAE}, **OBS},
    "vae_mixture": {
        "algo_name": "bc",
        "algo": {"vae": VAE | {"prior": {"learn": True, "use_gmm": True, "gmm_num_modes": 3}}},
        **OBS,
    },
    "vae_categorical": {"algo_name": "bc", "algo": {"vae": VAE | {"prior": {"use_categorical": True}}}, **OBS},
    "bcq": {"algo_name": "bcq", "algo": {"actor": {"enabled": True}}, **OBS},
    "bcq_gmm": {
        "algo_name": "bcq",
        "algo": {"action_sampler": {"gmm": {"enabled": True}, "vae": {"enabled": False}}},
        **OBS,
    },
    "bcq_distributional": {
        "algo_name": "bcq",
        "algo": {"critic": {"value_bounds": [0.0, 1.0], "distributional": {"enabled": True}}},
        **OBS,
    },
    "cql": {"algo_name": "cql", "train": {"batch_size": 32}, "algo": DRAWS, **OBS},
    "iql": {"algo_name": "iql", "algo": DRAWS, **OBS},
    "iql_gmm": {"algo_name": "iql", "algo": {"actor": {"net": {"type": "gmm"}}}, **OBS},
    "td3_bc": {"algo_name": "td3_bc", **OBS},
    "hbc": {
        "algo_name": "hbc",
        "train": {"seq_length": 4},
        "algo": {
            "subgoal_update_interval": 3,
            "planner": {"subgoal_horizon": 4},
            "actor": {"rnn": {"hidden_dim": 16, "horizon": 4}},
        },
        "observation": {"planner": SUBGOAL, "actor": OBS["observation"]},
    },
    "hbc_plain": {
        "algo_name": "hbc",
        "train": {"seq_length": 4},
        "algo": {
            "subgoal_update_interval": 3,
            "planner": {"subgoal_horizon": 4, "vae": {"enabled": False}},
            "actor": {"rnn": {"enabled": False}, "actor_layer_dims": [32]},
        },
        "observation": {"planner": SUBGOAL, "actor": OBS["observation"]},
    },
    "iris": {
        "algo_name": "iris",
        "train": {"seq_length": 4},
        "algo": {
            "subgoal_update_interval": 3,
            "value_planner": {"planner": {"subgoal_horizon": 4}, "num_samples": 6},
            "actor": {"rnn": {"hidden_dim": 16, "horizon": 4}},
        },
        "observation": {
            "value_planner": {"planner": SUBGOAL, "value": {"modalities": {"obs": {"low_dim": ["eef_pos"]}}}},
            "actor": OBS["observation"],
        },
    },
}
DRAWN = ("flow", "diffusion", "gmm", "gaussian", "vae", "bcq", "cql", "iql", "hbc", "iris")
"""Parts of the names of policies that draw random numbers, with which Robomimic's own cannot be compared."""
DRAWN_NOT = ("hbc_plain", "td3_bc")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_demos(tmp_path_factory.mktemp("demos") / "demos.hdf5", count=8, length=30)


@pytest.fixture(scope="module", params=list(CONFIGS))
def trained(request: pytest.FixtureRequest, file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "config.json").write_text(json.dumps(CONFIGS[request.param]))
    train(file, folder / "run", TrainCfg(config=folder / "config.json", steps=15, batch_size=32))
    return folder / "run"


def test_staggered_resets_give_what_single_runs_give(file: Path, trained: Path):
    """Eight environments, each reset at its own time, against eight runs of one environment."""
    policy = load_policy(trained)
    begins = [3 * number for number in range(8)]
    steps = 28
    observations = [observation(file, policy.obs_keys, step) for step in range(steps)]

    alone = torch.zeros(8, steps, 7)
    for env, begin in enumerate(begins):
        policy.start(1)
        policy.reset([0], seeds=[env])
        for step in range(begin, steps):
            alone[env, step] = policy.act({key: value[env : env + 1] for key, value in observations[step].items()})[0]

    policy.start(8)
    policy.reset(seeds=list(range(100, 108)))
    for step in range(steps):
        due = [env for env, begin in enumerate(begins) if begin == step]
        if due:
            policy.reset(due, seeds=due)
        together = policy.act(observations[step])
        for env, begin in enumerate(begins):
            if step >= begin:
                torch.testing.assert_close(together[env], alone[env, step], atol=1e-5, rtol=0)


def test_environments_that_sit_out_keep_their_place(file: Path, trained: Path):
    policy = load_policy(trained)
    observations = [observation(file, policy.obs_keys, step) for step in range(12)]
    policy.start(2)
    policy.reset(seeds=[5, 6])
    both = [policy.act({key: value[:2] for key, value in obs.items()}) for obs in observations]

    policy.start(2)
    policy.reset(seeds=[5, 6])
    for step in range(6):
        policy.act({key: value[:2] for key, value in observations[step].items()})
    for step in range(6, 12):  # environment 1 goes on alone, then environment 0 catches up
        action = policy.act({key: value[1:2] for key, value in observations[step].items()}, env_ids=[1])
        torch.testing.assert_close(action, both[step][1:2], atol=1e-5, rtol=0)
    for step in range(6, 12):
        action = policy.act({key: value[:1] for key, value in observations[step].items()}, env_ids=torch.tensor([0]))
        torch.testing.assert_close(action, both[step][:1], atol=1e-5, rtol=0)


def test_robomimic_itself_plays_the_checkpoint_alike(file: Path, trained: Path):
    from robomimic.utils import file_utils

    from apprentice.learn.algorithms.plugins import quiet

    policy = load_policy(trained)
    with quiet():
        checkpoint = str(trained / "policy.pth")
        rollout, _ = file_utils.policy_from_checkpoint(ckpt_path=checkpoint, device=torch.device("cpu"))
    rollout.start_episode()
    policy.start(1)
    stack = {}
    for step in range(10):
        obs = {key: value[:1] for key, value in observation(file, policy.obs_keys, step).items()}
        theirs = {key: value[0].numpy() for key, value in obs.items()}
        if "transformer" in trained.parent.name:
            stack = {key: [*stack.get(key, [value] * 4)[1:], value] for key, value in theirs.items()}
            theirs = {key: np.stack(values) for key, values in stack.items()}
        action = torch.from_numpy(rollout(ob=theirs))
        # of what is drawn only the range can be compared
        if not any(name in trained.parent.name for name in DRAWN_NOT) and any(
            name in trained.parent.name for name in DRAWN
        ):
            assert action.shape == (7,) and action.isfinite().all()
        else:
            torch.testing.assert_close(policy.act(obs)[0], action, atol=1e-5, rtol=0)


def test_nothing_is_drawn_from_the_common_source(file: Path, trained: Path):
    """What another environment or the simulator draws changes nothing, and is not changed."""
    policy = load_policy(trained)
    policy.start(8)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    policy.act(observation(file, policy.obs_keys))
    assert torch.equal(torch.get_rng_state(), before)


def test_actions_may_be_changed_by_the_caller(file: Path, trained: Path):
    policy = load_policy(trained)
    policy.start(8)
    actions = policy.act(observation(file, policy.obs_keys))
    actions[3] = 0.0
    assert policy.act(observation(file, policy.obs_keys, 1)).shape == (8, 7)


def test_observations_of_another_task_are_refused_by_name(file: Path, trained: Path):
    policy = load_policy(trained)
    with pytest.raises(UserError, match=r"Expected the observation .*found only: pressure"):
        policy.act({"pressure": torch.zeros(1, 3)})


def test_a_run_that_has_not_finished_is_not_a_policy(tmp_path: Path):
    with pytest.raises(UserError, match="not finished"):
        load_policy(tmp_path)
    with pytest.raises(UserError, match="no such file"):
        load_policy(tmp_path / "policy.pth")
    (tmp_path / "policy.pth").write_bytes(b"not a checkpoint")
    with pytest.raises(UserError, match="Expected a Robomimic checkpoint"):
        load_policy(tmp_path)
