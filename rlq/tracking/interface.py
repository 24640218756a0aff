"""The tracker interface that training code uses, and the rules for names and values of every tracker."""

import json
import math
import posixpath
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal, Protocol

from rlq.core.errors import RlqError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Status = Literal["FINISHED", "FAILED", "KILLED"]

NAME = re.compile(r"[A-Za-z0-9_\-. :/]{1,250}")  # what MLflow accepts on every platform
LONGEST_PARAM, LONGEST_TAG, LONGEST_DIGEST = 6000, 8000, 36


class TrackingError(RlqError):
    """A tracking store that cannot be used; the message says what to change."""


class Tracker(Protocol):
    """An open run. No method raises if a server is unreachable; a name that cannot be stored is a ValueError."""

    @property
    def run_id(self) -> str:
        """The run's id in the store; `local-...` until the store has been reached."""

    def log_params(self, flat: Mapping[str, object]) -> None:
        """Log settings by dotted name. The first value stays; a later, other one becomes the tag `changed.<name>`."""

    def log_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags of the run; a later value replaces an earlier one."""

    def log_metrics(self, values: Mapping[str, float], step: int) -> None:
        """Log numbers of a step. The first value of a (name, step) stays; NaN and inf set the tag nonfinite.<name>."""

    def log_text(self, text: str, name: str) -> None:
        """Log a text file, such as "report.md"."""

    def log_dict(self, tree: Mapping[str, Any], name: str) -> None:
        """Log a mapping as a .json, .yaml or .yml file."""

    def log_figure(self, figure: "Figure", name: str) -> None:
        """Log a matplotlib figure in the format of the name's suffix (.png, .pdf, .svg)."""

    def log_file(self, path: Path, folder: str = "") -> None:
        """Log a file under its own name, in a folder of the run's artifacts."""

    def log_dataset(self, name: str, digest: str, root: str | Path, context: str) -> None:
        """Log a data set by name and fingerprint (at most 36 characters); `context` is a word such as "train"."""

    def log_model(self, folder: Path, name: str, params: Mapping[str, object]) -> None:
        """Log a folder of weights (safetensors) and config, to be listed under Models."""

    def end(self, status: Status = "FINISHED") -> None:
        """Send everything that has not been sent, and close the run."""

    def links(self) -> dict[str, str]:
        """Return the addresses of this run, the experiment's table and its charts; empty without a store."""


class NullTracker:
    """A tracker that stores nothing, for all processes of a distributed run but the main one."""

    run_id = "none"

    def log_params(self, flat: Mapping[str, object]) -> None: ...
    def log_tags(self, tags: Mapping[str, str]) -> None: ...
    def log_metrics(self, values: Mapping[str, float], step: int) -> None: ...
    def log_text(self, text: str, name: str) -> None: ...
    def log_dict(self, tree: Mapping[str, Any], name: str) -> None: ...
    def log_figure(self, figure: "Figure", name: str) -> None: ...
    def log_file(self, path: Path, folder: str = "") -> None: ...
    def log_dataset(self, name: str, digest: str, root: str | Path, context: str) -> None: ...
    def log_model(self, folder: Path, name: str, params: Mapping[str, object]) -> None: ...
    def end(self, status: Status = "FINISHED") -> None: ...

    def links(self) -> dict[str, str]:
        return {}


def check_name(name: str) -> str:
    """Return the name of a param, metric or tag. Raise ValueError if MLflow cannot store it."""
    if not NAME.fullmatch(name) or posixpath.normpath(name) != name or name.startswith(("/", "..")):
        raise ValueError(
            f"{name!r} cannot name a param, metric or tag: letters, digits, _ - . space : and single / in between, "
            "at most 250 characters"
        )
    return name


def check_artifact(name: str) -> str:
    """Return an artifact's path. Raise ValueError unless it is relative, with forward slashes, without "..".

    A folder's path is checked in the same way.
    """
    path = PurePosixPath(name)
    leads_out = path.is_absolute() or ".." in path.parts
    if not name or leads_out or set("\\\0") & set(name) or posixpath.normpath(name) != name:
        raise ValueError(f"{name!r} cannot name an artifact; give a relative path such as figures/cmc.png")
    return name


def param_texts(flat: Mapping[str, object]) -> dict[str, str]:
    """Return settings as MLflow stores them: written as for `--set` and cut at 6000 characters.

    A range `[5, 21]` is also stored as `.low` and `.high`, because parallel coordinates show numbers only. A pair that
    does not increase, such as the size `[384, 192]`, is not a range.
    """
    texts: dict[str, str] = {}
    for name, value in flat.items():
        texts[check_name(name)] = shortened(_as_text(value), LONGEST_PARAM)
        if isinstance(value, list | tuple) and len(value) == 2 and all(_is_number(end) for end in value):
            low, high = value
            if low <= high:
                texts |= {check_name(f"{name}.low"): _as_text(low), check_name(f"{name}.high"): _as_text(high)}
    return texts


def tag_texts(tags: Mapping[str, str]) -> dict[str, str]:
    """Return tags with checked names and values of at most 8000 characters."""
    return {check_name(name): shortened(str(value), LONGEST_TAG) for name, value in tags.items()}


def split_finite(values: Mapping[str, float]) -> tuple[dict[str, float], list[str]]:
    """Return the finite values and the names of the others; a chart with an infinite value cannot be read."""
    numbers = {check_name(name): float(value) for name, value in values.items()}
    finite = {name: value for name, value in numbers.items() if math.isfinite(value)}
    return finite, [name for name in numbers if name not in finite]


def check_digest(digest: str) -> str:
    """Return a data fingerprint. Raise ValueError if it is too long for MLflow."""
    if not 0 < len(digest) <= LONGEST_DIGEST:
        raise ValueError(f"digest {digest!r} has {len(digest)} characters; 1 to {LONGEST_DIGEST} are possible")
    return digest


def shortened(text: str, longest: int) -> str:
    """Return the text, with "..." in place of its end if it is too long."""
    return text if len(text) <= longest else text[: longest - 3] + "..."


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
