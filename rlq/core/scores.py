"""The scores of a method's evaluation: their names, titles, and how they are compared and shown."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from rlq.core.text import mean_and_sd

Goal = Literal["maximize", "minimize"]


@dataclass(frozen=True)
class Score:
    """One number of an evaluation."""

    key: str  # its part of a metric's name: <group>/<key>
    title: str  # in tables
    percent: bool = True  # whether it is a fraction that is shown in percent
    higher: bool = True  # whether higher is better
    short: str = ""  # a title for narrow columns; "": the title itself

    @property
    def heading(self) -> str:
        """The title of a narrow column."""
        return self.short or self.title

    @property
    def goal(self) -> Goal:
        """Whether a search maximizes or minimizes it."""
        return "maximize" if self.higher else "minimize"

    def best(self, values: Iterable[float]) -> float:
        """Return the best of some values."""
        return max(values) if self.higher else min(values)

    def text(self, value: float | None, sd: float | None = None) -> str:
        """Return a value as tables show it, with its standard deviation if there is one; "-" for None.

        >>> Score("rank1", "rank-1").text(0.4567, 0.0123), Score("error", "error", percent=False).text(0.4567)
        ('45.7 ± 1.2', '0.4567')
        """
        if self.percent or value is None:
            return mean_and_sd(value, sd)
        return f"{value:.4g}" if sd is None else f"{value:.4g} ± {sd:.2g}"

    def signed(self, difference: float) -> str:
        """Return a difference with its sign; one that rounds to zero has none.

        >>> Score("rank1", "rank-1").signed(0.0123), Score("rank1", "rank-1").signed(-0.0004)
        ('+1.2', '0.0')
        """
        text = f"{100 * difference:+.1f}" if self.percent else f"{difference:+.4g}"
        return text if float(text) else text[1:]

    def published(self, value: float) -> str:
        """Return a number as a paper prints it, where fractions are in percent already."""
        return f"{value:.1f}" if self.percent else f"{value:.4g}"


@dataclass(frozen=True)
class ScoreTable:
    """All scores of a method; metrics are called <group>/<key>, such as CC/rank1."""

    groups: tuple[str, ...]  # protocols in the order of tables
    shown: tuple[Score, ...]  # the columns of tables; the first one is the main score
    others: tuple[Score, ...] = ()  # also measured and selectable
    tie_break: str = ""  # the key that decides between equal values of the selected score
    baselines: Mapping[str, str] = field(default_factory=dict)  # prefix of metrics -> row title

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

    @property
    def default_metric(self) -> str:
        """The main score of the first group, such as CC/rank1."""
        return f"{self.groups[0]}/{self.main.key}"

    @property
    def percent_note(self) -> str:
        """The unit of the shown scores for a note: "percent" if all are in percent, "" if none is."""
        titles = [score.title for score in self.shown if score.percent]
        return "percent" if len(titles) == len(self.shown) else f"{' and '.join(titles)} in percent" if titles else ""

    def metrics(self, groups: Iterable[str]) -> list[str]:
        """Return the names of all metrics of these groups that may select an epoch."""
        return [f"{group}/{score.key}" for group in groups for score in self.all]

    def of(self, metric: str) -> Score | None:
        """Return the score at the end of a metric's name; None for other metrics."""
        last = metric.rpartition("/")[2]
        return next((score for score in self.all if score.key == last), None)

    def is_percent(self, metric: str) -> bool:
        """Return whether a metric is shown in percent: by its score, or because it is an accuracy."""
        score = self.of(metric)
        return score.percent if score is not None else metric.endswith("accuracy")

    def goal(self, metric: str) -> Goal:
        """Return whether a metric is maximized or minimized; metrics that are not scores are maximized."""
        score = self.of(metric)
        return score.goal if score is not None else "maximize"

    def is_shown(self, metric: str) -> bool:
        """Return whether a metric is <group>/<key> of a shown score, possibly after a prefix such as best/."""
        return "/" in metric and metric.rpartition("/")[2] in self.titles

    def order(self, groups: Iterable[str]) -> list[str]:
        """Return these groups in the order of tables, unknown groups last."""
        unique = list(dict.fromkeys(groups))
        return [group for group in self.groups if group in unique] + [g for g in unique if g not in self.groups]


def united(tables: Iterable[ScoreTable]) -> ScoreTable:
    """Return one table of the groups and scores of several; of scores with the same key, the first counts."""
    groups: list[str] = []
    shown: dict[str, Score] = {}
    others: dict[str, Score] = {}
    for table in tables:
        groups += table.groups
        shown |= {score.key: score for score in table.shown if score.key not in shown}
        others |= {score.key: score for score in table.others if score.key not in others}
    return ScoreTable(
        groups=tuple(dict.fromkeys(groups)),
        shown=tuple(shown.values()),
        others=tuple(score for key, score in others.items() if key not in shown),
    )


RANKING = ScoreTable(
    groups=("CC", "SC", "General"),
    shown=(Score("rank1", "rank-1", short="R-1"), Score("mAP", "mAP")),
    others=tuple(Score(f"rank{k}", f"rank-{k}", short=f"R-{k}") for k in (5, 10, 20)),
    tie_break="mAP",
    baselines={"chance": "chance", "histogram": "colour histogram", "untrained": "untrained network"},
)
RANKING_COLUMNS = (RANKING.shown[0], *RANKING.others, RANKING.shown[1])  # as evaluations list them: mAP comes last
