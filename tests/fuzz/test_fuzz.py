"""Every parser against broken inputs, always the same: a few here, more in the slow form, 20,000 in `run.py`."""

import pytest
from fuzzing import Broken, Target, fuzz, judge, kind_of
from hypothesis import strategies as st
from marks import slow
from mutations import EDITS, TOKENS
from targets import TARGETS

from rlq.core.errors import DataError

BY_NAME = {target.name: target for target in TARGETS}
FEW = 8  # inputs of each parser
MORE = 3000  # of the slow form, of all parsers together


def test_every_parser_has_a_name_of_its_own_and_is_fuzzed():
    assert len(BY_NAME) == len(TARGETS) >= 39 and all(target.seeds for target in TARGETS)


@pytest.mark.parametrize("name", BY_NAME)
def test_the_projects_own_files_are_accepted(name, tmp_path):
    for files in BY_NAME[name].seeds:
        assert judge(BY_NAME[name].parse, files, tmp_path) is None


@pytest.mark.parametrize("name", BY_NAME)
def test_a_parser_returns_or_says_what_is_wrong(name, tmp_path):
    tally = fuzz(BY_NAME[name], FEW, tmp_path)
    assert 0 < tally.inputs == tally.accepted + tally.refused <= FEW


@pytest.mark.slow
@pytest.mark.parametrize("name", BY_NAME)
def test_a_parser_returns_or_says_what_is_wrong_many_times(name, tmp_path):
    share = BY_NAME[name].share / sum(target.share for target in TARGETS)
    tally = fuzz(BY_NAME[name], max(20, round(MORE * share)), tmp_path, number=7)
    assert 0 < tally.inputs == tally.accepted + tally.refused


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__.strip("_"))
def test_edits_give_bytes_whatever_they_are_given(edit):
    for content in (b"", b"a", b"path,pid\n1.jpg,x\n"):
        for place in range(len(content) + 1):
            assert all(isinstance(edit(content, place, len(content) - place, token), bytes) for token in TOKENS)


def parser(body):
    """A parser that does this with the folder."""
    return Target("made up", body, st.just({"x": b"1"}), ({"x": b"1"},))


def never_ends(folder):
    while True:
        pass


def needs_much(folder):
    return b"x" * (400 * 2**20)


def writes_beside(folder):
    (folder.parent / "stranger").write_text("x")


def writes_and_tidies_up(folder):
    (folder.parent.parent / "stranger").write_text("x")
    (folder.parent.parent / "stranger").unlink()


def starts_a_program(folder):
    import subprocess

    subprocess.run(["true"], check=True)


def says_nothing(folder):
    raise DataError("")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (lambda folder: {}["a"], "made up .*KeyError: 'a'\n.*x.*1"),
        (lambda folder: folder.parse(), "AttributeError"),
        (never_ends, r"0\.2 s"),
        slow(needs_much, r"\d{3} MiB"),
        (writes_beside, "stranger"),
        (writes_and_tidies_up, "stranger"),
        (starts_a_program, r"subprocess\.Popen"),
        (says_nothing, "DataError"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_parser_that_does_what_none_may_is_found(body, told, tmp_path, monkeypatch):
    if body is never_ends:
        monkeypatch.setattr("fuzzing.PATIENCE", 0.2)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with pytest.raises(Broken, match=told):
        fuzz(parser(body), 3, scratch, shrink=False)


def test_refusals_are_counted_by_their_kind_and_words(tmp_path):
    def refuse(folder):
        raise DataError(f"{folder}: line 3 holds 'x', which is no number")

    tally = fuzz(parser(refuse), 3, tmp_path)
    assert tally.accepted == 0 < tally.refused == tally.refusals["DataError"]
    assert (
        tally.messages == {"line holds which is no number"} == {kind_of(DataError("line 9 holds which is no number"))}
    )
