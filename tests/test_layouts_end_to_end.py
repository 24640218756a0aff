"""Every data set that rlq knows, in its real layout: checked, trained on for two epochs, evaluated by its protocols."""

import json
import re
from pathlib import Path

import pytest
from naming import assert_names
from tiny_runs import EXTERNAL, TARGET

from rlq.data.catalogue import data_set, read
from rlq.synthetic.build import ensure_written
from rlq.synthetic.built_in import make_layout
from rlq.synthetic.layouts.catalogue import LAYOUTS as LAYOUTS_OF

pytestmark = pytest.mark.slow
# data set -> its experiment file, the protocols that it is evaluated by
LAYOUTS = {
    "prcc": ("prcc.yaml", {"CC", "SC", "GENERAL"}),
    "ltcc": ("ltcc.yaml", {"CC", "SC", "GENERAL"}),
    "deepchange": ("deepchange.yaml", {"GENERAL"}),
    "last": ("last.yaml", {"GENERAL"}),
    "celeb_reid": ("celeb_reid.yaml", {"GENERAL"}),
    "celeb_reid_light": ("celeb_reid.yaml", {"GENERAL"}),
    "vc_clothes": ("vc_clothes.yaml", {"CC", "SC", "GENERAL"}),
    "csv": ("own_data.yaml", {"CC", "SC", "GENERAL"}),
}
TINY = (
    *("backbone.name=test_resnet.r160_in1k", "backbone.pretrained=false", "compute.threads=1", "data.workers=0"),
    *("tad.external=synthetic_celeb", "schedule.epochs=2", "schedule.evaluate_every=1", "optim.milestones=[]"),
)
SMALL_SPECS = {"prcc": TARGET, "celeb_reid": EXTERNAL}  # whose defaults are made to learn from
OWN_CHANGES = {
    "celeb_reid": ("clothes.augment=false",),  # as external sets they have no masks
    "celeb_reid_light": ("clothes.augment=false",),
    "csv": ("cap.pose.enabled=true", "cap.pose.clusters=5", "cap.gender.enabled=true", "clothes.augment=true"),
}


@pytest.fixture(scope="module")
def sets(home):
    return home.folder / "layouts"


def make(sets: Path, name: str) -> Path:
    """A small set in this layout, below `sets`."""
    if name in SMALL_SPECS:
        return ensure_written(sets / LAYOUTS_OF[name].folder, SMALL_SPECS[name])
    return make_layout(sets, name, people=8)[0]


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_set_in_this_layout_is_checked_trained_on_and_evaluated(home, sets, whole_run, name):
    file, protocols = LAYOUTS[name]
    folder = make(sets, name)
    checked = home.command("data", "check", name, "--root", sets if name != "csv" else folder, "--json")
    tree = json.loads(checked.stdout)
    assert checked.exit_code == 0 and tree["unreadable"] == [] and tree["duplicates"] == []
    assert set(tree["protocols"]) == protocols and all(p["valid_queries"] for p in tree["protocols"].values())
    assert tree["splits"]["train"]["identities"] >= 8 and tree["published"] == _published(name)

    run_name = f"layout {name}"
    changes = [*TINY, *OWN_CHANGES.get(name, ()), f"data.dataset={name}", f"tracking.name={run_name}"]
    changes += [f"data.root={folder}", f"tad.external_root={home.folder / 'data'}"]
    shown = home.command(*home.train_words(*changes, file=file))
    assert shown.exit_code == 0, shown.output
    teacher = re.search(r"^teacher .*runs/teachers/", shown.output, re.MULTILINE)  # which had been trained before
    assert (shown.output.count("epoch 1/2") == 1 and teacher) or name.startswith(("celeb", "csv"))
    metrics = home.named(run_name).data.metrics
    assert metrics["loss/cap/pose_ce"] > 0 and metrics["loss/cap/gender_ce"] > 0
    assert metrics["loss/cap/clothes_adversarial"] > 0

    evaluated = json.loads(home.command("evaluate", run_name, "--json").stdout)
    assert set(evaluated) == protocols
    for protocol, numbers in evaluated.items():
        word = "General" if protocol == "GENERAL" else protocol
        assert numbers["rank1"] == pytest.approx(metrics[f"best/{word}/rank1"])
        assert numbers["valid_queries"] == tree["protocols"][protocol]["valid_queries"]


@pytest.mark.parametrize("name", ["prcc", "ltcc", "deepchange", "last", "vc_clothes"])
def test_the_authors_side_files_work_as_they_are(home, tmp_path, name):
    """Clusters written as 10.0, lists of bad masks that name test pictures and end without a newline, hidden files."""
    oddities = ["pose_clusters", "float_labels", "bad_mask_lists", "names_of_other_splits", "no_newline_at_end"]
    oddities += ["hidden_files", *(["sizes_vary"] if name == "ltcc" else [])]
    small = {"train_people": 8, "test_people": 4, "oddities": frozenset(oddities)}
    folder = ensure_written(tmp_path / name, LAYOUTS_OF[name].spec(**small))
    (folder / "rlq/keypoints.json").unlink()
    column = (folder / "rlq/pose_clusters.csv").read_text().splitlines()[0].split(",")[2]
    changes = [*TINY, f"data.root={folder}", "tad.enabled=false", f"cap.pose.clusters={column.rpartition('_')[2]}"]
    shown = home.command(*home.train_words(*changes, f"tracking.name=authors {name}", file=f"{name}.yaml"))
    assert shown.exit_code == 0 and "note  " not in shown.output, shown.output
    metrics = home.named(f"authors {name}").data.metrics
    assert metrics["loss/cap/pose_ce"] > 0 and metrics["loss/cap/gender_ce"] > 0 and metrics["loss/cap/clothes_ce"] > 0
    listed = home.command("parsing", "check", "--data", name, "--root", folder).stdout
    upper, lower = (line.split() for line in listed.splitlines() if line.startswith(("upper ", "lower ")))
    assert int(upper[1]) + int(lower[1]) > 0 and int(upper[2]) + int(lower[2]) > 0


def test_a_model_of_one_set_is_evaluated_on_another_with_one_command(home, sets, whole_run):
    make(sets, "last")
    shown = home.command("evaluate", "whole", "--data", "last", "--root", sets, "--json")
    found = json.loads(shown.stdout)
    queries = len(read("last", sets).query)
    assert shown.exit_code == 0 and found["GENERAL"]["queries"] == queries > 0
    assert "last-best/General/rank1" in home.tracked(whole_run.run_id).data.metrics


def test_frames_of_clips_serve_as_external_set(home, sets, whole_run):
    videos, _ = make_layout(sets, "ntu120", people=8)
    shown = home.command("data", "ntu-frames", videos, "--root", sets)
    assert shown.exit_code == 0, shown.output
    assert home.command("data", "check", "ntu120", "--root", sets).exit_code == 0
    teacher = home.folder / "runs/teachers" / home.tracked(whole_run.run_id).data.tags["rlq.teacher"]
    changes = [*TINY, "tad.external=ntu120", f"tad.external_root={sets}", f"tad.teacher={teacher}"]
    shown = home.command(*home.train_words(*changes, "tracking.name=clips"))
    assert shown.exit_code == 0, shown.output
    assert home.named("clips").data.metrics["loss/tad/distill_bot_lq"] > 0


def test_tracklets_are_checked_but_not_trained_on(home, sets):
    folder, _ = make_layout(sets, "ccvid", people=8)
    tree = json.loads(home.command("data", "check", "ccvid", "--root", folder, "--json").stdout)
    assert tree["splits"]["train"]["pictures"] >= 10 * tree["splits"]["train"]["tracklets"] > 0
    assert set(tree["protocols"]) == {"CC", "SC", "GENERAL"} and tree["protocols"]["CC"]["valid_queries"] > 0
    shown = home.command(*home.train_words("data.dataset=ccvid", f"data.root={folder}", "tad.enabled=false"))
    assert shown.exit_code == 1
    assert_names(shown.stderr, "ccvid", "tracklets", "rlq")


def _published(name: str) -> dict | None:
    known = data_set(name).published
    if known is None:
        return None
    valid = {protocol.upper(): count for protocol, count in known.valid_queries.items()}
    return {"splits": {split: dict(counts) for split, counts in known.splits.items()}, "valid_queries": valid}
