from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rlq.analysis.clothes_probe import balanced_accuracy, branch_parts, probe
from rlq.analysis.clothes_questions import Question, mean_colour, same_outfit, upper_colour
from rlq.core.errors import DataError
from rlq.data.records import Record


def person(pid: str, *seen: str) -> list[Record]:
    """Pictures such as "A1": camera A, outfit 1."""
    return [
        Record(Path(f"/{pid}_{i}.png"), pid, one[0], f"{pid}_{one[1:]}", "query", f"{pid}_{i}")
        for i, one in enumerate(seen)
    ]


def test_pairs_are_of_one_person_and_two_cameras_and_both_kinds_are_equally_many():
    records = [
        *person("1", "A1", "A1", "B1", "C2", "C2"),
        *person("2", "A1", "B2"),
        *person("3", "A1", "B1", "C1", "C2"),
    ]
    asked = same_outfit(records, 9, seed=0)
    for who, pid in enumerate(("1", "3")):  # person 2 has no pair in the same clothes
        own = [i for i, record in enumerate(records) if record.pid == pid]
        across = [(a, b) for a, b in combinations(own, 2) if records[a].camera != records[b].camera]
        same = [(a, b) for a, b in across if records[a].clothes == records[b].clothes]
        mine = asked.person == who
        pairs = list(zip(asked.first[mine].tolist(), asked.second[mine].tolist(), asked.answer[mine].tolist()))
        count = min(len(same), len(across) - len(same))
        assert sum(answer for *_, answer in pairs) == count and len(pairs) == 2 * count
        assert all((a, b) in across and answer == ((a, b) in same) for a, b, answer in pairs)
    assert set(asked.person) == {0, 1}
    assert len(same_outfit(records, 1, seed=0).answer) == 4
    with pytest.raises(DataError, match=r"--option ask=\[colour\]"):
        same_outfit(person("1", "A1", "B2", "C3"), 9, seed=0)


def test_a_probe_reads_what_is_there_and_finds_nothing_in_noise():
    records = [record for pid in range(12) for record in person(str(pid), "A1", "B1", "C2", "D2")]
    asked = same_outfit(records, 4, seed=0)
    random = np.random.default_rng(1)
    noise = random.standard_normal((len(records), 8)).astype(np.float32)
    outfits = np.unique([record.clothes for record in records], return_inverse=True)[1]
    worn = random.standard_normal((outfits.max() + 1, 8))[outfits] + 0.05 * noise
    assert probe(worn.astype(np.float32), asked, 4, seed=0).mean > 0.95
    assert abs(probe(noise, asked, 4, seed=0).mean - 0.5) < 0.2
    assert probe(noise, asked, 4, seed=0) == probe(noise, asked, 4, seed=0)


def test_no_person_is_both_learnt_and_judged():
    who = np.repeat(np.arange(10), 6)
    asked = Question("colour", np.arange(60), None, who % 2, who)
    told = probe(np.eye(10, dtype=np.float32)[who], asked, 5, seed=0)  # a feature that names the person, and no more
    assert told.mean <= 0.5 and len(told.folds) == 5


def test_too_few_people_are_refused():
    asked = Question("colour", np.arange(4), None, np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1]))
    with pytest.raises(DataError, match=r"colour\b.*\b2\b.*\b3\b"):
        probe(np.ones((4, 2), np.float32), asked, 3, seed=0)
    alone = asked._replace(answer=np.array([0, 0, 1, 1]))
    with pytest.raises(DataError, match=r"colour\b.*\b2\b"):
        probe(np.ones((4, 2), np.float32), alone, 2, seed=0)


def test_balanced_accuracy_is_the_mean_share_of_every_class():
    answer, said = np.array([0, 0, 0, 1, 2, 2]), np.array([0, 0, 5, 1, 0, 0])
    assert balanced_accuracy(answer, said) == pytest.approx((2 / 3 + 1 + 0) / 3)


def test_colours_are_those_of_the_upper_body(tmp_path):
    records, truth = [], []
    for i, colour in enumerate([(200, 30, 30), (30, 160, 40), (40, 50, 190)] * 3):
        picture = np.full((40, 20, 3), 10 * i, np.uint8)  # what stands around it does not count
        picture[8:20, 5:15] = np.array(colour) + i
        Image.fromarray(picture).save(tmp_path / f"{i}.png")
        records.append(Record(tmp_path / f"{i}.png", str(i), "A", str(i), "query", str(i)))
        truth.append(i % 3)
    for i, colour in ((0, (200, 30, 30)), (4, (34, 164, 44))):
        plain = np.full((40, 20, 3), colour, np.uint8)
        assert mean_colour(np.array(Image.open(tmp_path / f"{i}.png"))) == pytest.approx(mean_colour(plain))
    asked = upper_colour(records, 100, 3, seed=0)
    assert len({(a, b) for a, b in zip(truth, asked.answer.tolist())}) == 3
    with pytest.raises(DataError, match=r"\b9\b.*\b10\b"):
        upper_colour(records, 100, 10, seed=0)


def test_branches_are_cut_apart_as_they_were_joined():
    bot, cal = np.random.default_rng(0).standard_normal((2, 3, 4))
    joined = np.concatenate([bot, cal], axis=1)
    joined /= np.linalg.norm(joined, axis=1, keepdims=True)
    parts = branch_parts(joined, {"f_BOT": slice(0, 4), "f_CAL": slice(4, 8)})
    assert list(parts) == ["f_BOT", "f_CAL"]
    for part, whole in zip(parts.values(), (bot, cal), strict=True):
        np.testing.assert_allclose(part, whole / np.linalg.norm(whole, axis=1, keepdims=True), rtol=1e-6)
    assert list(branch_parts(joined, {"f_CAL": slice(0, 8)})) == ["f_CAL"]
    np.testing.assert_array_equal(branch_parts(joined, {})[""], joined)  # a feature without named parts stays whole


def test_both_branches_of_a_run_are_asked_both_questions(trained, ask):
    drawn = ask("clothes_probe", trained, folds=2, colours=3)
    questions = drawn.numbers["questions"]
    assert list(questions) == ["same outfit or not", "upper colour, one of 3"]
    for question in questions.values():
        scores = question["balanced_accuracy"]
        assert list(scores) == ["colour histogram", "whole f_BOT", "whole f_CAL"]
        assert all(0 <= one["mean"] <= 1 and len(one["folds"]) == 2 for one in scores.values())
    assert questions["same outfit or not"]["chance"] == 0.5
    assert len(drawn.figure.axes) == 2 and drawn.text.splitlines()[-1].startswith("| chance")
