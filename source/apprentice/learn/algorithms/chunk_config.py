"""What can be set about chunk policies, as a part of Robomimic's config."""

from __future__ import annotations

from typing import Any

from robomimic.config.config import Config

from apprentice.learn.algorithms.anatomy import FROM_DEMOS


class ChunkPolicyConfig:
    """The part of the Robomimic config that chunk policies share. A subclass derives from `BaseConfig` too."""

    train: Any
    algo: Any
    observation: Any

    def train_config(self) -> None:
        super().train_config()  # pyright: ignore[reportAttributeAccessIssue]
        self.train.hdf5_load_next_obs = False
        self.train.dataset_keys = ("actions",)
        self.train.frame_stack = 2  # observations that the network sees: the present one and those just before it
        self.train.seq_length = 1
        self.train.batch_size = 512

    def algo_config(self) -> None:
        self.algo.optim_params.policy.optimizer_type = "adamw"
        self.algo.optim_params.policy.learning_rate.initial = 1e-3  # reached after the warm-up
        self.algo.optim_params.policy.learning_rate.final = 2e-5  # reached along a cosine at the last step
        self.algo.optim_params.policy.learning_rate.warmup_steps = 200
        self.algo.optim_params.policy.regularization.L2 = 1e-4
        self.algo.steps = 6000  # gradient steps: the length of the cosine
        self.algo.chunk = 20  # control steps predicted at once
        self.algo.execute = 14  # of these are executed before the next prediction
        self.algo.ensemble = 0.0  # > 0: what all chunks say of a step is averaged, each newer one with exp(-ensemble)
        # times the weight of the one before it; such policies execute few steps of a chunk
        self.algo.label_smoothing = 1  # reach in steps of a triangular filter over the targets ([1, 2, 1] for 1):
        # the exploration noise of generated demos is white, and a large part of what the labels vary by
        self.algo.held_steps = 20  # steps, at most, that the policy is told since each gripper command changed; 0: none
        self.algo.gripper_weight = 0.3  # of the gripper's loss beside that of the poses
        self.algo.feature_std_floor = 0.01  # a feature that hardly varied in the demos must not dominate in play
        self.algo.feature_clip = 4.0  # standard deviations
        self.algo.max_grad_norm = 1.0
        self.algo.precision = "auto"  # "bf16" (autocast), "fp32", or "auto": bf16 where the hardware has it
        self.algo.vision.channels = (32, 64, 64)  # of the convolutions of each camera's encoder
        self.algo.vision.keypoints = 32
        self.algo.vision.embedding = 128
        self.algo.vision.glimpse_px = 32  # width of what is looked at closely around each object; 0: not
        self.algo.vision.told_weight = 1.0  # of the loss of telling where objects are, where demos say
        self.algo.vision.shift_px = 0  # training images are shifted by up to so many pixels ...
        self.algo.vision.colour = 0.0  # ... and each of their channels is scaled by up to this share
        self.algo.hierarchy.width = 256  # of the network that tells which subtask is under way
        self.algo.hierarchy.words = 32  # numbers that stand for the words of a subtask
        self.algo.hierarchy.weight = 0.1  # of the loss of telling it
        self.algo.hierarchy.truth = 0.3  # share of training in which the lower level is told the truth instead
        for name in FROM_DEMOS:
            self.algo[name] = Config()
            self.algo[name].do_not_lock_keys()

    def observation_config(self) -> None:
        super().observation_config()  # pyright: ignore[reportAttributeAccessIssue]
        self.observation.modalities.obs.low_dim = []  # empty: chosen from what the demo file has
