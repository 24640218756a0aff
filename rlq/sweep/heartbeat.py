"""Signs of life that a worker leaves at its trial, for storages that take no heartbeats."""

import os
import socket
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

WORKER = "worker"  # the user attribute of a trial


def sign() -> dict[str, Any]:
    """This process, now."""
    return {"host": socket.gethostname(), "pid": os.getpid(), "born": _born(os.getpid()), "seen": time.time()}


def is_mine(worker: Mapping[str, Any]) -> bool:
    """Whether the worker is this process."""
    return is_here(worker) and worker["pid"] == os.getpid()


def is_here(worker: Mapping[str, Any]) -> bool:
    """Whether the worker ran on this machine."""
    return worker["host"] == socket.gethostname()


def is_alive(worker: Mapping[str, Any]) -> bool:
    """Whether a worker of this machine still runs; another process that got its number since does not count."""
    try:
        os.kill(worker["pid"], 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's process has the number
        pass
    return _born(worker["pid"]) == worker["born"]


def silent_for(worker: Mapping[str, Any]) -> float:
    """Seconds since the last sign, by this machine's clock."""
    return time.time() - worker["seen"]


def told(worker: Mapping[str, Any]) -> str:
    """The worker in words."""
    seen = datetime.fromtimestamp(worker["seen"]).astimezone()
    return f"process {worker['pid']} on {worker['host']}, last sign {seen:%F %T}"


def _born(pid: int) -> str | None:
    """When a process began, in the kernel's ticks; None where the system has no /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return fields[19]  # starttime, the 22nd field; the second one, a name, may hold blanks
