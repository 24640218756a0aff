from pathlib import Path

import pytest
from naming import assert_names
from pydantic import Field

from rlq.core.config import Settings, apply_changes, flatten, known_names, read_tree, to_yaml, validate
from rlq.core.errors import SettingsError
from rlq.methods.rlq.settings import RlqSettings

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


def load(*changes: str) -> RlqSettings:
    return validate(RlqSettings, apply_changes(read_tree(EXPERIMENTS / "rlq.yaml"), changes), "rlq.yaml")


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize("file", sorted(EXPERIMENTS.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_experiment_file_loads_and_survives_its_own_dump(file, tmp_path):
    settings = validate(RlqSettings, read_tree(file), str(file))
    again = write(tmp_path, "again.yaml", to_yaml(settings))
    assert validate(RlqSettings, read_tree(again), "again") == settings


def test_the_recipe_file_spells_out_every_setting_with_its_default():
    written = read_tree(EXPERIMENTS / "rlq.yaml")
    bare = validate(RlqSettings, {"data": {"dataset": "prcc"}}, "defaults")
    assert flatten(load()) == flatten(bare)
    sections = {name for name in known_names(RlqSettings) if name not in flatten(bare)}

    def names(tree, prefix=""):
        for key, value in tree.items():
            yield prefix + key
            if isinstance(value, dict):
                yield from names(value, f"{prefix}{key}.")

    assert set(names(written)) == set(flatten(bare)) | sections


def test_the_papers_text_differs_from_the_code_in_the_settings_that_the_recipe_names():
    code, text = (
        flatten(load()),
        flatten(validate(RlqSettings, read_tree(EXPERIMENTS / "rlq_paper_text.yaml"), "rlq_paper_text.yaml")),
    )
    assert {name: text[name] for name in code if code[name] != text[name]} == {
        "variant": "RLQ (paper text)",
        "tad.clothes_kl": "live",
        "losses.attribute_smoothing": 0.0,
        "losses.kl.tau": 1.0,
        "losses.kl.coefficient": 1.0,
        "losses.kl.reduction": "batch",
        "optim.warmup": 10,
    }


def test_a_change_reads_its_value_as_plain_yaml():
    settings = load("optim.lr=1e-4", "data.size=[96, 48]", "backbone.pretrained=false", "cap.pose.on=both")
    assert (settings.optim.lr, settings.data.size) == (1e-4, (96, 48))
    assert settings.backbone.pretrained is False
    assert settings.cap.pose.on == "both"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("optim.lrr=1", ("optim.lrr",)),
        ("bakbone.split=1", ("bakbone", "backbone")),
        ("seed=true", ("seed", True)),
        ("seed=1.5", ("seed", 1.5)),
        ("optim.lr=yes", ("optim.lr", "'yes'")),
        ("data.batch=6", ("data.batch", 6, "data.instances", 4)),
        ("tad.mix.motion=1", ("pixelation", "gaussian", "motion", 1, 2)),
        (
            "schedule.epochs=10",
            ("schedule.clothes_from", 25, "optim.milestones", "[20, 40]", "schedule.epochs", 10),
        ),
        ("optim.warmup=200", ("optim.warmup", 200, "schedule.epochs")),
        ("tad.gaussian_kernel=[6, 6]", ("tad.gaussian_kernel", "[6, 6]")),
        ("tad.pixelation=[20, 10]", ("tad.pixelation", "[20, 10]", "[smallest, largest]")),
        ("branches=[cal]", ("cap.pose.on", "bot", "branches", "['cal']")),
        ("order=[cap]", ("order", "['cap']", "tad")),
        ("backbone.split=5", ("backbone.split", 5, 4)),
        ("method=cal", ("method", "'cal'", "'rlq'")),
        ("seed", ("--set", "'seed'", "NAME=VALUE")),
        ("a=[", ("'a=['", "YAML")),
    ],
)
def test_a_setting_that_cannot_be_meant_is_refused_by_name(change, named):
    with pytest.raises(SettingsError) as refused:
        load(change)
    assert_names(refused.value, *named)


def test_a_key_given_twice_is_refused_with_both_lines(tmp_path):
    path = write(tmp_path, "twice.yaml", "seed: 1\ndata: {dataset: prcc}\nseed: 2\n")
    with pytest.raises(SettingsError) as refused:
        read_tree(path)
    assert_names(str(refused.value).replace(str(tmp_path), ""), "twice.yaml", "seed", 1, 3)


def test_files_that_extend_each_other_in_a_ring_are_refused(tmp_path):
    write(tmp_path, "a.yaml", "extends: b.yaml\n")
    path = write(tmp_path, "b.yaml", "extends: a.yaml\n")
    with pytest.raises(SettingsError, match=r"b\.yaml -> a\.yaml -> b\.yaml"):
        read_tree(path)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("- 1\n", ("x.yaml", "list")),
        ("a: [1\n", ("x.yaml", "YAML", "line 1")),
        ("extends: [a]\n", ("x.yaml", "extends", "['a']")),
        ("extends: nowhere.yaml\n", ("nowhere.yaml",)),
        ("seed: !!python/object/apply:os.system ['true']\n", ("x.yaml", "line 1", "!!python/object/apply:os.system")),
    ],
)
def test_a_file_that_is_no_experiment_is_refused(tmp_path, text, named):
    with pytest.raises(SettingsError) as refused:
        read_tree(write(tmp_path, "x.yaml", text))
    assert_names(refused.value, *named)


def test_words_and_numbers_are_read_as_people_mean_them(tmp_path):
    path = write(tmp_path, "x.yaml", "on: no\nclock: 12:30\nlr: 1e-4\nfull: true\nnothing: null\nlist: [1, -2.5]\n")
    assert read_tree(path) == {
        "on": "no",
        "clock": "12:30",
        "lr": 1e-4,
        "full": True,
        "nothing": None,
        "list": [1, -2.5],
    }


class Element(Settings):
    name: str = ""
    sizes: tuple[int, ...] = ()


class Listing(Settings):
    names: tuple[Element, ...] = ()
    by_word: dict[str, Element] = Field(default_factory=dict)


@pytest.mark.parametrize(
    ("tree", "name", "nearest"),
    [
        ({"names": [{}, {"nam": "a"}]}, "names.1.nam", "names.1.name?"),
        ({"by_word": {"a": {"size": []}}}, "by_word.a.size", "by_word.a.sizes?"),
    ],
)
def test_a_misspelt_key_of_a_list_or_mapping_is_answered_with_those_of_its_elements(tree, name, nearest):
    with pytest.raises(SettingsError) as refused:
        validate(Listing, tree, "x.yaml")
    assert_names(refused.value, "x.yaml", name)
    assert str(refused.value).endswith(nearest)
