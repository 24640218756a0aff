"""The scores that a method's evaluation yields: their names, titles, and how they are compared and shown."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Score:
    """One number of an evaluation."""

    key: str  # as in metrics: <group>/<key>
    title: str  # in tables
    percent: bool = True  # a fraction that is shown in percent
    higher: bool = True  # whether more is better


@dataclass(frozen=True)
class ScoreTable:
    """All scores of a method; metrics are called <group>/<key>, such as CC/rank1."""

    groups: tuple[str, ...]  # protocols in the order of tables
    shown: tuple[Score, ...]  # the columns of tables; the first one is the main score
    others: tuple[Score, ...] = ()  # measured and selectable too
    tie_break: str = ""  # the key that decides between equal values of the selected score
    baselines: Mapping[str, str] = field(default_factory=dict)  # prefix of metrics -> row title, beside a run's own

    @property
    def main(self) -> Score:
        """The score by which rows are sorted and seeds are chosen."""
        return self.shown[0]

    @property
    def all(self) -> tuple[Score, ...]:
        """Every score, the shown ones first."""
        return (*self.shown, *self.others)

    @property
    def titles(self) -> dict[str, str]:
        """Key -> title of the shown scores."""
        return {score.key: score.title for score in self.shown}

    def metrics(self, groups: Iterable[str]) -> list[str]:
        """The names of all metrics that may select an epoch, of these groups."""
        return [f"{group}/{score.key}" for group in groups for score in self.all]

    def of(self, metric: str) -> Score | None:
        """The score that a metric's name ends in, None for other metrics."""
        last = metric.rpartition("/")[2]
        return next((score for score in self.all if score.key == last), None)

    def is_shown(self, metric: str) -> bool:
        """Whether a metric is <group>/<key> of a shown score, possibly behind a prefix such as best/."""
        return "/" in metric and metric.rpartition("/")[2] in self.titles

    def order(self, groups: Iterable[str]) -> list[str]:
        """These groups in the order of tables, unknown ones last."""
        given = list(dict.fromkeys(groups))
        return [group for group in self.groups if group in given] + [g for g in given if g not in self.groups]


RANKING = ScoreTable(
    groups=("CC", "SC", "General"),
    shown=(Score("rank1", "rank-1"), Score("mAP", "mAP")),
    others=(Score("rank5", "rank-5"), Score("rank10", "rank-10"), Score("rank20", "rank-20")),
    tie_break="mAP",
    baselines={"chance": "chance", "histogram": "colour histogram", "untrained": "untrained network"},
)
