"""What can be chosen about augmentation."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from apprentice.errors import UserError


@dataclass(kw_only=True, frozen=True)
class BridgeCfg:
    kind: Literal["timed", "fixed"] = "timed"
    """How the way to a segment is made: for the hand, at limited speed and acceleration, around what is in the way; or
    in the task's `num_interpolation_steps` from where it was last sent, as Isaac Lab does."""
    speed_m_s: float = 0.5
    """Fastest motion of the hand (m/s)."""
    acceleration_m_s2: float = 3.0
    """Fastest change of that (m/s^2)."""
    turn_rad_s: float = 2.5
    """Fastest rotation of the hand (rad/s)."""
    turn_acceleration_rad_s2: float = 15.0
    """Fastest change of that (rad/s^2)."""
    skip_transit: bool = True
    """Whether a bridge goes straight to where the contact-rich part of a segment begins, instead of to the free transit
    before it. Needs a backend that can look for collisions (`native`)."""
    near_m: float = 0.08
    """Distance (m) from the place of first contact from which on a segment is played as it was."""
    clearance_m: float = 0.01
    """Distance (m) that a bridge keeps from everything, but near its ends."""


@dataclass(kw_only=True, frozen=True)
class NoiseCfg:
    """Gaussian noise on targets, in metres and radians alike, as Isaac Lab's `action_noise`."""

    kind: Literal["shaped", "task"] = "shaped"
    """Less noise near contact and on retries, or the task's `action_noise` throughout, as Isaac Lab does."""
    labels: Literal["clean", "executed"] = "clean"
    """What demos hold to learn from: the action without the noise, from the state that the noise led to (DART, Laskey
    et al. 2017), what was executed then beside it; or what was executed, as Isaac Lab does."""
    away: float | None = None
    """Standard deviation in a segment, away from contact. None takes the task's `action_noise`."""
    near_contact: float = 0.008
    """Standard deviation around each change of the gripper command."""
    steps_before: int = 14
    """Control steps before such a change that count as near."""
    near_m: float = 0.04
    """Distance (m) from where the hand is at such a change that counts as near, too: some operators are slow."""
    steps_after: int = 8
    """Control steps after it."""
    on_bridge: float = 0.03
    """Standard deviation on the way to a segment, at most that in the segment. Policies that learn from it come back
    when they are pushed (docs/augmentation.md)."""
    per_retry: float = 0.6
    """Factor for each try that failed."""


@dataclass(kw_only=True, frozen=True)
class RecoveryCfg:
    """Pushes off the way, to be come back from. They need clean labels."""

    at_start: float = 0.0
    """Share of segments that begin pushed. 0 to 1."""
    in_transit: float = 0.0
    """Share of ways to a segment that are pushed. 0 to 1."""
    offset_m: float = 0.04
    """Largest displacement of the target (m)."""
    turn_rad: float = 0.25
    """Largest rotation of the target (rad)."""
    steps: int = 10
    """Control steps of a push: it swells and fades."""

    def __post_init__(self) -> None:
        for name in ("at_start", "in_transit"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"Expected {name} from 0 to 1, found {getattr(self, name)}.")
        if self.steps < 1:
            raise UserError(f"Expected pushes of at least 1 step, found {self.steps}.")


@dataclass(kw_only=True, frozen=True)
class RandomiseCfg:
    """Ranges of factors on physical properties, drawn for each attempt evenly in their logarithm."""

    mass: tuple[float, float] = (1.0, 1.0)
    """On the mass of each object."""
    friction: tuple[float, float] = (1.0, 1.0)
    """On the friction of all surfaces of an environment (`native` and `newton`)."""

    def __post_init__(self) -> None:
        for name in ("mass", "friction"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise UserError(f"Expected a range of factors on {name}, low to high and above 0, found {low} {high}.")


@dataclass(kw_only=True, frozen=True)
class RetryCfg:
    tries: int = 3
    """How often a subtask is tried from the same snapshot."""
    step_backs: int = 3
    """How often an attempt returns to an earlier subtask when tries are used up: each time to one further back."""
    effort: float = 4.0
    """Simulated steps after which no more is tried, as a multiple of the longest source demo. A straggler keeps all
    other environments waiting at the end of a run."""


@dataclass(kw_only=True, frozen=True)
class LearnCfg:
    """Segments that succeeded are chosen more often, and initial states that never did are attempted again."""

    on: bool = True
    """Whether to."""
    behind: int = 512
    """An attempt knows those whose number is lower than its own by this and more. No more than this can be under way
    at once, and one that takes long is waited for when so many have begun after it."""
    round: int = 64
    """Attempts that know the same."""
    owed_every: int = 4
    """One in so many attempts starts where attempts have failed and none succeeded, if there is such a cell."""


@dataclass(kw_only=True, frozen=True)
class AugmentCfg:
    demos: int | None = None
    """Demos to generate. Stops at whichever of demos, hours and coverage is reached first; 200 if none is given."""
    hours: float | None = None
    """Time to spend, all runs that made the file together, starting the simulator included."""
    coverage: float | None = None
    """Share (0 to 1) of the cells of initial states that shall hold a success."""
    seed: int = 1
    """Attempt k starts from the initial state of seed + k and draws everything else from generators of that number."""
    task: str | None = None
    """Task id; taken from the source file if None."""
    variant: str | None = None
    """Difficulty variant of the task."""
    states: tuple[Path, ...] = ()
    """Files of start states, such as the astray_states.hdf5 of an evaluation: attempts begin from them, one after the
    other and over again, instead of from resets."""
    backend: str = "native"
    """What steps the physics."""
    num_envs: int = 128
    """Environments stepped together by each worker. Does not change the result."""
    threads: int = 2
    """Processor threads of a single worker; more than one have one each. Does not change the result."""
    workers: int | None = None
    """Processes that generate. By default one per 250 demos, up to the number of processor cores (`native` only; else
    one), or all cores of the cluster. Does not change the result."""
    cluster: str | None = None
    """Address of a Ray cluster to generate on, "auto" for the one that this machine belongs to. Does not change the
    result."""
    selection: str = "nearest"
    """Which segment is used: "nearest" (object-relative pose, ours), "task" (as the task's subtasks say), or the name
    of any strategy that is registered with Isaac Lab Mimic."""
    use_symmetry: bool = True
    """Use the rotational symmetry that the task declares for its objects."""
    cut_pauses: bool = True
    """Leave out what source demos waste on hesitating: policies learn from it to stay where they are."""
    keep_grasp: bool = True
    """Correct the path of a held object for how it lies in the hand."""
    bridge: BridgeCfg = field(default_factory=BridgeCfg)
    """The way from one segment to the next."""
    noise: NoiseCfg = field(default_factory=NoiseCfg)
    """Noise on targets."""
    recovery: RecoveryCfg = field(default_factory=RecoveryCfg)
    """Pushes off the way."""
    learn: LearnCfg = field(default_factory=LearnCfg)
    """Learning from earlier attempts."""
    randomise: RandomiseCfg = field(default_factory=RandomiseCfg)
    """Physics that differs from attempt to attempt."""
    retry: RetryCfg | None = field(default_factory=RetryCfg)
    """Try a failed subtask again from its snapshot. None gives the attempt up at once."""
    held_steps: int = 10
    """Control steps for which success must hold at the end."""
    wait_steps: int = 40
    """Control steps to wait for held success after the last segment."""
    give_up_after: int = 100
    """Attempts without a single success after which the run stops with an explanation."""

    def __post_init__(self) -> None:
        for name, least in {
            "demos": 1,
            "seed": 0,
            "num_envs": 1,
            "threads": 1,
            "workers": 1,
            "held_steps": 1,
            "wait_steps": self.held_steps,
            "give_up_after": 1,
        }.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise UserError(f"Expected {name} to be at least {least}, found {value}.")
        if self.hours is not None and not self.hours > 0:
            raise UserError(f"Expected hours above 0, found {self.hours}.")
        if self.coverage is not None and not 0 < self.coverage <= 1:
            raise UserError(f"Expected coverage to be a share above 0 and up to 1, found {self.coverage}.")
        if self.noise.labels != "clean" and (self.recovery.at_start or self.recovery.in_transit):
            raise UserError("Expected clean labels with pushes, which are not to be imitated, found executed ones.")

    @property
    def wanted_demos(self) -> int | None:
        """Demos to stop at; None if only hours or coverage end the run."""
        return 200 if self.demos is None and self.hours is None and self.coverage is None else self.demos

    @property
    def identity(self) -> dict[str, Any]:
        """What decides which demos come out, except how many."""
        chosen = asdict(self)
        for name in ("demos", "hours", "coverage", "num_envs", "threads", "workers", "cluster", "states"):
            del chosen[name]
        return chosen


def stock_cfg(**changes: Any) -> AugmentCfg:
    """Augmentation as Isaac Lab Mimic does it: the task's strategies, noise and five-step bridges, and no retry."""
    return AugmentCfg(
        **(
            {
                "selection": "task",
                "use_symmetry": False,
                "cut_pauses": False,
                "keep_grasp": False,
                "bridge": BridgeCfg(kind="fixed"),
                "noise": NoiseCfg(kind="task", labels="executed"),
                "learn": LearnCfg(on=False),
                "retry": None,
            }
            | changes
        )
    )
