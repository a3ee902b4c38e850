"""Ray, started or joined quietly. Imported only where there is more than one worker: it takes a second to import."""

from __future__ import annotations

import contextlib
import importlib
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from typing import Any

from apprentice.errors import UserError

_OBJECT_STORE_BYTES = 128 << 20
"""Results on their way from a worker: a few per worker, some hundred kilobytes each."""
_ANSWER_S = 10.0
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DISABLE_IMPORT_WARNING": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_enable_metrics_collection": "0",
    "RAY_SCHEDULER_EVENTS": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_worker_niceness": "0",  # Ray's workers would step back behind everything else on the machine
}


@contextlib.contextmanager
def ray_session(address: str | None, cores: int) -> Iterator[Any]:
    """The `ray` module, connected. A process that is connected already stays so, before and after.

    Args:
        address: Of a running cluster, "auto" for the one that this machine belongs to; None starts one for this
            process, of this machine alone, which ends with it.
        cores: Processor cores of that one.

    Raises:
        UserError: If there is no cluster at `address`.
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    ray: Any = importlib.import_module("ray")  # its types are only partly known
    if ray.is_initialized():
        yield ray
        return
    quiet = {"logging_level": "error", "log_to_driver": False, "configure_logging": False}
    folder = None
    if address is None:
        folder = tempfile.mkdtemp(prefix="apprentice-")  # a short path: sockets stand there
        ray.init(
            address="local",
            num_cpus=cores,
            include_dashboard=False,
            object_store_memory=_OBJECT_STORE_BYTES,
            _node_ip_address="127.0.0.1",
            _temp_dir=folder,
            **quiet,
        )
    else:
        try:
            if address != "auto":
                host, _, port = address.rpartition(":")
                # Ray ends the whole process where nobody answers
                socket.create_connection((host, int(port)), timeout=_ANSWER_S).close()
            ray.init(address=address, **quiet)
        except (OSError, ValueError) as error:
            raise UserError(
                f"Expected a Ray cluster at '{address}', found none ({str(error).splitlines()[0]}); start one with "
                "`ray start --head` on one machine and `ray start --address=HOST:6379` on the others."
            ) from error
    try:
        yield ray
    finally:
        ray.shutdown()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
