"""Finished rows as `rlq ablate` keeps them, made up: what the tests of reports share."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from rlq.ablation.rows import Row
from rlq.ablation.table import Variant
from rlq.core.seeding import generator
from rlq.report.content import Material

QUERIES = 60
SETTINGS = {"seed": 1, "optim.lr": 1e-3, "tad.enabled": False, "schedule.select": "CC/rank1", "tracking.name": None}


def made_up(name: str, seed: int, *, skill: float = 0.0, queries: int = QUERIES, **changes: Any) -> Row:
    """A row whose queries are as hard for every row: `skill` lifts all; the last query has no match."""
    hard = generator("queries", queries).random(queries)
    luck = generator(name, seed).normal(0, 0.05, queries)
    precision = np.clip(hard + skill + luck, 0.01, 1).round(5)
    first = np.where(precision > 0.5, 1, 4)
    first[-1] = 0
    valid = first > 0
    scores = {"rank1": float((first[valid] == 1).mean()), "mAP": float(precision[valid].mean())}
    metrics = {f"best/CC/{metric}": score for metric, score in scores.items()}
    metrics |= {f"last/CC/{metric}": score - 0.02 for metric, score in scores.items()}
    row = {
        "table": "parts",
        "base": "synthetic",
        "row": name,
        "seed": seed,
        "dataset": "synthetic",
        "selection": "test",
        "fingerprint": f"{name}-{seed}",
        "data_fingerprint": "d" * 16,
        "settings": SETTINGS | {"seed": seed},
        "metrics": metrics,
        "seconds": {"training": 1.0},
        "run_id": f"{name}-{seed}".encode().hex()[:32],
        "folder": f"runs/{name}-{seed}",
        "commit": "c" * 40,
        "versions": {"torch": "2.11.0"},
        "device": "cpu",
        "finished": "2026-01-01T00:00:00+00:00",
        "per_query": {
            "CC": {
                "queries": "0" * 16,
                "ap": [float(p) if v else None for p, v in zip(precision, valid, strict=True)],
                "first_match": first.tolist(),
            }
        },
    }
    return Row(**(row | changes))


def material(rows: Sequence[Row], **changes: Any) -> Material:
    """A table of just these rows, in order, for seeds 1 and 2; the first is the reference."""
    names = list(dict.fromkeys(row.row for row in rows))
    made = {
        "base": "synthetic",
        "variants": tuple(Variant(name=name) for name in names),
        "rows": tuple(rows),
        "protocols": ("CC",),
        "seeds": (1, 2),
        "reference": names[0] if names else None,
    }
    return Material(**(made | changes))
