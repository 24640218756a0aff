"""Look at a data set before anything is trained on it: counts, broken pictures, and how far colours alone go."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from rlq.console import Console, percent, table
from rlq.data.catalogue import data_set, read
from rlq.data.pictures import find_unreadable
from rlq.data.records import Counts, Record, ReidData, counts
from rlq.distributed import Place
from rlq.evaluation.baselines import chance, histogram_features
from rlq.evaluation.evaluator import Evaluator
from rlq.evaluation.metrics import Ranking
from rlq.settings import DataSettings

SPLITS = ("train", "query", "gallery")


@dataclass(frozen=True)
class Report:
    """What was found in a data set."""

    data: ReidData
    found: Counts
    published: Counts | None
    splits: dict[str, dict[str, int]]
    unreadable: list[tuple[Path, str]]
    rankings: dict[str, Ranking]  # by colour histograms; empty when pictures are broken
    chances: dict[str, dict[str, float | None]]

    def to_json(self) -> str:
        """Per split the numbers of pictures, identities, clothes and cameras; per protocol those of queries."""
        tree: dict[str, Any] = {
            "dataset": self.data.name,
            "root": str(self.data.root),
            "fingerprint": self.data.fingerprint,
            "splits": self.splits,
            "protocols": {name.upper(): ranking.summary() for name, ranking in self.rankings.items()},
            "chance": {name.upper(): rates for name, rates in self.chances.items()},
            "published": self.published._asdict() if self.published else None,
            "unreadable": [[str(path), reason] for path, reason in self.unreadable],
        }
        return json.dumps(tree)

    def to_text(self) -> str:
        """The same for people."""
        lines = [f"{self.data.name} in {self.data.root}, fingerprint {self.data.fingerprint}", ""]
        rows = [[name, *(str(split[key]) for key in split)] for name, split in self.splits.items()]
        lines += [table(rows, header=["split", "pictures", "identities", "clothes", "cameras"]), ""]
        lines += [*self._against_published(), *self._broken()]
        if self.rankings:
            lines += ["", "ranked by colour histograms (8 stripes, 4 x 4 x 4 bins), percent:"]
            lines.append(self._histogram_table())
        return "\n".join(lines)

    def _against_published(self) -> list[str]:
        if self.published is None:
            return ["counts: none published"]
        found, published = self.found._asdict(), self.published._asdict()
        verdicts = []
        for name, value in found.items():
            wanted = published[name]
            verdict = "not published" if wanted is None else "equal" if wanted == value else f"differs from {wanted}"
            verdicts.append(f"{name} {value} ({verdict})")
        return ["counts: " + ", ".join(verdicts)]

    def _broken(self) -> list[str]:
        if not self.unreadable:
            return ["pictures: all can be read"]
        return [f"{len(self.unreadable)} pictures cannot be read:", *(f"  {p}: {why}" for p, why in self.unreadable)]

    def _histogram_table(self) -> str:
        rows = []
        for name, ranking in self.rankings.items():
            by_chance = self.chances[name]
            rates = (ranking.rank1, ranking.mAP, by_chance["rank1"], by_chance["mAP"])
            valid = f"{ranking.valid_queries} of {ranking.queries}"
            rows.append([name, *map(percent, rates), valid, str(ranking.gallery)])
        return table(rows, header=["protocol", "R-1", "mAP", "chance R-1", "chance mAP", "valid queries", "gallery"])


def check(name: str, root: Path) -> Report:
    """Read a data set whole: every name, every picture, and a ranking by colours. Raises DataError."""
    data = read(name, root)
    unreadable = find_unreadable([record.path for record in data.records], os.cpu_count() or 1)
    return Report(
        data=data,
        found=counts(data),
        published=data_set(name).counts,
        splits={split: _split(getattr(data, split)) for split in SPLITS},
        unreadable=unreadable,
        rankings={} if unreadable else histogram_rankings(data),
        chances={protocol.name: chance(data.query, data.gallery, protocol) for protocol in data.protocols},
    )


def histogram_rankings(data: ReidData) -> dict[str, Ranking]:
    """Every protocol with colour histograms for features."""
    evaluator = Evaluator(
        data, DataSettings(dataset=data.name), place=Place(torch.device("cpu")), console=Console(quiet=True)
    )
    return evaluator.rank_features(histogram_features(data.query), histogram_features(data.gallery))


def _split(records: list[Record]) -> dict[str, int]:
    return {
        "pictures": len(records),
        "identities": len({record.pid for record in records}),
        "clothes": len({record.clothes for record in records}),
        "cameras": len({record.camera for record in records}),
    }
