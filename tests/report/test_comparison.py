import numpy as np
import pytest
from naming import assert_names
from table_rows import made_up, material

from rlq.ablation.table import Variant
from rlq.core.errors import DataError, RlqError
from rlq.report.comparison import per_query, section
from rlq.report.content import Expected, ReportOptions
from rlq.report.statistics import paired_bootstrap


def rows_of(*names, seeds=(1, 2), **changes):
    return [made_up(name, seed, skill=0.1 * i, **changes) for i, name in enumerate(names) for seed in seeds]


def test_a_line_has_mean_deviation_and_the_gap_to_the_reference():
    rows = rows_of("BM", "RLQ", seeds=(1, 2, 3))
    found = section(material(rows), ReportOptions())
    assert [line.name for line in found.lines] == ["BM", "RLQ"] and found.reference == "BM"
    for metric in ("rank1", "mAP"):
        bm, rlq = (np.array([row.metrics[f"best/CC/{metric}"] for row in part]) for part in (rows[:3], rows[3:]))
        score = found.lines[1].scores["CC", metric]
        assert (score.spread.mean, score.spread.sd, score.spread.seeds) == pytest.approx(
            (rlq.mean(), rlq.std(ddof=1), 3)
        )
        assert score.difference == pytest.approx(rlq.mean() - bm.mean(), abs=1e-5)
        assert score.gap.low < score.difference < score.gap.high and score.gap.queries == 59
        assert score.best_two is None
        assert found.lines[0].scores["CC", metric].difference is None


def test_queries_are_averaged_over_seeds_before_they_are_compared():
    ours = {seed: made_up("RLQ", seed, skill=0.1) for seed in (1, 2)}
    digest, means = per_query(ours, "CC", "mAP")
    by_hand = [
        np.nan if a is None or b is None else (a + b) / 2
        for a, b in zip(*(row.per_query["CC"]["ap"] for row in ours.values()), strict=True)
    ]
    assert digest == "0" * 16 and means == pytest.approx(by_hand, nan_ok=True)
    first = [(row.per_query["CC"]["first_match"]) for row in ours.values()]
    hits = [np.nan if a == 0 else ((a == 1) + (b == 1)) / 2 for a, b in zip(*first, strict=True)]
    assert per_query(ours, "CC", "rank1")[1] == pytest.approx(hits, nan_ok=True)
    found = section(material([*rows_of("BM"), *ours.values()]), ReportOptions())
    reference = per_query({row.seed: row for row in rows_of("BM")}, "CC", "mAP")[1]
    assert found.lines[1].scores["CC", "mAP"].gap == paired_bootstrap(means, reference)


def test_the_authors_way_is_the_mean_of_the_best_two_seeds_by_rank1():
    rows = rows_of("BM", seeds=(1, 2, 3, 4))
    best = sorted(rows, key=lambda row: -row.metrics["best/CC/rank1"])[:2]
    score = section(material(rows), ReportOptions(authors_way=True)).lines[0].scores["CC", "mAP"]
    assert score.best_two == pytest.approx(np.mean([row.metrics["best/CC/mAP"] for row in best]))


def test_only_the_seeds_that_were_asked_for_count():
    found = section(material(rows_of("BM", "RLQ", seeds=(1, 2, 3))), ReportOptions(seeds=(1, 3)))
    assert [tuple(line.rows) for line in found.lines] == [(1, 3), (1, 3)]
    assert found.lines[0].scores["CC", "mAP"].spread.seeds == 2 and any("2 seeds" in note for note in found.notes)


def test_missing_rows_and_seeds_come_with_the_command_that_runs_them():
    rows = [*rows_of("BM"), made_up("RLQ", 2)]
    variants = tuple(Variant(name=name) for name in ("BM", "RLQ", "BM + G"))
    found = section(material(rows, variants=variants, how_to_run="rlq ablate t.yaml"), ReportOptions())
    assert [line.missing for line in found.lines] == [(), (1,), (1, 2)]
    assert found.lines[2].scores["CC", "mAP"].spread is None
    one, two = found.notes[-2:]
    assert_names(one, "RLQ, ", 'rlq ablate t.yaml --only "RLQ" --seeds 1')
    assert_names(two, "BM + G, ", "1, 2", 'rlq ablate t.yaml --only "BM + G" --seeds 1,2')
    assert one.endswith("--seeds 1") and two.endswith("--seeds 1,2")


def test_without_the_reference_row_there_are_no_differences_and_it_says_so():
    found = section(
        material(rows_of("RLQ"), variants=(Variant(name="BM"), Variant(name="RLQ")), reference="BM"), ReportOptions()
    )
    assert found.reference is None and found.lines[1].scores["CC", "mAP"].difference is None
    assert any("BM" in note and "1, 2" not in note for note in found.notes)  # besides the one on what is missing


def test_one_seed_each_is_said_to_hide_the_spread_of_seeds():
    found = section(material(rows_of("BM", "RLQ", seeds=(1,))), ReportOptions())
    assert found.lines[1].scores["CC", "mAP"].spread.sd is None
    several = section(material(rows_of("BM", "RLQ")), ReportOptions())
    assert "seed" in found.notes[1] and "±" not in found.notes[1] and "±" in several.notes[1]


def test_last_epochs_have_differences_of_means_only():
    found = section(material(rows_of("BM", "RLQ")), ReportOptions("last"))
    best = section(material(rows_of("BM", "RLQ")), ReportOptions())
    score = found.lines[1].scores["CC", "mAP"]
    assert score.gap is None and score.difference == pytest.approx(
        best.lines[1].scores["CC", "mAP"].difference, abs=1e-5
    )
    assert score.spread.mean == pytest.approx(best.lines[1].scores["CC", "mAP"].spread.mean - 0.02)
    assert score.clear == (abs(score.difference) > 2 * score.seed_error)
    (difference,), (usual,) = ([note for note in one.notes if "BM" in note] for one in (found, best))
    assert "95 %" in usual and "95 %" not in difference and "interval" in difference
    assert_names(found.notes[0], "last/")


def test_without_an_interval_the_seeds_alone_tell_what_is_noise():
    def clear(skill: float, seeds: tuple[int, ...]) -> bool:
        rows = [made_up(name, seed, skill=skill * (name == "RLQ")) for name in ("BM", "RLQ") for seed in seeds]
        return section(material(rows), ReportOptions("last")).lines[1].scores["CC", "mAP"].clear

    assert clear(0.3, (1, 2)) and not clear(0.0, (1, 2)) and not clear(0.3, (1,))


@pytest.mark.parametrize(
    ("selection", "measured"),
    [("test", "best/"), ("holdout", "test/")],
)
def test_it_says_what_chose_the_epoch(selection, measured):
    rows = rows_of("BM", selection=selection)
    if selection == "holdout":
        for row in rows:
            row.metrics["test/CC/rank1"], row.metrics["test/CC/mAP"] = 0.25, 0.75
    found = section(material(rows), ReportOptions())
    assert_names(found.notes[0], "CC/rank1", measured)
    if selection == "holdout":
        assert found.lines[0].scores["CC", "mAP"].spread.mean == 0.75


@pytest.mark.parametrize("which", ["last", "paper"])
def test_numbers_of_held_out_people_are_not_shown_as_test_numbers(which):
    rows = [*rows_of("BM"), *rows_of("RLQ", selection="holdout")]
    with pytest.raises(RlqError) as refused:
        section(material(rows), ReportOptions(which))
    assert_names(refused.value, "RLQ", f"{which}/", "--which best")


def test_rows_of_different_data_sets_are_refused():
    rows = [made_up("BM", 1), made_up("RLQ", 1, dataset="ltcc")]
    with pytest.raises(DataError) as refused:
        section(material(rows), ReportOptions())
    assert_names(refused.value, "ltcc (RLQ)", "synthetic (BM)")


def test_rows_that_agree_raise_no_doubts():
    assert section(material(rows_of("BM", "RLQ")), ReportOptions()).warnings == ()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"data_fingerprint": "e" * 16}, ("fingerprint", "d" * 16 + ": BM", "e" * 16 + ": RLQ")),
        ({"commit": "f" * 40 + "+"}, ("commit", "cccccccc: BM", "ffffffff+: RLQ")),
        ({"commit": ""}, ("commit", "cccccccc: BM", ": RLQ")),
        ({"device": "NVIDIA"}, ("device", "NVIDIA: RLQ", "cpu: BM")),
        ({"selection": "holdout"}, ("epoch", "holdout: RLQ", "test: BM")),
    ],
)
def test_what_makes_rows_hard_to_compare_is_told(changes, named):
    (warning,) = section(material([made_up("BM", 1), made_up("RLQ", 1, **changes)]), ReportOptions()).warnings
    assert_names(warning, *named)


def test_settings_that_differ_are_told_unless_a_row_names_them_or_they_are_places():
    settings = made_up("BM", 1).settings | {"seed": 2, "tracking.name": "x", "data.workers": 3, "tad.later": 1}
    other = made_up("RLQ", 2, settings=settings | {"optim.lr": 0.5, "tad.enabled": True})
    variants = (Variant(name="BM"), Variant(name="RLQ", settings={"tad.enabled": True}))
    (warning,) = section(material([made_up("BM", 1), other], variants=variants), ReportOptions()).warnings
    assert_names(warning, "optim.lr", "0.001: BM", "0.5: RLQ")
    assert not any(name in warning for name in ("seed", "tracking.name", "data.workers", "tad."))


def test_a_teacher_is_told_by_the_name_of_its_file():
    rows = [
        made_up(name, 1, settings=made_up(name, 1).settings | {"tad.teacher": teacher})
        for name, teacher in (("BM", "here/teacher.yaml"), ("RLQ", "teacher.yaml"))
    ]
    assert section(material(rows), ReportOptions()).warnings == ()


def test_rows_that_were_run_with_other_settings_than_the_files_have_now_are_told():
    rows = rows_of("BM", seeds=(1, 2))
    now = rows[0].settings | {"optim.lr": 0.5}
    expected = {("BM", 1): Expected("other", now), ("BM", 2): Expected(rows[1].fingerprint, now)}
    (warning,) = section(material(rows, expected=expected), ReportOptions()).warnings
    assert_names(warning, "optim.lr", 0.001, 0.5, "BM", "seed 1")
    assert "2" not in warning


def test_other_queries_give_no_interval_and_a_warning():
    other = made_up("RLQ", 1)
    other.per_query["CC"]["queries"] = "1" * 16
    found = section(material([made_up("BM", 1), other]), ReportOptions())
    assert found.lines[1].scores["CC", "mAP"].gap is None
    assert found.lines[1].scores["CC", "mAP"].difference is not None
    (warning,) = found.warnings
    assert_names(warning, "CC", "queries", "0" * 16 + ": BM", "1" * 16 + ": RLQ")
