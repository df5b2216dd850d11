"""The application's database."""

import os
import socket


def connected() -> bool:
    """Tell whether the database answers."""
    address = ("127.0.0.1", int(os.environ["DATABASE_PORT"]))
    try:
        with socket.create_connection(address, timeout=1) as connection:
            return connection.recv(16) == b"ready\n"
    except OSError:
        return False
