"""The paper's tables as they are delivered: every row loads, is an experiment of its own, and has published numbers."""

import re
from pathlib import Path

import pytest
from marks import slow
from tiny_runs import EXPERIMENTS

from rlq.ablation.run import plan
from rlq.ablation.table import Table, read_table_file
from rlq.analysis import ANALYSES
from rlq.core.scores import RANKING
from rlq.runs.load import fingerprint, load

TABLES = EXPERIMENTS / "tables"
SYNTHETIC = EXPERIMENTS / "synthetic.yaml"
FILES = sorted(TABLES.glob("*.yaml"))
NUMBERS = {
    "main": 2,
    "deepchange": 3,
    "last": 4,
    "cal_sensitivity": 5,
    "attribute_position": 6,
    "tad_variants": 7,
    "external_set": 8,
    "components": 9,
    "celeb_reid": 10,
    "cal_attributes": 11,
    "backbone_split": 13,
    "pose_split": 14,
    "figure_6": 6,
    "figure_7": 7,
    "figure_8_left": "8 left",
    "figure_8_middle": "8 middle",
    "figure_8_right": "8 right",
    "figure_13": 13,
}
EVERYDAY = ("main", "components", "tad_variants", "figure_6")


@pytest.fixture(scope="module")
def tables() -> dict[str, Table]:
    return {file.stem: read_table_file(file) for file in FILES}


def test_there_is_a_file_for_every_table_and_figure_that_is_an_experiment(tables):
    assert {name: table.table or table.figure for name, table in tables.items()} == NUMBERS
    for name, table in tables.items():
        assert (table.figure is not None) == name.startswith("figure_") and (table.table is None) != (
            table.figure is None
        )
        assert len(table.rows) >= 3 or name == "figure_13"  # of which nothing is to be trained


@pytest.mark.parametrize("name", [name if name in EVERYDAY else slow(name) for name in NUMBERS])
def test_every_row_loads_on_each_base_and_on_the_built_in_one_as_an_experiment_of_its_own(tables, name):
    table = tables[name]
    for base in (*table.base_files(), SYNTHETIC):
        jobs = plan(table, base=base, seeds=[1])
        assert len(jobs) == len(table.rows)
        assert len({job.fingerprint for job in jobs}) == len(jobs)
        assert len({job.file for job in jobs}) == len(jobs)
        usual = load(base).settings
        for job in jobs:
            assert job.loaded.settings.data.dataset == usual.data.dataset
            assert job.loaded.settings.schedule == usual.schedule and job.loaded.settings.optim == usual.optim


@pytest.mark.parametrize("name", [name for name in NUMBERS if name != "figure_13"])
def test_the_row_that_differences_are_taken_to_is_told(tables, name):
    assert tables[name].reference in {row.name for row in tables[name].rows}


def test_published_numbers_are_percents_of_protocols_that_are_shown(tables):
    found = 0
    for table in tables.values():
        bases = {load(base).settings.data.dataset: base for base in table.base_files()}
        for row in table.rows:
            for dataset, of_protocols in row.published.items():
                assert dataset in {*bases, "prcc", "ltcc"}, f"{table.name}, {row.name}: {dataset} is no base's"
                for protocol, (rank1, mean_ap) in of_protocols.items():
                    assert dataset not in bases or protocol in table.shown(bases[dataset], RANKING)
                    assert 5 < mean_ap < 70 and 30 < rank1 < 80, f"{table.name}, {row.name}"  # no fractions
                    found += 1
    assert found > 80


def test_rows_of_equal_settings_have_equal_published_numbers_in_all_tables(tables):
    published: dict[tuple[str, str, str], dict[str, tuple[float, float]]] = {}
    for table in tables.values():
        for job in plan(table, seeds=[1]):
            dataset = job.loaded.settings.data.dataset
            for protocol, numbers in job.variant.published.get(dataset, {}).items():
                asked = published.setdefault((job.fingerprint, dataset, protocol), {})
                asked[f"{table.name}, {job.variant.name}"] = numbers
    shared = [told for told in published.values() if len(told) > 1]
    assert len(shared) > 10
    assert not [told for told in shared if len(set(told.values())) > 1]


def test_tables_share_the_rows_that_they_have_in_common(tables):
    """The base model is trained once, whatever table asks for it; so are CAL and RLQ."""
    for row, names in {
        "BM": ["main", "cal_sensitivity", "attribute_position", "tad_variants", "components", "cal_attributes"],
        "CAL": ["main", "cal_sensitivity", "cal_attributes", "figure_7", "figure_8_left", "figure_8_right"],
        "RLQ": ["main", "components", "figure_8_left", "figure_8_right"],
    }.items():
        found = {
            plan(tables[name], base=EXPERIMENTS / "ltcc.yaml", seeds=[1], only=[row])[0].fingerprint for name in names
        }
        assert len(found) == 1, row
    whole = fingerprint(load(EXPERIMENTS / "ltcc.yaml"))
    same = {("pose_split", "After block 1"), ("figure_6", "100 %"), ("figure_8_middle", "K = 15"), ("main", "RLQ")}
    for name, row in same:
        assert plan(tables[name], base=EXPERIMENTS / "ltcc.yaml", seeds=[1], only=[row])[0].fingerprint == whole


@pytest.mark.parametrize("name", ["main", "components", "celeb_reid", "tad_variants", "figure_7"])
def test_rows_are_called_as_their_settings_would_call_them(tables, name):
    for row in tables[name].rows:
        settings = load(tables[name].base_files()[0], values=row.settings).settings
        words = row.name.replace("LQ Aug", "LQ")
        assert sorted(settings.title.split(" [")[0].split(" + ")) == sorted(words.split(" [")[0].split(" + "))
        assert settings.title.endswith("[NT]") == row.name.endswith("[NT]")


def test_rows_without_teacher_or_external_set_ask_for_none(tables):
    needs = {}
    for row in tables["tad_variants"].rows:
        settings = load(SYNTHETIC, values=row.settings).settings
        needs[row.name] = (settings.needs_teacher, settings.external_set, settings.kinds_of_rows[-1])
    assert needs == {
        "BM": (False, None, "recoloured"),
        "BM + LQ Aug": (False, None, "low quality"),
        "BM + SS_MSE + TAD": (True, "synthetic_celeb", "recoloured"),
        "BM + SS_MSE [NT]": (False, "synthetic_celeb", "recoloured"),
        "BM + target + SS_MSE [NT]": (False, None, "recoloured"),
        "BM + TAD": (True, "synthetic_celeb", "recoloured"),
    }


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_file_says_what_it_asks_how_it_is_run_and_what_lies_on_disk(file, tables):
    table, text = tables[file.stem], file.read_text()
    head = text[: text.index("\n", text.rindex("\n#") + 1)]
    assert re.match(r"# (Table|Figure) \d+", head) and "2505.12580" in head and "# On disk below data/:" in head
    for command in re.findall(r"#   rlq ablate (\S+)", head):
        assert Path(command).name == file.name
    told = re.search(r"(\d+) runs per seed", head)
    assert (int(told[1]) if told else 0) == len(table.rows) * len(table.bases)
    assert table.analysis is None or table.analysis in ANALYSES
