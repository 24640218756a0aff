"""Results of benchmarks: tables, goals and whether they are met, and the machine."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from rlq import __version__
from rlq.core.text import markdown

LIBRARIES = (
    *("torch", "torchvision", "timm", "numpy", "opencv-python-headless", "pillow", "albumentations"),
    *("scikit-learn", "optuna", "mlflow"),
)

Cell = str | float | int | None


@dataclass(frozen=True)
class Table:
    """Figures side by side. Floats are shown with three digits, None as a dash."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""

    def __post_init__(self) -> None:
        uneven = [row for row in self.rows if len(row) != len(self.columns)]
        if uneven:
            raise ValueError(f"{self.title}: {uneven[0]} does not have {len(self.columns)} cells")


@dataclass(frozen=True)
class Goal:
    """A value that should be at most or at least the target; None where it was not measured, and `why` says why."""

    name: str
    relation: Literal["<=", ">="]
    target: float
    value: float | None
    why: str = ""  # the reason for a gap or for a missing value

    @property
    def met(self) -> bool | None:
        """Whether the value reaches the target; None without a value."""
        if self.value is None:
            return None
        return self.value <= self.target if self.relation == "<=" else self.value >= self.target


@dataclass(frozen=True)
class Results:
    """Everything that one benchmark gives."""

    tables: Sequence[Table] = ()
    goals: Sequence[Goal] = ()
    notes: Sequence[str] = field(default_factory=tuple)


def machine(device: str = "cpu") -> dict[str, str]:
    """Return what the figures depend on: processor, threads, versions."""
    about = {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "not set"),
        "system": platform.platform(),
        "Python": platform.python_version(),
        "rlq": __version__,
        **{name: metadata.version(name) for name in LIBRARIES},
    }
    if device != "cpu":
        import torch

        about["device"] = torch.cuda.get_device_name()
    return about


def as_markdown(name: str, results: Results, seconds: float) -> str:
    """Return one benchmark as a section of a page that is also readable on a screen."""
    parts = [f"## {name}  ({seconds:.0f} s)"]
    for table in results.tables:
        parts.append(f"### {table.title}\n\n" + _grid(table.columns, table.rows))
        if table.note:
            parts.append(table.note)
    if results.goals:
        rows = [
            (
                goal.name,
                f"{goal.relation} {_cell(goal.target)}",
                goal.value,
                {True: "yes", False: "**no**", None: "-"}[goal.met],
                goal.why,
            )
            for goal in results.goals
        ]
        parts.append("### Goals\n\n" + _grid(("goal", "wanted", "found", "met", ""), rows))
    parts += results.notes
    return "\n\n".join(parts) + "\n"


def as_tree(results: Results, seconds: float) -> dict[str, Any]:
    """Return the same for programs."""
    return {
        "seconds": round(seconds, 1),
        "tables": [
            {
                "title": table.title,
                "columns": list(table.columns),
                "rows": [list(row) for row in table.rows],
                "note": table.note,
            }
            for table in results.tables
        ],
        "goals": [
            {"name": g.name, "relation": g.relation, "wanted": g.target, "found": g.value, "met": g.met, "why": g.why}
            for g in results.goals
        ],
        "notes": list(results.notes),
    }


def machine_words(about: Mapping[str, str]) -> str:
    """Return the machine in one paragraph."""
    return ", ".join(f"{name} {value}" for name, value in about.items()) + "."


def _grid(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """Return a Markdown table whose columns of numbers are aligned to the right."""
    numeric = [any(isinstance(row[i], int | float) for row in rows) for i in range(len(columns))]
    texts = [[_cell(value) for value in row] for row in rows]
    return markdown(texts, list(columns), to_right=numeric)


def _cell(value: Cell) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool) or not isinstance(value, float):
        return str(value)
    if value == 0 or 0.001 <= abs(value) < 1000:
        return f"{value:.3g}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.1e}"


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
