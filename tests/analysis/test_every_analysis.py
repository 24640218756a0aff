"""What every analysis of the catalogue has to pass. A new one joins with one entry in QUESTIONS."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from naming import assert_names

from rlq.analysis import ANALYSES, Outcome, Source, analyse
from rlq.core.config import with_values
from rlq.core.console import Console
from rlq.core.errors import RlqError, SettingsError


@dataclass(frozen=True)
class Question:
    """Options that make an analysis short, and what it is compared with where it needs two runs."""

    options: dict[str, Any] = field(default_factory=dict)
    beside: str = "changed"  # the same run with another setting; or "untrained", weights that never learnt


QUESTIONS = {
    "curves": Question(),
    "robustness": Question({"kinds": ["motion"], "severities": [5]}),
    "gender_f1": Question(),
    "tsne": Question({"pictures": 8}),
    "rank_lists": Question({"queries": 2, "top": 3, "protocol": "General"}, beside="untrained"),
    "sharpness": Question({"pictures": 12}),
    "clothes_probe": Question({"folds": 2, "colours": 3}),
    "retrieval": Question({"pictures": 8}),
    "sweep": Question({"parameter": "cap.pose.clusters"}),
}
every_analysis = pytest.mark.parametrize("name", ANALYSES)


@pytest.fixture(scope="module")
def sources(trained: Source, untrained: Source) -> Callable[[str], list[Source]]:
    """The fewest runs that an analysis takes."""
    settings = trained.settings
    changed = type(settings).model_validate(with_values(settings.model_dump(), {"cap.pose.clusters": 7}))
    others = {"changed": replace(trained, name="changed", settings=changed), "untrained": untrained}
    return lambda name: [trained, others[QUESTIONS[name].beside]][: ANALYSES[name].least]


@pytest.fixture(scope="module")
def answer(ask, sources) -> Callable[[str], Outcome]:
    """The outcome of an analysis; each is drawn once."""
    drawn: dict[str, Outcome] = {}

    def answer(name: str) -> Outcome:
        if name not in drawn:
            drawn[name] = ask(name, *sources(name), seed=0, **QUESTIONS[name].options)
        return drawn[name]

    return answer


def test_every_analysis_of_the_catalogue_has_a_question():
    assert QUESTIONS.keys() == ANALYSES.keys()


@every_analysis
def test_its_numbers_are_json_without_nan_and_its_text_is_a_table(name, answer):
    drawn = answer(name)
    text = json.dumps(drawn.numbers, allow_nan=False)
    assert drawn.numbers and json.loads(text) == json.loads(json.dumps(drawn.numbers))
    assert all(isinstance(key, str) for key in drawn.numbers)
    header, rule, *rows = (line for line in drawn.text.splitlines() if line.startswith("|"))
    assert rows and {header.count("|")} == {line.count("|") for line in (rule, *rows)} and set(rule) <= set("|-: ")


@every_analysis
def test_its_figure_can_be_saved(name, answer):
    figure = answer(name).figure
    assert figure.axes
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=20)
    assert picture.getvalue().startswith(b"\x89PNG")


@every_analysis
def test_the_same_seed_gives_the_same_numbers(name, answer, ask, sources):
    again = ask(name, *sources(name), seed=0, **QUESTIONS[name].options)
    assert again.numbers == answer(name).numbers and again.text == answer(name).text


@every_analysis
def test_an_option_that_it_does_not_know_is_refused_by_its_name(name, sources):
    with pytest.raises(SettingsError, match=rf"{name}\b.*\bcolour_of_the_sky\b"):
        analyse(name, sources(name), seed=0, console=Console(quiet=True), options={"colour_of_the_sky": 1})


@every_analysis
def test_an_option_of_the_wrong_kind_is_refused_by_its_name(name, sources):
    option = next(iter(QUESTIONS[name].options), "metrics" if name == "curves" else "weights")
    with pytest.raises(SettingsError) as raised:
        analyse(name, sources(name), seed=0, console=Console(quiet=True), options={option: {"a": 1}})
    assert_names(raised.value, name, option)


@every_analysis
def test_too_few_and_too_many_runs_are_refused_with_their_number(name, sources):
    analysis = ANALYSES[name]
    wrong = [analysis.least - 1, *([analysis.most + 1] if analysis.most is not None else [])]
    for count in wrong:
        with pytest.raises(RlqError) as raised:
            analyse(name, (sources(name) * 3)[:count], seed=0, console=Console(quiet=True))
        assert_names(raised.value, name, count)


@every_analysis
def test_it_has_a_title_and_a_range_of_runs(name):
    analysis = ANALYSES[name]
    assert analysis.title and analysis.least >= 1
    assert analysis.most is None or analysis.most >= analysis.least
