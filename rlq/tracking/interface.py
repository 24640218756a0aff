"""What training code sees of tracking, and the rules for names and values that every tracker shares."""

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

NAME = re.compile(r"[A-Za-z0-9_\-. :/]{1,250}")  # what MLflow stores, on every platform
LONGEST_PARAM, LONGEST_TAG, LONGEST_DIGEST = 6000, 8000, 36


class TrackingError(RlqError):
    """A tracking store that cannot be used as asked; the message says what to change."""


class Tracker(Protocol):
    """An open run. Nothing here raises because a server is away; a name that cannot be stored is a ValueError."""

    @property
    def run_id(self) -> str:
        """The run's id in the store; `local-...` while the store has not been reached yet."""

    def log_params(self, flat: Mapping[str, object]) -> None:
        """Settings by dotted name. The first value stays; a later, other one becomes the tag `changed.<name>`."""

    def log_tags(self, tags: Mapping[str, str]) -> None:
        """Words about the run; the last value counts."""

    def log_metrics(self, values: Mapping[str, float], step: int) -> None:
        """Numbers of one step. The first value of a (name, step) stays; NaN and inf become a tag `nonfinite.<name>`."""

    def log_text(self, text: str, name: str) -> None:
        """A text file, such as "report.md"."""

    def log_dict(self, tree: Mapping[str, Any], name: str) -> None:
        """A mapping as a .json, .yaml or .yml file."""

    def log_figure(self, figure: "Figure", name: str) -> None:
        """A matplotlib figure; the suffix of the name (.png, .pdf, .svg) is its format."""

    def log_file(self, path: Path, folder: str = "") -> None:
        """Any file, under its own name in a folder of the run's artifacts."""

    def log_dataset(self, name: str, digest: str, root: str | Path, context: str) -> None:
        """A data set by name and fingerprint (at most 36 characters); context is such as "train"."""

    def log_model(self, folder: Path, name: str, params: Mapping[str, object]) -> None:
        """A folder of weights (safetensors) and config, to be listed under Models."""

    def end(self, status: Status = "FINISHED") -> None:
        """Send what is left, and close."""

    def links(self) -> dict[str, str]:
        """Full addresses of this run, the experiment's table and its charts; empty without a store."""


class NullTracker:
    """Forgets everything: for the processes of a distributed run other than the first."""

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
    """The name of a param, metric or tag, if MLflow can store it. Raises ValueError that says what it may hold."""
    if not NAME.fullmatch(name) or posixpath.normpath(name) != name or name.startswith(("/", "..")):
        raise ValueError(
            f"{name!r} cannot name a param, metric or tag: letters, digits, _ - . space : and single / in between, "
            "at most 250 characters"
        )
    return name


def check_artifact(name: str) -> str:
    """A file's or folder's place among a run's artifacts: relative, with forward slashes, never upwards."""
    path = PurePosixPath(name)
    leads_out = path.is_absolute() or ".." in path.parts
    if not name or leads_out or set("\\\0") & set(name) or posixpath.normpath(name) != name:
        raise ValueError(f"{name!r} cannot name an artifact: a relative path such as figures/cmc.png is wanted")
    return name


def param_texts(flat: Mapping[str, object]) -> dict[str, str]:
    """Settings as MLflow stores them: spelled as for `--set`, cut at 6000 characters, ranges also by their ends.

    Only numbers plot on parallel coordinates, so `[5, 21]` also becomes `.low` and `.high`; a size `[384, 192]`,
    which does not rise, is no range.
    """
    texts: dict[str, str] = {}
    for name, value in flat.items():
        texts[check_name(name)] = shortened(_spelled(value), LONGEST_PARAM)
        if isinstance(value, list | tuple) and len(value) == 2 and all(_is_number(end) for end in value):
            low, high = value
            if low <= high:
                texts |= {check_name(f"{name}.low"): _spelled(low), check_name(f"{name}.high"): _spelled(high)}
    return texts


def tag_texts(tags: Mapping[str, str]) -> dict[str, str]:
    """Tags with checked names and values of at most 8000 characters."""
    return {check_name(name): shortened(str(value), LONGEST_TAG) for name, value in tags.items()}


def split_finite(values: Mapping[str, float]) -> tuple[dict[str, float], list[str]]:
    """The finite values, and the names of the others: inf would wreck every chart that it is drawn in."""
    numbers = {check_name(name): float(value) for name, value in values.items()}
    finite = {name: value for name, value in numbers.items() if math.isfinite(value)}
    return finite, [name for name in numbers if name not in finite]


def check_digest(digest: str) -> str:
    """A data fingerprint that fits into MLflow."""
    if not 0 < len(digest) <= LONGEST_DIGEST:
        raise ValueError(f"digest {digest!r} has {len(digest)} characters, 1 to {LONGEST_DIGEST} fit")
    return digest


def shortened(text: str, longest: int) -> str:
    """The text, with its end replaced by "..." where it is too long."""
    return text if len(text) <= longest else text[: longest - 3] + "..."


def _spelled(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
