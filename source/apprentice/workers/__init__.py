"""The same function on many processes or machines, through Ray. Knows nothing of what the function does."""

from .cores import available_cores
from .pool import Pool
from .worker import Numbered, Open, Worker

__all__ = ["Numbered", "Open", "Pool", "Worker", "available_cores"]
