"""The origin of a run: git checkout, user, program and libraries."""

import contextlib
import getpass
import importlib.metadata
import platform
import re
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

from rlq.core.digest import short_digest

LIBRARIES = ("torch", "torchvision", "timm", "mlflow", "optuna", "albumentations", "numpy", "scikit-learn", "rlq")


def git_tags(folder: Path) -> dict[str, str]:
    """Return commit, branch, address and whether files differ, by MLflow's names; empty outside a checkout.

    MLflow would look at the folder of the main script, which for the console script `rlq` is not the checkout.
    """
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return {}
    tags = {"mlflow.source.git.commit": commit}
    branch = _git(folder, "symbolic-ref", "--short", "-q", "HEAD")  # None on a detached head
    if branch:
        tags["mlflow.source.git.branch"] = branch
    address = _git(folder, "config", "--get", "remote.origin.url")
    if address:
        tags["mlflow.source.git.repoURL"] = without_credentials(address)
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    if changes is not None:
        tags["git.dirty"] = "true" if changes else "false"
    return tags


def source_tags() -> dict[str, str]:
    """Return user and program by MLflow's names. Arguments are left out: an address among them may have a password."""
    tags = {"mlflow.source.name": Path(sys.argv[0]).name or "python", "mlflow.source.type": "LOCAL"}
    with contextlib.suppress(OSError, KeyError, ImportError):  # a container's user may have no name
        tags["mlflow.user"] = getpass.getuser()
    return tags


@lru_cache(maxsize=1)
def source_digest() -> str:
    """Return 16 hex digits of rlq's code as it is on the disk, whether committed or not."""
    package = Path(__file__).parent.parent
    files = sorted(package.rglob("*.py"))
    parts: list[str | bytes] = []
    for file in files:
        parts += [file.relative_to(package).as_posix(), "\0", file.read_bytes(), "\0"]
    return short_digest(*parts)


def library_versions() -> dict[str, str]:
    """Return the versions of Python and of the installed libraries by name."""
    versions = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def without_credentials(address: str) -> str:
    """Return an address without user name and password; git's form `git@host:path` has no secret and stays."""
    scheme, separator, rest = address.partition("://")
    # Not with urlsplit, which finds no host in addresses of a scheme that it does not know.
    host = re.split("[/?#]", rest, maxsplit=1)[0]
    return f"{scheme}://{rest[host.rfind('@') + 1 :]}" if separator else address


def _git(folder: Path, *arguments: str) -> str | None:
    """Return what git prints; None if it is not installed, takes too long or fails."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
