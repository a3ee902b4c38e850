"""From a demo file to a policy: batches from memory, Robomimic's algorithms and ours, one training loop.

Importing this package imports neither torch nor Robomimic: `train.train` and `policy.load_policy` do when they are used.
"""

from apprentice.learn.cfg import TrainCfg, TrainResult

__all__ = ["TrainCfg", "TrainResult"]
