"""Names that a file or a command line gives, and that become names of files: none leaves its folder."""

import string
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naming import assert_names
from table_rows import made_up, material
from tiny import tiny_settings

from rlq.ablation.rows import row_file
from rlq.ablation.table import Table, slug
from rlq.core.config import validate
from rlq.core.errors import RlqError, SettingsError
from rlq.data.clothes import mask_path
from rlq.methods.base import Loaded
from rlq.methods.rlq.settings import RlqSettings
from rlq.report.comparison import section
from rlq.report.content import Drawing, Report, ReportOptions
from rlq.report.report import write
from rlq.report.writers.html import page
from rlq.runs.record import _write_settings, new_folder
from rlq.sweep.spec import Sweep
from rlq.sweep.storage import default_storage
from rlq.tracking.interface import TrackingError
from rlq.tracking.mlflow import MlflowTracker

HOSTILE = (
    "..",
    ".",
    "",
    "/",
    "../x",
    "../../etc/x",
    "/etc/x",
    "a/../../x",
    "..\\x",
    "C:\\x",
    "a\0b",
    "x" * 300,
    "-rf",
    " ",
)
NAMES = st.sampled_from(HOSTILE) | st.text("./\\ab \0\n-" + string.ascii_letters, max_size=20) | st.text(max_size=12)
few = settings(max_examples=60, derandomize=True, database=None, deadline=None)
RUNS = Path("/somewhere/runs")


def is_right_in(path: Path, folder: Path) -> bool:
    """Whether it is a name in that folder, and one that a file may have."""
    return path.parent == folder and path.name not in ("", ".", "..") and len(path.name.encode()) <= 255


@few
@given(NAMES)
def test_a_run_is_a_folder_among_the_runs(name):
    made = new_folder(tiny_settings("tracking.folder=/somewhere/runs"), name)
    assert is_right_in(made, RUNS) and "\0" not in made.name


@few
@given(NAMES)
def test_a_row_is_a_file_of_its_table(name):
    tree = {"file": Path("components.yaml"), "title": "x", "bases": {"prcc.yaml": ["CC"]}, "rows": [{"name": name}]}
    try:
        table = validate(Table, tree, "components.yaml")
    except SettingsError:
        return  # what it says, the test below reads
    assert is_right_in(row_file(RUNS, table.name, "prcc", table.rows[0].name, 1), RUNS / "components")


def test_a_rows_name_has_to_fit_into_the_name_of_a_file():
    tree = {"file": Path("x.yaml"), "title": "x", "bases": {"prcc.yaml": ["CC"]}, "rows": [{"name": "x" * 121}]}
    with pytest.raises(SettingsError, match=r"xxx\.\.\."):
        validate(Table, tree, "x.yaml")


@few
@given(NAMES)
def test_a_sweep_is_a_file_and_a_folder_among_the_sweeps_or_refused(name):
    parts = {"experiment": Path("x.yaml"), "parameters": {"optim.lr": {"values": [1e-3, 1e-4]}}}
    try:
        sweep = validate(Sweep, {"name": name, **parts}, "sweep.yaml")
    except SettingsError:
        return
    kept = Path(default_storage(RUNS, sweep.name).removeprefix("sqlite:///"))
    assert is_right_in(kept, RUNS / "sweeps") and is_right_in(RUNS / "sweeps" / sweep.name, RUNS / "sweeps")


@pytest.mark.parametrize("name", [name for name in HOSTILE if name != "-rf"])
def test_hostile_names_of_sweeps_are_refused(name):
    parts = {"experiment": Path("x.yaml"), "parameters": {"optim.lr": {"values": [1e-3, 1e-4]}}}
    with pytest.raises(SettingsError) as told:
        validate(Sweep, {"name": name, **parts}, "sweep.yaml")
    assert_names(told.value, "sweep.yaml", "name")


@few
@given(NAMES)
def test_a_report_stays_in_its_folder(tmp_path_factory, name):
    folder = tmp_path_factory.mktemp("reports")
    report = Report(slug(name)[:60].strip("-.") or "runs", name, "rlq report x", ())
    written = write(report, folder / "out")
    assert all(is_right_in(path, folder / "out") for path in written.files)
    assert {path.name for path in folder.iterdir()} == {"out"}


@few
@given(NAMES)
def test_the_teachers_file_lies_in_the_run_folder(tmp_path_factory, name):
    home, run = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("run")
    (home / "deep/deeper").mkdir(parents=True)
    spelled = f"{name}/teacher.yaml" if "\0" not in name and len(name) < 200 else "teacher.yaml"
    (home / "teacher.yaml").write_text("data: {dataset: prcc}\ntad: {enabled: false}\n")
    own = tiny_settings().model_dump(mode="json")
    changed = validate(RlqSettings, {**own, "tad": {**own["tad"], "teacher": spelled}}, "test")
    try:
        _write_settings(Loaded(changed, home / "deep/deeper", "x"), run)
    except RlqError:
        return
    assert {path.name for path in run.iterdir()} == {"teacher.yaml", "experiment.yaml"}


@few
@given(st.lists(NAMES.filter(lambda name: name.strip("./\\ \0") and "\0" not in name), min_size=1, max_size=3))
def test_a_mask_lies_where_its_picture_does(parts):
    below = "/".join(part.replace("/", "_").strip(". ") or "x" for part in parts)
    picture = Path("/data/set") / f"{below}.jpg"
    assert mask_path(Path("/masks"), picture, Path("/data/set")).is_relative_to("/masks")


@few
@given(NAMES)
def test_what_a_run_logs_stays_in_its_folder(tmp_path_factory, name):
    base = tmp_path_factory.mktemp("tracked")
    tracker = object.__new__(MlflowTracker)
    tracker.folder = base / "run"
    (base / "run").mkdir()
    try:
        room = tracker._artifact_path(name)
    except (ValueError, TrackingError):
        room = base / "run/none"
    assert room.resolve().is_relative_to(base / "run")
    assert {path.name for path in base.iterdir()} == {"run"}


class Tags(HTMLParser):
    """The tags of a page, and what their attributes are called."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.attributes = [], set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}


@pytest.mark.parametrize(
    "word", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "' onload='x", "</title><b>"]
)
def test_words_of_runs_bring_no_tags_into_a_report(word):
    def page_of(name):
        rows = [made_up(one, seed, dataset=name, base=name) for one in ("BM", f"row {name}") for seed in (1, 2)]
        found = section(material(rows, base=name, how_to_run=name), ReportOptions())
        drawing = Drawing(name, "figure", name, b"png", {}, name, name)
        return Tags(page(Report("parts", name, name, (found,), (drawing,), (name,))))

    plain, hostile = page_of("word"), page_of(word)
    assert hostile.tags == plain.tags and hostile.attributes == plain.attributes
