"""Where a run comes from: the git checkout, the person, the program and the libraries."""

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
    """Commit, branch, address and whether files differ, by MLflow's names; empty outside a checkout or without git.

    MLflow would look at the folder of the main script, which is none of ours behind the console script `rlq`.
    """
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return {}
    tags = {"mlflow.source.git.commit": commit}
    branch = _git(folder, "symbolic-ref", "--short", "-q", "HEAD")  # none on a detached head
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
    """Who started the run and by which program. Arguments stay out: an address among them may hold a password."""
    tags = {"mlflow.source.name": Path(sys.argv[0]).name or "python", "mlflow.source.type": "LOCAL"}
    with contextlib.suppress(OSError, KeyError, ImportError):  # a user id without a name, as in containers
        tags["mlflow.user"] = getpass.getuser()
    return tags


@lru_cache(maxsize=1)
def source_digest() -> str:
    """16 hex digits of rlq's own code as it lies on the disk: equal digits, equal code, committed or not."""
    house = Path(__file__).parent.parent
    files = sorted(house.rglob("*.py"))
    parts: list[str | bytes] = []
    for file in files:
        parts += [file.relative_to(house).as_posix(), "\0", file.read_bytes(), "\0"]
    return short_digest(*parts)


def library_versions() -> dict[str, str]:
    """Library -> version, of Python and of what is installed."""
    versions = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def without_credentials(address: str) -> str:
    """An address without user name and password; git's short form `git@host:path` holds no secret and stays."""
    kind, mark, rest = address.partition("://")
    place = re.split("[/?#]", rest, maxsplit=1)[0]  # by hand: urlsplit sees none behind a kind that it does not know
    return f"{kind}://{rest[place.rfind('@') + 1 :]}" if mark else address


def _git(folder: Path, *arguments: str) -> str | None:
    """What git prints, or None where it is absent, takes too long or fails."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
