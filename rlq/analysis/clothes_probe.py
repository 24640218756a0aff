"""The clothes that linear probes can read from the features f_CAL and f_BOT, on people that were not trained on."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from pydantic import Field, StrictInt
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from rlq.analysis.base import Outcome
from rlq.analysis.clothes_questions import Question, same_outfit, upper_colour
from rlq.analysis.runs import ModelOptions, OpenModel, Source, by_name, common_set
from rlq.core.config import validate
from rlq.core.console import Console
from rlq.core.errors import DataError
from rlq.core.seeding import generator
from rlq.core.settings import Count
from rlq.core.shapes import check_shapes
from rlq.core.text import markdown, percent
from rlq.evaluation.baselines import histogram_features
from rlq.weights.alone import alone

HISTOGRAM = "colour histogram"
STRENGTH = 0.01  # of the classifier (scikit-learn's C): features are many and pictures few


class Options(ModelOptions):
    """The options of this analysis."""

    ask: Annotated[tuple[Literal["pairs", "colour"], ...], Field(min_length=1)] = ("pairs", "colour")
    pairs: Count = 20  # per person, at most, of the same and of other clothes each
    pictures: Count = 1000  # whose colour is predicted, at most
    colours: Annotated[StrictInt, Field(ge=2)] = 6
    folds: Annotated[StrictInt, Field(ge=2)] = 5  # groups of people; each is tested by a probe fitted on the others


class Score(NamedTuple):
    """Balanced accuracy (the mean over classes of the share that is right) per group of people."""

    folds: list[float]
    chance: float  # of a constant answer

    @property
    def mean(self) -> float:
        return float(np.mean(self.folds))

    @property
    def sd(self) -> float:
        return float(np.std(self.folds, ddof=1))


def draw(sources: Sequence[Source], *, seed: int, console: Console, options: Mapping[str, Any]) -> Outcome:
    """Probe the features of the test people, and as a baseline the colour histogram, which is mostly about clothes."""
    chosen = validate(Options, options, "clothes_probe")
    with alone() as place:
        data = common_set(sources, chosen, place, console)
        records = [*data.query, *data.gallery]
        questions = [
            same_outfit(records, chosen.pairs, seed)
            if word == "pairs"
            else upper_colour(records, chosen.pictures, chosen.colours, seed)
            for word in dict.fromkeys(chosen.ask)
        ]
        used = np.unique(np.concatenate([question.pictures for question in questions]))

        def probe_all(features: NDArray) -> dict[str, Score]:
            """features [used, D]."""
            spread = np.zeros((len(records), features.shape[1]), np.float32)
            spread[used] = features
            return {one.title: probe(spread, one, chosen.folds, seed) for one in questions}

        scores = {HISTOGRAM: probe_all(histogram_features([records[i] for i in used]))}
        for name, one in by_name(sources).items():
            model = OpenModel(one, chosen.weights, place, console)
            features = model.features([records[i] for i in used])
            parts = branch_parts(features, model.model.branches)
            scores |= {f"{name} {branch}".strip(): probe_all(part) for branch, part in parts.items()}
    titles = [question.title for question in questions]
    rows = [[name, *(cell for t in titles for cell in (percent(of[t].mean), percent(of[t].sd)))]
            for name, of in scores.items()]  # fmt: skip
    chance = scores[HISTOGRAM]
    rows.append(["chance", *(cell for title in titles for cell in (percent(chance[title].chance), "-"))])
    numbers = {
        "dataset": data.name,
        "questions": {
            one.title: {
                "asked": len(one.answer),
                "people": int(one.person.max()) + 1,
                "chance": chance[one.title].chance,
                "balanced_accuracy": {
                    name: {"mean": of[one.title].mean, "folds": of[one.title].folds} for name, of in scores.items()
                },
            }
            for one in questions
        },
    }
    header = [f"{data.name}, balanced accuracy", *(cell for title in titles for cell in (title, "sd"))]
    return Outcome(_figure(scores, titles, data.name), numbers, markdown(rows, header))


def branch_parts(features: NDArray, branches: Mapping[str, slice]) -> dict[str, NDArray]:
    """Cut the whole feature [N, D] into its named parts, of unit length each; one without parts stays whole."""
    if not branches:
        return {"": features}
    parts = {name: features[:, columns] for name, columns in branches.items()}
    return {name: part / np.linalg.norm(part, axis=1, keepdims=True) for name, part in parts.items()}


def probe(features: NDArray, question: Question, folds: int, seed: int) -> Score:
    """Test each group of people by a logistic regression that is fitted on all other groups.

    features [N, D] of all records that the question may count. Raises DataError for fewer people than groups.
    """
    check_shapes(features=(features, "N D"))
    people = int(question.person.max()) + 1
    if people < folds:
        raise DataError(
            f"{question.title}: {people} people cannot be split into {folds} groups; --option folds=N takes fewer"
        )
    inputs, answer = question.inputs(features), question.answer
    accuracies, chances = [], []
    for group in np.array_split(generator(seed, "clothes probe").permutation(people), folds):
        tested = np.isin(question.person, group)
        if len(np.unique(answer[~tested])) < 2:
            raise DataError(f"{question.title}: outside one of {folds} groups of people all answers are the same")
        with threadpool_limits(1):  # several threads add up in varying order
            classifier = make_pipeline(
                StandardScaler(), LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=1000)
            )
            predicted = classifier.fit(inputs[~tested], answer[~tested]).predict(inputs[tested])
        accuracies.append(balanced_accuracy(answer[tested], predicted))
        chances.append(1 / len(np.unique(answer[tested])))
    return Score(accuracies, float(np.mean(chances)))


def balanced_accuracy(answer: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    """Return the mean, over the classes of the answers [n], of the share that is predicted right [n].

    scikit-learn's function warns whenever a predicted class is not among the answers, as happens in small groups.
    """
    return float(np.mean([(predicted[answer == one] == one).mean() for one in np.unique(answer)]))


def _figure(scores_of: Mapping[str, Mapping[str, Score]], titles: Sequence[str], where: str) -> Figure:
    """Draw a panel per question with a bar per feature, and the line of chance."""
    figure = Figure(figsize=((0.8 * len(scores_of) + 1.2) * len(titles), 3.4), layout="constrained")
    kinds = list(
        dict.fromkeys(name.rpartition(" ")[2] for name in scores_of if name != HISTOGRAM)
    )  # one colour per branch
    colours = ["0.75" if n == HISTOGRAM else f"C{kinds.index(n.rpartition(' ')[2]) % 10}" for n in scores_of]
    for axes, title in zip(figure.subplots(1, len(titles), squeeze=False)[0], titles, strict=True):
        scores = [of[title] for of in scores_of.values()]
        bars = axes.bar(range(len(scores)), [100 * one.mean for one in scores], color=colours)
        means, spread = ([100 * value for value in of] for of in zip(*((o.mean, o.sd) for o in scores)))
        axes.errorbar(range(len(scores)), means, spread, fmt="none", color="black")
        for bar, one in zip(bars, scores, strict=True):
            axes.text(bar.get_x() + bar.get_width() / 2, 2, f"{100 * one.mean:.1f}", fontsize=8, ha="center")
        axes.axhline(100 * scores[0].chance, color="black", linestyle="--", linewidth=1, label="chance")
        names = [name.replace(" ", "\n") for name in scores_of]
        axes.set_xticks(range(len(scores)), names, fontsize=7)
        axes.set_ylim(0, 105)
        axes.set_title(title, fontsize=9)
    figure.suptitle(f"balanced accuracy of a linear probe on unseen people, %; {where}", fontsize=9)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower right", fontsize=8)
    return figure
