"""Accepting connections: where, how many, and what is worth telling about them."""

from __future__ import annotations

import asyncio
import logging
import socket

from aiohttp import web
from aiohttp.http import HttpProcessingError

from apprentice.errors import UserError


def listen(host: str, port: int) -> socket.socket:
    """Begin to listen; port 0 takes a free one.

    Raises:
        UserError: If the host is not of this machine, or the port is taken.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        # localhost is often both: IPv4 is what tunnels and headsets lead to
        family, *_, place = min(found, key=lambda entry: entry[0] != socket.AF_INET)
        both = family == socket.AF_INET6 and host == "::" and socket.has_dualstack_ipv6()
        return socket.create_server(place[:2], family=family, backlog=128, dualstack_ipv6=both)
    except (OSError, UnicodeError) as error:
        raise UserError(
            f"Expected to serve the page on port {port} of {host}, got: {error}. Choose another --port (0 takes a free "
            "one) or another --host."
        ) from error


class Gate(asyncio.Protocol):
    """Lets a connection in unless there are too many. Asked when it is made: many may be accepted at once."""

    def __init__(self, server: web.Server, most: int) -> None:
        self._server = server
        self._most = most

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        if len(self._server.connections) >= self._most:
            transport.abort()
            return
        handler = self._server()
        transport.set_protocol(handler)
        handler.connection_made(transport)


def fault_logger() -> logging.Logger:
    """Tells of faults of ours. That somebody sends nonsense or goes away is not one."""
    logger = logging.getLogger(__name__)
    logger.addFilter(_is_fault)
    return logger


def _is_fault(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError | ConnectionError)
