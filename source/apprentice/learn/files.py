"""Names of the files in the folder of a training run."""

POLICY = "policy.pth"
STATE = "state.pt"
CONFIG = "config.json"
LOG = "log.jsonl"
TENSORBOARD = "tensorboard"
