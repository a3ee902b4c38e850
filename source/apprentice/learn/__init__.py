"""From a demo file to a policy: batches from memory, Robomimic's algorithms and ours, one training loop.

Importing this package imports neither torch nor Robomimic; importing `train` or `policy` from it does.
"""

from apprentice.learn.cfg import TrainCfg, TrainResult

__all__ = ["TrainCfg", "TrainResult"]
