"""A tracker that keeps everything in dictionaries, for tests."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlq.tracking.interface import Status, check_artifact, check_digest, param_texts, split_finite, tag_texts

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class MemoryTracker:
    """Follows the same rules for names and values as `MlflowTracker`, so tests can use it instead."""

    def __init__(self, run_id: str = "memory") -> None:
        self.run_id = run_id
        self.params: dict[str, str] = {}
        self.tags: dict[str, str] = {}
        self.metrics: dict[str, dict[int, float]] = {}  # name -> step -> value
        self.artifacts: dict[str, Any] = {}  # name -> text, mapping, figure or path
        self.datasets: list[tuple[str, str, str, str]] = []  # name, digest, root, context
        self.models: dict[str, tuple[Path, dict[str, str]]] = {}  # name -> folder, params
        self.status: Status | None = None  # None while the run is open

    def log_params(self, flat: Mapping[str, object]) -> None:
        for name, text in param_texts(flat).items():
            if self.params.setdefault(name, text) != text:
                self.log_tags({f"changed.{name}": text})

    def log_tags(self, tags: Mapping[str, str]) -> None:
        self.tags |= tag_texts(tags)

    def log_metrics(self, values: Mapping[str, float], step: int) -> None:
        finite, nonfinite = split_finite(values)
        for name, value in finite.items():
            self.metrics.setdefault(name, {}).setdefault(step, value)
        for name in nonfinite:
            self.tags.setdefault(f"nonfinite.{name}", str(step))

    def log_text(self, text: str, name: str) -> None:
        self.artifacts[check_artifact(name)] = text

    def log_dict(self, tree: Mapping[str, Any], name: str) -> None:
        self.artifacts[check_artifact(name)] = dict(tree)

    def log_figure(self, figure: "Figure", name: str) -> None:
        self.artifacts[check_artifact(name)] = figure

    def log_file(self, path: Path, folder: str = "") -> None:
        self.artifacts[check_artifact(f"{folder}/{path.name}" if folder else path.name)] = path

    def log_dataset(self, name: str, digest: str, root: str | Path, context: str) -> None:
        self.datasets.append((name, check_digest(digest), str(root), context))

    def log_model(self, folder: Path, name: str, params: Mapping[str, object]) -> None:
        self.models[name] = (folder, param_texts(params))

    def end(self, status: Status = "FINISHED") -> None:
        self.status = status

    def links(self) -> dict[str, str]:
        return {}
