"""A made-up method whose scores are no ranks: a rate in percent, and an error of which less is better."""

from types import SimpleNamespace
from typing import Any

import pytest
from table_rows import SETTINGS, made_up

from rlq.ablation.rows import Row
from rlq.core.scores import Score, ScoreTable
from rlq.methods.catalogue import METHODS

PARTS = ScoreTable(
    groups=("PAR",), shown=(Score("mA", "mean accuracy"), Score("error", "error", percent=False, higher=False))
)


def add_method(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the method `parts` known for one test."""
    monkeypatch.setitem(METHODS, "parts", SimpleNamespace(name="parts", scores=PARTS))


def parts_row(name: str, seed: int, accuracy: float, error: float, **changes: Any) -> Row:
    """A finished row of the method `parts`."""
    metrics = {f"{prefix}/PAR/{key}": value for prefix in ("best", "last") for key, value in
               (("mA", accuracy), ("error", error))}  # fmt: skip
    settings = SETTINGS | {"method": "parts", "schedule.select": "PAR/mA"}
    return made_up(name, seed, **({"metrics": metrics, "settings": settings, "per_query": {}} | changes))
