"""The gender of wrong first matches, compared with that of their queries (RLQ, figure 8 right)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from rlq.analysis.base import Outcome
from rlq.analysis.runs import ModelOptions, OpenModel, Source, by_name, common_set, protocol_of
from rlq.core.config import validate
from rlq.core.console import Console
from rlq.core.errors import DataError
from rlq.core.scores import RANKING
from rlq.core.text import markdown
from rlq.data.records import Protocol, Record, ReidData
from rlq.evaluation.protocols import evaluate, labels_of, of_cameras
from rlq.evaluation.rank_list import rank_list
from rlq.labels.gender import Answer, person_of, read_answers
from rlq.methods.catalogue import method_of
from rlq.weights.alone import alone

GENDERS: dict[Answer, str] = {"f": "female", "m": "male"}
ROWS = 128  # queries per block


class Options(ModelOptions):
    """The options of this analysis."""

    protocol: str | None = None  # None: the first of CC, SC, General that the data set has
    file: str | None = None  # genders; None: the first run's cap.gender.file, else <set>/rlq/gender.csv


def draw(sources: Sequence[Source], *, seed: int, console: Console, options: Mapping[str, Any]) -> Outcome:
    """Take the query's gender as the truth, that of the first match as the prediction. Nothing here is random."""
    chosen = validate(Options, options, "gender_f1")
    with alone() as place:
        data = common_set(sources, chosen, place, console)
        names = [protocol.name for protocol in data.protocols]
        protocol = protocol_of(data, chosen.protocol or RANKING.order(names)[0])
        query, gallery = answers_of(data, sources[0], chosen.file)
        runs = {}
        for name, one in by_name(sources).items():
            model = OpenModel(one, chosen.weights, place, console)
            queries, matches = wrong_matches(data, protocol, *model.evaluator(data).features())
            runs[name] = judge([query[i] for i in queries], [gallery[i] for i in matches])
    rows = [
        [name, *(_two_digits(run["f1"][word]) for word in GENDERS.values()), _two_digits(run["same_gender"]),
         str(run["wrong"]), str(run["wrong"] - run["judged"])]
        for name, run in runs.items()
    ]  # fmt: skip
    header = [f"{data.name}, {protocol.name}", "F1 female", "F1 male", "same gender", "wrong matches", "in doubt"]
    numbers = {"dataset": data.name, "protocol": protocol.name, "runs": runs}
    return Outcome(_figure(runs, f"{data.name}, {protocol.name}"), numbers, markdown(rows, header))


def answers_of(data: ReidData, source: Source, file: str | None) -> tuple[list[Answer], list[Answer]]:
    """Return m, f or u of every query and gallery picture. Raises DataError where a person has no answer."""
    settings = source.settings
    label_file = method_of(settings).label_file(settings, "gender") if settings.data.dataset == data.name else None
    named = file or label_file
    path = Path(named) if named else data.side_files / "gender.csv"
    if not named and not path.is_file() and "gender" in data.attributes:
        male = data.attributes["gender"]
        answers: dict[Path, Answer] = {
            r.path: "m" if male[r.path] else "f" for r in (*data.query, *data.gallery) if r.path in male
        }
        return _all(data.query, answers, data), _all(data.gallery, answers, data)
    if not path.is_file():
        raise DataError(f"there is no {path}, and wrong matches need the test people's genders; "
                        f"rlq gender annotate --data {data.name} makes it")  # fmt: skip
    listed = read_answers(path)
    people = {r.path: listed[person_of(r)] for r in (*data.query, *data.gallery) if person_of(r) in listed}
    return _all(data.query, people, path), _all(data.gallery, people, path)


def wrong_matches(
    data: ReidData, protocol: Protocol, query: NDArray, gallery: NDArray
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the queries with a match whose first match is wrong, and that gallery picture: indices, [W] each.

    query [Q, D] and gallery [G, D] are features.
    """
    rows, columns = of_cameras(data.query, protocol.query_cameras), of_cameras(data.gallery, protocol.gallery_cameras)
    ranking = evaluate(data.query, data.gallery, [protocol], query, gallery)[protocol.name]
    wrong = rows[ranking.first_match > 1]
    gallery_labels = labels_of(data.gallery, columns, protocol.junk_by)
    matches: list[int] = []
    for start in range(0, len(wrong), ROWS):
        block = wrong[start : start + ROWS]
        labels = labels_of(data.query, block, protocol.junk_by)
        lists = rank_list(query[block], gallery[columns], labels, gallery_labels, protocol.rule, top=1)
        matches += [int(columns[ranked.gallery[0]]) for ranked in lists]
    return wrong, np.array(matches, np.int64)


def judge(truth: Sequence[Answer], prediction: Sequence[Answer]) -> dict[str, Any]:
    """Return F1 of both genders over the pairs in which both are known; None where there is no such pair."""
    pairs = [(a, b) for a, b in zip(truth, prediction, strict=True) if "u" not in (a, b)]
    counts = {f"{GENDERS[a]} for {GENDERS[b]}": pairs.count((b, a)) for b in GENDERS for a in GENDERS}
    f1: Sequence[float | None] = [None, None]
    if pairs:
        true, predicted = zip(*pairs)
        f1 = [float(one) for one in f1_score(true, predicted, labels=list(GENDERS), average=None, zero_division=0.0)]
    return {
        "wrong": len(truth),
        "judged": len(pairs),
        "f1": dict(zip(GENDERS.values(), f1, strict=True)),
        "same_gender": sum(a == b for a, b in pairs) / len(pairs) if pairs else None,
        "found": counts,
    }


def _all(records: Sequence[Record], answers: Mapping[Path, Answer], origin: object) -> list[Answer]:
    missing = sorted({record.pid for record in records if record.path not in answers})
    if missing:
        raise DataError(f"{getattr(origin, 'name', origin)} has no gender of {len(missing)} test people: "
                        f"{', '.join(missing[:5])}{', ...' if len(missing) > 5 else ''}")  # fmt: skip
    return [answers[record.path] for record in records]


def _two_digits(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _figure(runs: Mapping[str, Any], where: str) -> Figure:
    """Draw two bars per run."""
    figure = Figure(figsize=(1.3 * len(runs) + 1.8, 3.2), layout="constrained")
    axes = figure.subplots()
    for number, (word, colour) in enumerate(zip(GENDERS.values(), ("#b5539c", "#3b78b8"), strict=True)):
        heights = [run["f1"][word] or 0 for run in runs.values()]
        places = [place + 0.4 * number - 0.2 for place in range(len(runs))]
        bars = axes.bar(places, heights, 0.38, color=colour, label=word)
        axes.bar_label(bars, fmt="%.2f", fontsize=8)
    counted = [f"{name}\n{run['judged']} wrong" for name, run in runs.items()]
    axes.set_xticks(range(len(runs)), counted, fontsize=8)
    axes.set(ylim=(0, 1.08), ylabel="F1")
    axes.set_title(f"gender of wrong first matches\n{where}", fontsize=9)
    axes.legend(fontsize=8, ncols=2)
    return figure
