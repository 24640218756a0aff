"""What a benchmark has found: tables, goals and whether they are met, and the machine it ran on."""

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
        odd = [row for row in self.rows if len(row) != len(self.columns)]
        if odd:
            raise ValueError(f"{self.title}: {odd[0]} does not have {len(self.columns)} cells")


@dataclass(frozen=True)
class Goal:
    """Something that should be at most or at least so much; `found` None: not measured here, and `why` says so."""

    name: str
    relation: Literal["<=", ">="]
    wanted: float
    found: float | None
    why: str = ""  # what explains a gap, or why there is no figure

    @property
    def met(self) -> bool | None:
        if self.found is None:
            return None
        return self.found <= self.wanted if self.relation == "<=" else self.found >= self.wanted


@dataclass(frozen=True)
class Findings:
    """All of one benchmark."""

    tables: Sequence[Table] = ()
    goals: Sequence[Goal] = ()
    notes: Sequence[str] = field(default_factory=tuple)


def machine(device: str = "cpu") -> dict[str, str]:
    """What the figures depend on."""
    found = {
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

        found["device"] = torch.cuda.get_device_name()
    return found


def as_markdown(name: str, findings: Findings, seconds: float) -> str:
    """One benchmark as a section of a page, readable on a screen too."""
    parts = [f"## {name}  ({seconds:.0f} s)"]
    for table in findings.tables:
        parts.append(f"### {table.title}\n\n" + _grid(table.columns, table.rows))
        if table.note:
            parts.append(table.note)
    if findings.goals:
        rows = [
            (
                goal.name,
                f"{goal.relation} {_cell(goal.wanted)}",
                goal.found,
                {True: "yes", False: "**no**", None: "-"}[goal.met],
                goal.why,
            )
            for goal in findings.goals
        ]
        parts.append("### Goals\n\n" + _grid(("goal", "wanted", "found", "met", ""), rows))
    parts += findings.notes
    return "\n\n".join(parts) + "\n"


def as_tree(findings: Findings, seconds: float) -> dict[str, Any]:
    """The same for programs."""
    return {
        "seconds": round(seconds, 1),
        "tables": [
            {
                "title": table.title,
                "columns": list(table.columns),
                "rows": [list(row) for row in table.rows],
                "note": table.note,
            }
            for table in findings.tables
        ],
        "goals": [
            {"name": g.name, "relation": g.relation, "wanted": g.wanted, "found": g.found, "met": g.met, "why": g.why}
            for g in findings.goals
        ],
        "notes": list(findings.notes),
    }


def machine_words(about: Mapping[str, str]) -> str:
    """The machine in one paragraph."""
    return ", ".join(f"{name} {value}" for name, value in about.items()) + "."


def _grid(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """Columns that hold a number are aligned to the right."""
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
