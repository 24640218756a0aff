import pytest
from naming import assert_names
from sweep_files import of, settings_of, written

from rlq.core.errors import SettingsError
from rlq.sweep.validation import check, experiment_values, experiment_with_fixed

SETTINGS = settings_of()  # synthetic_short.yaml: 5 epochs, clothes from 1, milestone 4
REFUSED = {  # what a sweep file says -> what the refusal names
    "parameters:\n  cap.pose.cluster: {min: 5, max: 40, step: 5}": ("line 4", "cap.pose.clusters"),
    "parameters:\n  zzz: {value: 5}": ("line 4", "zzz", "--print-config"),
    "fixed: {schedule.epohs: 3}\nparameters:\n  seed: {value: 1}": ("line 3", "schedule.epohs", "schedule.epochs"),
    "parameters:\n  cap.pose.clusters: {min: 1, max: 4}": ("line 4", "cap.pose.clusters", 1, 2),
    "parameters:\n  cap.pose.clusters: {min: 5.0, max: 40.5}": ("line 4", "cap.pose.clusters", 5.0),
    "parameters:\n  cap.pose.enabled: {values: [true, 'no']}": ("line 4", "cap.pose.enabled", "'no'"),
    "parameters:\n  backbone.split: {min: 0, max: 7}": ("line 4", "backbone.split", 5),
    "parameters:\n  losses.kl: {values: [official, plane]}": ("line 4", "losses.kl", "plane", "official", "plain"),
    "parameters:\n  optim.lr: {value: fast}": ("line 4", "optim.lr", "fast"),
    "parameters:\n  tad.gaussian_kernel: {range: [3, 31]}": ("line 4", "tad.gaussian_kernel", "[4, 4]"),
    "parameters:\n  tad.gaussian_kernel: {range: [4, 32], step: 2}": ("line 4", "tad.gaussian_kernel", "[4, 4]"),
    "parameters:\n  tad.pixelation: {range: [0, 32]}": ("line 4", "tad.pixelation", 0, 1),
    "parameters:\n  losses.triplet: {min: 0, max: 2}": ("line 4", "losses.triplet", "min: 0.0", "max: 2.0", "step: 1"),
    "parameters:\n  tad.gaussian_sigma: {range: [1, 3]}": ("line 4", "tad.gaussian_sigma", "range: [1.0, 3.0]", "step"),
    "parameters:\n  schedule.clothes_from: {min: 1, max: 9}": ("line 4", "schedule.clothes_from", 5, "schedule.epochs"),
    "parameters:\n  tad.mix.gaussian: {min: 0.0, max: 1.0, step: 0.5}": ("line 4", "tad.mix.gaussian", 0.0, 0.67),
    "parameters:\n  seed: {values: [1, 2]}": ("line 4", "seed", "seeds: [1, 2]"),
    "fixed: {data.selection: test}\nparameters:\n  optim.lr: {value: 0.1}": ("line 3", "data.selection", "fixed"),
    "fixed:\n  optim.gamma: 0.5\n  optim.lr: x\nparameters:\n  optim.lr: {value: 0.1}": ("line 7", "optim.lr", "fixed"),
    "fixed:\n  optim.gamma: 0.5\n  optim.lr: x\nparameters:\n  seed: {value: 1}": ("line 7", "seed", "seeds: "),
    "fixed:\n  optim.gamma: 0.5\n  optim.lr: x\nparameters:\n  backbone.split: {value: 1}": (
        "line 5",
        "optim.lr",
        "'x'",
    ),
    "fixed: {schedule.epochs: 1}\nparameters:\n  optim.lr: {value: 0.1}": (
        *("line 3", "schedule.clothes_from", 1, "schedule.epochs"),
    ),
    "parameters:\n  losses.kl: {values: [plain]}\n  losses.kl.tau: {value: 0.5}": (
        "line 5",
        "losses.kl ",
        "losses.kl.tau",
    ),
    "parameters:\n  optim.lr: {value: 0.1}\nconstraints: [optim.rl <= 0.5]": (
        *("line 5", "optim.rl <= 0.5", "optim.rl", "optim.lr"),
    ),
    "parameters:\n  losses.kl: {values: [plain]}\nconstraints: [losses.kl <= 5]": ("line 5", "losses.kl <= 5", "plain"),
    "parameters:\n  tad.pixelation: {range: [8, 64]}\nconstraints: [tad.pixelation <= 5]": (
        *("line 5", "tad.pixelation <= 5", "tad.pixelation.low"),
    ),
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_the_settings_do_not_take_is_told_with_its_line(text, tmp_path):
    sweep = written(tmp_path, text + "\n")
    with pytest.raises(SettingsError) as caught:
        check(sweep, SETTINGS)
    assert_names(caught.value, "sweep.yaml", *REFUSED[text])


TAKEN = [
    {"cap.pose.clusters": {"min": 5, "max": 40, "step": 5}, "optim.lr": {"min": 1e-4, "max": 1e-2, "log": True}},
    {"losses.kl": {"values": ["official", "plain"]}, "losses.triplet": {"min": 0, "max": 2, "step": 1}},
    {"tad.gaussian_kernel": {"range": [3, 31], "step": 2}, "tad.gaussian_sigma": {"range": [0.1, 3.0]}},
    {"optim.milestones": {"values": [[], [2], [1, 3]]}, "backbone.name": {"values": ["resnet18", "resnet34"]}},
    {"cap.pose.enabled": {"values": [True, False]}},
]


@pytest.mark.parametrize("parameters", TAKEN)
def test_what_the_settings_take_is_taken(parameters, tmp_path):
    check(of(tmp_path, parameters=parameters), SETTINGS)


def test_a_value_that_breaks_a_rule_is_taken_when_another_parameter_can_make_up_for_it(tmp_path):
    later = {"schedule.clothes_from": {"min": 1, "max": 9}}
    longer = {"schedule.epochs": {"min": 5, "max": 12}}
    with pytest.raises(SettingsError) as caught:
        check(of(tmp_path, parameters=later), SETTINGS)
    assert_names(caught.value, "schedule.clothes_from", 5, "schedule.epochs")
    check(of(tmp_path, parameters=later | longer), SETTINGS)
    mix = {f"tad.mix.{name}": {"values": [0.0, 0.5, 1.0]} for name in ("pixelation", "gaussian", "motion")}
    check(of(tmp_path, parameters=mix), SETTINGS)


def test_what_is_fixed_counts_when_values_are_tried(tmp_path):
    later = {"schedule.clothes_from": {"min": 1, "max": 9}}
    check(of(tmp_path, fixed={"schedule.epochs": 10}, parameters=later), SETTINGS)
    early = {"schedule.clothes_from": {"value": 0}}
    check(of(tmp_path, fixed={"schedule.epochs": 1, "optim.milestones": []}, parameters=early), SETTINGS)


GUESSED = {"backbone.split": {"values": [0, 1, 2]}, "tad.motion_kernel": {"range": [4, 32]}, "optim.lr": {"value": 0.1}}


@pytest.mark.parametrize(
    ("guess", "named"),
    [
        ({"backbone.spilt": 1}, ("enqueue", "backbone.spilt", "backbone.split")),
        ({"data.batch": 1}, ("enqueue", "data.batch", "tad.motion_kernel")),
        ({"backbone.split": 5}, ("enqueue", "backbone.split", 5, "[0, 1, 2]")),
        ({"tad.motion_kernel": [20, 10]}, ("enqueue", "tad.motion_kernel", "[20, 10]", "[10, 20]")),
        ({"tad.motion_kernel": [1, 10]}, ("enqueue", "tad.motion_kernel", "[1, 10]", 4, 32)),
        ({"optim.lr": 0.1}, ("enqueue", "optim.lr", 0.1)),
        ({"backbone.split": 2}, ("enqueue", "backbone.split <= 1")),
        ({}, ("guess",)),
    ],
)
def test_a_first_guess_that_cannot_be_drawn_is_told(guess, named, tmp_path):
    sweep = of(
        tmp_path, parameters=GUESSED, constraints=["backbone.split <= 1"], enqueue=[{"backbone.split": 1}, guess]
    )
    with pytest.raises(SettingsError, match=r"line \d+") as caught:
        check(sweep, SETTINGS)
    assert_names(caught.value, *named)


def test_a_whole_guess_has_to_be_an_experiment(tmp_path):
    parameters = {"schedule.clothes_from": {"min": 1, "max": 9}, "schedule.epochs": {"min": 5, "max": 12}}
    check(of(tmp_path, parameters=parameters, enqueue=[{"schedule.clothes_from": 8}]), SETTINGS)
    whole = {"schedule.clothes_from": 8, "schedule.epochs": 5}
    with pytest.raises(SettingsError, match=r"line \d+") as caught:
        check(of(tmp_path, parameters=parameters, enqueue=[whole]), SETTINGS)
    assert_names(caught.value, "schedule.clothes_from", 8, "schedule.epochs", 5)


def test_the_experiments_own_values_are_a_guess(tmp_path):
    parameters = {
        "cap.pose.clusters": {"min": 5, "max": 40, "step": 5},
        "losses.kl": {"values": ["plain", "official"]},
        "tad.pixelation": {"range": [8, 64]},
        "optim.milestones": {"values": [[2], [4]]},
        "cap.pose.split": {"min": 1, "max": 3, "when": {"cap.pose.clusters": [5, 10]}},
        "optim.gamma": {"value": 0.5},
    }
    sweep = of(tmp_path, parameters=parameters, enqueue=["experiment"])
    check(sweep, SETTINGS)
    assert experiment_values(sweep, experiment_with_fixed(sweep, SETTINGS), 0) == {
        "cap.pose.clusters": 15,
        "losses.kl": "official",
        "tad.pixelation": [10, 40],
        "optim.milestones": [4],
    }


def test_own_values_that_are_out_of_reach_are_told(tmp_path):
    narrow = {"tad.pixelation": {"range": [16, 64]}}
    with pytest.raises(SettingsError, match=r"line \d+") as caught:
        check(of(tmp_path, parameters=narrow, enqueue=["experiment"]), SETTINGS)
    assert_names(caught.value, "experiment", "tad.pixelation", "[10, 40]", 16, 64)
    early = {"schedule.clothes_from": {"value": 0}, "data.instances": {"values": [2, 4]}}
    short = {"schedule.epochs": 1, "optim.milestones": []}
    with pytest.raises(SettingsError) as told:
        check(of(tmp_path, fixed=short, parameters=early, enqueue=["experiment"]), SETTINGS)
    assert_names(told.value, "fixed", "schedule.clothes_from")
