"""What a user chooses before training, and what training answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from apprentice.errors import UserError

CHECKPOINT_RULE = "the exponential moving average of the weights after the last step"
"""Which weights are *the* policy. Fixed before training, whatever validation or rollouts say."""
STOPPING_RULE = "the exponential moving average of the weights after the first step whose rollouts cleared --stop-at"
"""The same for a run that `stop_at` ended. Those rollouts have seeds of their own: they are no evaluation."""


@dataclass(kw_only=True, frozen=True)
class TrainCfg:
    """How a policy is trained."""

    algo: str = "chunked_bc"
    """A recipe: ours (`chunked_bc`, `act`, `flow`, `diffusion`), or one of Robomimic's (`bc`, `bc_gaussian`, `bc_gmm`,
    `bc_vae`, `bc_rnn_gmm`, `bc_transformer`, `bc_transformer_gmm`, `bcq`, `cql`, `iql`, `td3_bc`, `hbc`, `iris`,
    `gl`)."""
    config: Path | None = None
    """A JSON file in Robomimic's format (Isaac Lab's own files load as they are). Replaces `algo`."""
    override: Mapping[str, str] = field(default_factory=dict[str, str])
    """Keys of the config to change, by their path, to values in JSON: `algo.chunk 16`, `train.seq_length 20`."""
    steps: int | None = None
    """Gradient steps. Default: what the config says (`algo.steps`), or its epochs come to."""
    batch_size: int | None = None
    """Windows in a batch. Default: the config's."""
    seed: int = 0
    """Seed of the weights, the order of the batches and every random number of the algorithm."""
    cameras: tuple[str, ...] = ()
    """Learn from the images of these cameras and proprioception, not from object poses. The demos need
    `obs/<camera>_image`: `apprentice render` draws them."""
    depth: tuple[str, ...] = ()
    """Likewise from what these cameras measure of distances, `obs/<camera>_depth`: `apprentice render --depth`. With
    `cameras` or alone, for our chunk policies."""
    hierarchy: bool = False
    """Two levels, for our chunk policies: one tells which subtask is under way (the demos need the signals of
    `apprentice annotate` or `augment`), the other acts on that and on its words."""
    demos: int | None = None
    """Train on the first so many demos only. Default: all."""
    mask: str | None = None
    """Train on the demos of this `mask/` only. Default: those in `train` or `valid`; all where there are none."""
    valid_mask: str = "valid"
    """The `mask/` whose demos give the validation loss. They are never trained on, and the loss never chooses anything.
    Empty: hold none out, train on all."""
    valid_fraction: float = 0.02
    """Share of the demos held out for the validation loss where the file has no `valid_mask`. 0 to 1."""
    symmetry: Mapping[str, int] = field(default_factory=dict[str, int])
    """Order of rotational symmetry of objects about their z axis, 1 = none. Adds to what the file says."""
    normalise: bool = True
    """Normalise observations and actions of Robomimic's algorithms; the statistics travel in the checkpoint."""
    ema_decay: float = 0.998
    """Decay of the moving average of the weights, per step. 0 to 1; 0 keeps the last weights."""
    device: str = "auto"
    """`cpu`, `cuda`, `cuda:1`, ...; `auto` takes a GPU where there is one."""
    compile: bool = False
    """Compile the networks of our chunk policies (`torch.compile`): takes minutes at first, pays in long runs."""
    log_every: int = 50
    """Steps between two lines of `log.jsonl`."""
    save_every: int = 500
    """Steps between two saves of the training state: what a `kill -9` can cost."""
    evaluate_every: int = 0
    """Steps between two calls of the evaluation passed to `train`. 0 = none."""
    stop_at: float = 0.0
    """End training as soon as the lower end of the 95 % interval of an evaluation's success reaches this (0 to 1).
    0 = do all steps."""
    wandb: str | None = None
    """Also send the curves to this project at Weights & Biases."""

    def __post_init__(self) -> None:
        if not 0 <= self.stop_at < 1:
            raise UserError(f"Expected --stop-at from 0 to below 1, got {self.stop_at}.")
        if self.stop_at and not self.evaluate_every:
            raise UserError("Expected --evaluate-every with --stop-at: only rollouts tell when to stop.")
        for name in ("steps", "batch_size", "demos"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UserError(f"Expected --{name.replace('_', '-')} of at least 1, got {value}.")
        for name in ("log_every", "save_every"):
            if getattr(self, name) < 1:
                raise UserError(f"Expected --{name.replace('_', '-')} of at least 1, got {getattr(self, name)}.")
        for name in ("valid_fraction", "ema_decay"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(f"Expected --{name.replace('_', '-')} from 0 to below 1, got {getattr(self, name)}.")


@dataclass(kw_only=True, frozen=True)
class TrainResult:
    """What a finished training run left behind."""

    policy: Path
    """The checkpoint: `DIR/policy.pth`."""
    algo: str
    """Name of the recipe, or of the config file."""
    steps: int
    """Gradient steps done in total."""
    stopped: bool
    """Whether an evaluation that cleared `stop_at` ended it before the steps that were planned."""
    seconds: float
    """Wall time spent in training steps, over all sittings."""
    steps_per_s: float
    """Gradient steps per second of that time."""
    demos: int
    """Demos trained on."""
    frames: int
    """Control steps of those demos."""
    loss: float
    """Mean training loss over the last log interval."""
    valid_loss: float | None
    """Loss on the held-out demos at the end, if there are any."""
    notices: tuple[str, ...] = ()
    """What the user should know although nothing failed."""
