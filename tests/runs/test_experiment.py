"""One whole run of the method: what it leaves in the tracker, in its folder, and in what it returns."""

import json
from importlib.metadata import version
from itertools import product

import pytest
import torch
import yaml
from naming import assert_names
from safetensors.torch import load_file
from tiny_runs import teacher_of

from rlq.core.config import flatten
from rlq.core.errors import SettingsError
from rlq.data.catalogue import read
from rlq.methods.rlq.inputs import gather_inputs
from rlq.methods.rlq.network import RlqNetwork, clothes_head
from rlq.runs.folder import read_about
from rlq.runs.load import prerequisite_fingerprint
from rlq.tracking.interface import param_texts

PROTOCOLS = ("CC", "SC", "General")
CAP_TERMS = ("id_cal", "id_bot", "triplet", "id_kl", "pose_ce", "gender_ce", "pose_cosine", "total")
CLOTHES_TERMS = ("clothes_ce", "clothes_adversarial")
TAD_TERMS = (
    *(f"distill_{branch}_{side}" for branch in ("cal", "bot") for side in ("hq", "lq")),
    *("kl_clothes", "kl_id_cal", "kl_id_bot", "total"),
)


@pytest.fixture(scope="module")
def tracked(home, whole_run):
    """The run as the store has it, and the steps of its metrics."""
    return home.tracked(whole_run.run_id), home.history(whole_run.run_id)


def test_every_loss_term_is_tracked_in_its_epochs_and_is_not_zero(tracked):
    _, history = tracked
    terms = {name: values for name, values in history.items() if name.startswith("loss/")}
    every_epoch = {f"loss/cap/{term}" for term in CAP_TERMS} | {f"loss/tad/{term}" for term in TAD_TERMS}
    from_clothes_on = {f"loss/cap/{term}" for term in CLOTHES_TERMS}
    assert {name: set(values) for name, values in terms.items()} == {
        **{name: {0, 1, 2} for name in every_epoch},
        **{name: {1, 2} for name in from_clothes_on},
    }
    assert all(value > 0 for values in terms.values() for value in values.values())


def test_totals_are_the_weighted_sums_of_the_terms(tracked, whole_run):
    _, history = tracked
    for epoch in range(3):
        rows = {name: values[epoch] for name, values in history.items() if epoch in values}
        cap = sum(rows.get(f"loss/cap/{term}", 0) for term in (*CAP_TERMS[:-1], "clothes_adversarial"))  # weights of 1
        tad = sum(rows[f"loss/tad/{term}"] for term in TAD_TERMS[:-1])
        assert rows["loss/cap/total"] == pytest.approx(cap, rel=1e-5)
        assert rows["loss/tad/total"] == pytest.approx(tad, rel=1e-5)


def test_rates_follow_the_schedule_and_the_pace_is_tracked(tracked):
    _, history = tracked
    assert history["lr/model"] == pytest.approx({0: 1e-3, 1: 1e-3, 2: 1e-4})
    assert history["lr/clothes"] == dict.fromkeys(range(3), 3.5e-4)
    for part in ("cap", "tad"):
        assert set(history[f"speed/{part}_images_per_s"]) == {0, 1, 2}
        assert all(value > 0 for value in history[f"speed/{part}_images_per_s"].values())
        assert all(0 <= value <= 1 for value in history[f"speed/{part}_data_wait"].values())
    assert all(0 <= value <= 1 for value in history["data/tad_unchanged"].values())


def test_protocols_are_tracked_at_the_evaluated_epochs_only(tracked, whole_run):
    _, history = tracked
    evaluations = whole_run.history.evaluations
    assert sorted(evaluations) == [1, 2]
    for protocol, metric in product(PROTOCOLS, ("rank1", "rank5", "rank10", "rank20", "mAP")):
        name = f"{protocol}/{metric}"
        assert history[name] == {epoch: evaluations[epoch][name] for epoch in (1, 2)}
        assert all(0 <= value <= 1 for value in history[name].values())


def test_the_end_has_best_last_and_paper_numbers_beside_the_yardsticks(tracked, whole_run):
    _, history = tracked
    evaluations, best = whole_run.history.evaluations, whole_run.history.best_epoch
    merit = {epoch: (e["CC/rank1"], e["CC/mAP"], -epoch) for epoch, e in evaluations.items()}
    assert best == max(merit, key=merit.get) and history["best/epoch"] == {0: best}
    for name in (f"{p}/{m}" for p, m in product(PROTOCOLS, ("rank1", "mAP"))):
        assert history[f"best/{name}"] == {0: evaluations[best][name]}
        assert history[f"last/{name}"] == {0: evaluations[2][name]}
        assert history[f"paper/{name}"] == {0: max(e[name] for e in evaluations.values())}
        for yardstick in ("chance", "histogram", "untrained"):
            assert set(history[f"{yardstick}/{name}"]) == {0}
    assert history["chance/CC/rank1"][0] == pytest.approx(1 / 4)  # four test people with equally many pictures


def test_what_the_run_returns_is_what_the_tracker_has(tracked, whole_run):
    _, history = tracked
    assert {name: set(history[name].values()) for name in whole_run.metrics} == {
        name: {value} for name, value in whole_run.metrics.items()
    }


def test_the_networks_size_and_its_attributes_are_measured(tracked, whole_run):
    found = whole_run.metrics
    network = RlqNetwork(whole_run.settings, identities=8)
    assert found["model/parameters"] == sum(p.numel() for p in network.parameters())
    assert found["model/parameters"] > found["model/parameters_as_paper"] > found["model/parameters_inference"] > 0
    assert found["model/gigaflops"] > 0
    for name in ("pose_accuracy", "gender_accuracy", "pose_cosine"):
        assert 0 <= found[f"attributes/{name}"] <= 1


def test_params_are_the_flattened_settings(tracked, whole_run):
    run, _ = tracked
    assert run.data.params == param_texts(flatten(whole_run.settings))
    assert run.data.params["optim.lr"] == "0.001" and run.data.params["schedule.epochs"] == "3"


def test_tags_and_inputs_say_what_ran_on_what(home, tracked, whole_run):
    run, _ = tracked
    target = read("synthetic", home.folder / "data")
    wanted = {
        "rlq.kind": "run",
        "rlq.method": "rlq",
        "rlq.variant": "RLQ",
        "rlq.dataset": "synthetic",
        "rlq.selection": "test",
        "rlq.processes": "1",
        "rlq.data_fingerprint": target.fingerprint,
        "version.torch": version("torch"),
    }
    assert {name: run.data.tags.get(name) for name in wanted} == wanted
    assert run.info.status == "FINISHED" and run.info.run_name == "whole"
    given = {entry.dataset.name: entry for entry in run.inputs.dataset_inputs}
    assert {name: entry.tags[0].value for name, entry in given.items()} == {
        "synthetic": "train",
        "synthetic_celeb": "external",
    }
    assert given["synthetic"].dataset.digest == target.fingerprint


def test_figures_ranks_and_settings_are_artifacts(home, whole_run):
    figures = ("artefacts", "pose_clusters", "rank_list", "tsne")
    assert sorted(home.files(whole_run.run_id)) == sorted(
        ["eval/per_query.json", "experiment.yaml", "teacher.yaml", *(f"figures/{name}.png" for name in figures)]
    )
    for name in figures:
        assert (home.folder / whole_run.folder / f"artifacts/figures/{name}.png").read_bytes().startswith(b"\x89PNG")
    resolved = yaml.safe_load((home.folder / whole_run.folder / "experiment.yaml").read_text())
    assert resolved["data"]["size"] == [32, 16] and resolved["tad"]["teacher"] == "teacher.yaml"


def test_per_query_ranks_add_up_to_the_best_epochs_numbers(home, whole_run):
    tree = json.loads((home.folder / whole_run.folder / "artifacts/eval/per_query.json").read_text())
    assert set(tree) == set(PROTOCOLS)
    for protocol, rows in tree.items():
        valid = [row for row in zip(rows["query"], rows["first_match"], rows["ap"], strict=True) if row[1] > 0]
        assert all(name.startswith("rgb/test/") for name, _, _ in valid)
        first = sum(rank == 1 for _, rank, _ in valid) / len(valid)
        mean = sum(precision for _, _, precision in valid) / len(valid)
        assert first == pytest.approx(whole_run.metrics[f"best/{protocol}/rank1"], abs=1e-9)
        assert mean == pytest.approx(whole_run.metrics[f"best/{protocol}/mAP"], abs=1e-9)


def test_the_best_weights_are_listed_under_models(home, whole_run):
    (model,) = home.client.search_logged_models(["1"], f"source_run_id = '{whole_run.run_id}'")
    assert model.params["data.dataset"] == "synthetic" and model.status == "READY"
    assert model.params["epoch"] == str(whole_run.history.best_epoch)


def test_the_teacher_is_a_run_of_its_own(home, tracked, whole_run):
    run, _ = tracked
    folder = home.folder / whole_run.settings.tracking.folder / "teachers" / run.data.tags["rlq.teacher"]
    about = read_about(folder)
    teacher = home.tracked(about.run_id)
    assert about.kind == teacher.data.tags["rlq.kind"] == "teacher"
    assert teacher.info.status == about.status == "FINISHED"
    assert teacher.data.tags["rlq.dataset"] == "synthetic_celeb"
    assert teacher.data.params["data.size"] == "[32, 16]"  # the student's, not its file's
    assert {"loss/cap/id_cal", "loss/cap/clothes_adversarial", "General/rank1"} <= set(teacher.data.metrics)
    assert not any(name.startswith(("loss/tad", "attributes")) for name in teacher.data.metrics)


def test_the_folder_holds_best_and_last_weights_with_their_settings(home, whole_run):
    folder = home.folder / whole_run.folder
    for which in ("best", "last"):
        config = json.loads((folder / which / "config.json").read_text())
        assert config["identities"] == 8 and config["settings"] == whole_run.settings.model_dump(mode="json")
        assert (
            load_file(folder / which / "model.safetensors").keys()
            == load_file(folder / "best/model.safetensors").keys()
        )
    about = read_about(folder)
    assert (about.run_id, about.name, about.kind, about.status) == (whole_run.run_id, "whole", "run", "FINISHED")


def test_every_parameter_moved_from_where_it_started(home, whole_run):
    settings, folder = whole_run.settings, home.folder / whole_run.folder
    with home.entered():
        inputs = gather_inputs(settings, "test")
    torch.manual_seed(settings.seed)
    network = RlqNetwork(settings, identities=8)
    head = clothes_head(network, inputs.clothes.total)
    end = load_file(folder / "last/model.safetensors")
    head_end = torch.load(folder / "last.pt", weights_only=True)["modules"]["clothes_head"]
    trained = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    still = [name for name in trained if torch.equal(network.state_dict()[name], end[name])]
    groups = {name.split(".")[0] for name in trained}
    assert groups == {"trunk", "branches", "id_heads", "pose_branch", "pose_head", "gender_head"}
    assert still == []
    assert all(not torch.equal(head.state_dict()[name], head_end[name]) for name, _ in head.named_parameters())


def test_settings_that_a_set_cannot_serve_stop_the_run_before_it_begins(home):
    before = sorted((home.folder / "runs").glob("*/run.json"))
    with pytest.raises(SettingsError) as refused:
        home.run("schedule.select=CC/rank2")
    assert_names(refused.value, "schedule.select", "CC/rank2", "CC/rank1, CC/mAP")
    with pytest.raises(SettingsError) as refused:
        home.run("tad.teacher=nowhere.yaml")
    assert_names(refused.value, "tad.teacher", "experiments/nowhere.yaml")
    assert sorted((home.folder / "runs").glob("*/run.json")) == before


def test_a_teacher_takes_size_backbone_and_places_from_its_student(home):
    changes = ("data.root=elsewhere", "tad.external_root=there", "backbone.last_stride=2", "data.patience=7")
    student = home.load(*changes)
    teacher = teacher_of(student)
    assert teacher.settings.data.root == "there" and teacher.settings.data.dataset == "synthetic_celeb"
    assert teacher.settings.data.size == (32, 16) and teacher.settings.backbone.last_stride == 2
    assert teacher.settings.data.patience == 7
    assert teacher.settings.tracking.name is None and not teacher.settings.tad.enabled


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ("data.root=elsewhere", True),
        ("data.workers=1", True),
        ("tracking.folder=elsewhere", True),
        ("seed=7", True),  # the teacher has its own
        ("data.size=[64,32]", False),
        ("backbone.last_stride=2", False),
    ],
)
def test_a_teachers_fingerprint_changes_with_what_shapes_it_only(home, change, same):
    def of(*changes: str) -> str:
        return prerequisite_fingerprint(teacher_of(home.load(*changes)), ["data"])

    assert (of() == of(change)) is same
    other = prerequisite_fingerprint(teacher_of(home.load()), ["other data"])
    assert other != of() and len(other) == 16
