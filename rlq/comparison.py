"""Plain CAL, the base model and RLQ with the same settings and the same number of epochs over the target set."""

import time
from pathlib import Path

from rlq import experiment
from rlq.console import Console, percent, table

# What each is, as changes to RLQ. Plain CAL: one branch, neither triplet nor attributes nor distillation.
WITHOUT_CAP = ("cap.pose.enabled=false", "cap.gender.enabled=false")
VARIANTS: dict[str, tuple[str, ...]] = {
    "CAL": (*WITHOUT_CAP, "tad.enabled=false", "branches=[cal]", "losses.triplet=0", "schedule.baselines=false"),
    "BM": (*WITHOUT_CAP, "tad.enabled=false", "schedule.baselines=false"),
    "RLQ": (),
}
TITLES = {"CAL": "plain CAL", "BM": "base model", "RLQ": "RLQ"}


def compare(file: Path, changes: tuple[str, ...], *, console: Console | None = None) -> str:
    """Train all three, one after the other, and return the table of their best epochs."""
    console = console or Console()
    rows, notes, names = [], [], []
    for variant, own in VARIANTS.items():
        console.line(f"\n== {TITLES[variant]} ==")
        started = time.monotonic()
        result = experiment.run(experiment.load(file, (*changes, *own, f"variant={variant}")), console=console)
        names = sorted({name.split("/")[1] for name in result.metrics if name.startswith("best/") and "/rank1" in name})
        cells = [percent(result.metrics.get(f"best/{n}/{m}")) for n in names for m in ("rank1", "mAP")]
        rows.append([TITLES[variant], *cells, f"{time.monotonic() - started:.0f}", result.run_id[:8]])
        notes.append(result.settings.schedule.epochs)
    header = ["", *(f"{name} {m}" for name in names for m in ("rank-1", "mAP")), "seconds", "run"]
    return "\n".join(
        [
            "",
            table(rows, header=header),
            f"best epoch of {notes[0]} over the target set each, one seed; RLQ also passes over the external set,",
            "and its seconds hold the teacher where that had to be trained",
        ]
    )
