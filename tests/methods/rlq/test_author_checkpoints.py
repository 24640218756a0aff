import os
import pickle
import re
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from authors import CLOTHES, REAL, Branches, Head, PlainCal, noise, rewrite, save, state_of, trained, without
from torch import nn

from rlq.core.errors import DataError
from rlq.methods.rlq.author_checkpoints import parse_checkpoint, read_checkpoint, rebuild
from rlq.methods.rlq.author_names import find_layout


def rebuilt(released, identities=7):
    return rebuild(released, dataset="prcc", root="data", identities=identities)


def furthest(network, authors):
    """The largest difference between any output that both networks have, on the same pictures."""
    images = noise(3, 5)
    with torch.no_grad():
        wanted, found = authors(images), network.eval()(images)
        apart = [(getattr(found, name) - value).abs().max().item() for name, value in wanted.items()]
        features = torch.cat([wanted[name] for name in ("bot", "cal") if name in wanted], dim=1)
        apart.append((network.embed(images) - features).abs().max().item())
    assert features.std() > 0.5
    return max(apart)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A two-branch network, its file and what is in it."""
    torch.manual_seed(0)
    network = trained(Branches())
    path = tmp_path_factory.mktemp("base") / "base.pth.tar"
    return network, path, save(network, path)


@pytest.mark.parametrize(
    ("split", "pose"),
    [
        (2, 3),
        *(
            pytest.param(*splits, marks=pytest.mark.slow)
            for splits in [(2, None), (0, None), (0, 0), (1, 4), (3, 0), (4, 4)]
        ),
    ],
)
def test_every_split_gives_the_authors_features_and_logits(split, pose):
    torch.manual_seed(split)
    authors = trained(Branches(split=split, pose=pose))
    saved = state_of(authors)
    network, settings, zeros = rebuilt(parse_checkpoint(saved))
    assert furthest(network, authors) < 1e-4
    assert settings.backbone.name == "resnet18.tv_in1k" and settings.backbone.split == split
    assert settings.cap.pose.enabled == (pose is not None) and not settings.cap.gender.enabled
    if pose is not None:
        assert (settings.cap.pose.split, settings.cap.pose.clusters) == (pose, 5)
    assert settings.branches == ("cal", "bot") and settings.data.size == (384, 192) and zeros == []
    assert torch.equal(network.id_heads["cal"].weight, saved["classifier_state_dict"]["classifier.weight"])


@pytest.mark.slow
def test_the_published_form_of_three_resnet50_branches_gives_the_authors_features(tmp_path):
    torch.manual_seed(3)
    authors = trained(Branches(REAL, pose=1, identities=77, clusters=15))
    save(authors, tmp_path / "w.pth.tar", identities=77)
    network, settings, _ = rebuilt(read_checkpoint(tmp_path / "w.pth.tar")[0], 77)
    assert furthest(network, authors) < 1e-4
    assert settings.backbone.name == "resnet50.tv_in1k" and settings.backbone.last_stride == 1
    assert (settings.backbone.split, settings.cap.pose.split, settings.cap.pose.clusters) == (2, 1, 15)
    assert network.feature_width == 4096


def test_plain_cal_of_a_resnet50_gives_the_authors_features():
    torch.manual_seed(4)
    authors = trained(PlainCal(REAL))
    network, settings, _ = rebuilt(parse_checkpoint(state_of(authors)))
    assert furthest(network, authors) < 1e-4
    assert settings.branches == ("cal",) and settings.backbone.name == "resnet50.tv_in1k"
    assert not settings.cap.pose.enabled


def test_what_the_file_says_and_what_is_left_out_is_told(base):
    released, digest = read_checkpoint(base[1])
    assert (released.epoch, released.rank1, released.identities, released.clusters) == (39, 0.625, 7, None)
    assert type(released.rank1) is float and len(digest) == 64
    assert released.left_out == {"clothes_classifier_state_dict.weight": (CLOTHES, 1024)}
    assert re.match(r"resnet18\.tv_in1k\b.*\bcal\b.*\bbot\b.*\b1\b.*\b2\b.*\bpose\b", released.layout.describe())


@pytest.mark.parametrize(
    "form",
    [
        "as published",
        pytest.param("numpy 1", marks=pytest.mark.slow),
        pytest.param("old format", marks=pytest.mark.slow),
    ],
)
def test_files_of_other_versions_of_torch_and_numpy_give_the_same_network(base, tmp_path, form):
    authors, path, state = base
    other = tmp_path / "other.pth.tar"
    if form == "old format":
        torch.save(state, other, _use_new_zipfile_serialization=False)
    else:
        old_name = b"numpy.core.multiarray" if form == "numpy 1" else b"numpy._core.multiarray"
        rewrite(path, other, lambda _, content: content.replace(b"numpy._core.multiarray", old_name))
        assert other.read_bytes().count(old_name) == 1
    released, _ = read_checkpoint(other)
    assert released.rank1 == 0.625
    assert furthest(rebuilt(released).network, authors) < 1e-4


def test_the_prefix_of_distributed_training_is_taken_off(base):
    authors, _, state = base
    names = [key for key in state if key.endswith("state_dict")]
    wrapped = {key: {f"module.{name}": value for name, value in state[key].items()} for key in names}
    released = parse_checkpoint(state | wrapped)
    assert furthest(rebuilt(released).network, authors) < 1e-4
    assert list(released.left_out) == ["clothes_classifier_state_dict.weight"]


def test_epoch_and_rank1_need_not_be_there(base):
    released = parse_checkpoint(without(base[2], "epoch", "rank1"))
    assert (released.epoch, released.rank1) == (None, None)


def test_a_cal_head_that_is_not_there_becomes_zero_and_is_named(base):
    released = parse_checkpoint(without(base[2], "classifier_state_dict", "clothes_classifier_state_dict"))
    network, _, zeros = rebuilt(released)
    assert zeros == ["id_heads.cal.weight", "id_heads.cal.bias"]
    assert not network.id_heads["cal"].weight.any() and network.id_heads["bot"].weight.any()
    assert furthest(network, base[0]) < 1e-4
    assert released.left_out == {}


def test_plain_cal_without_its_head_has_no_number_of_identities():
    released = parse_checkpoint(without(state_of(PlainCal()), "classifier_state_dict"))
    assert released.identities is None
    assert rebuilt(released, 150).network.id_heads["cal"].weight.shape == (150, 1024)


def model_with(state, **changes):
    """The file's state with tensors of the model changed; None takes one out."""
    model = state["model_state_dict"] | {name.replace("__", "."): value for name, value in changes.items()}
    return state | {"model_state_dict": {name: value for name, value in model.items() if value is not None}}


BOT_HEAD = "identity_classifier__classifier__weight"
WRONG = {
    "a tensor too few": (
        lambda s: model_with(s, branch1__1__0__bn1__running_var=None),
        r"\bresnet18.*\b1\b[^(]*\(branch1\.1\.0\.bn1\.running_var\)$",
    ),
    "a tensor too many": (
        lambda s: model_with(s, fc__weight=torch.ones(2, 2), fc__bias=torch.ones(2)),
        r"\b2\b[^(]*\(fc\.bias, fc\.weight\)",
    ),
    "another shape": (
        lambda s: model_with(s, bn1__weight=torch.ones(3)),
        r"\b1\b[^(]*\(bn1\.weight \[3\].*\[1024\]\)",
    ),
    "heads that disagree": (
        lambda s: s | {"classifier_state_dict": Head(1024, 8).state_dict()},
        r"\b2\b[^(]*\(classifier_state_dict\.classifier\.bias \[8\].*\[7\]",
    ),
    "no BOT head": (
        lambda s: model_with(s, **{BOT_HEAD: None}),
        r"\b1\b[^(]*\(identity_classifier\.classifier\.weight",
    ),
    "half precision": (
        lambda s: model_with(s, bn1__weight=torch.ones(1024).half()),
        r"\bfloat32\b.*\bint64\b.*\bmodel_state_dict\b.*\bbn1\.weight",
    ),
    "a tensor that is larger than its file": (
        lambda s: model_with(s, **{BOT_HEAD: torch.ones(1).expand(10**5, 10**5)}),
        r"\bfloat32\b.*\bidentity_classifier\.classifier\.weight",
    ),
    "not a number": (
        lambda s: model_with(s, bn2__bias=torch.full((1024,), torch.nan)),
        r"\bmodel_state_dict\b.*\bbn2\.bias",
    ),
    "a list of tensors": (lambda s: s | {"model_state_dict": [1]}, r"\bmodel_state_dict\b.*\blist\b"),
    "another clothes head": (
        lambda s: s | {"clothes_classifier_state_dict": {"weight": torch.ones(1), "bias": torch.ones(1)}},
        r"\bweight\b.*\bclothes_classifier_state_dict\b.*\bbias, weight\b",
    ),
    "another head": (
        lambda s: s | {"classifier_state_dict": {"weight": torch.ones(7, 1024)}},
        r"\bclassifier\.weight\b.*\bclassifier\.bias\b.*\bclassifier_state_dict\b.* weight\b",
    ),
    "a head of no shape": (
        lambda s: model_with(s, **{BOT_HEAD: torch.ones(7)}),
        r"\bidentity_classifier\.classifier\.weight\b.*\[7\]",
    ),
    "words for rank1": (lambda s: s | {"rank1": "high"}, r"\brank1\b.*'high'"),
    "half an epoch": (lambda s: s | {"epoch": 0.5}, r"\bepoch\b.*\b0\.5\b"),
    "the bare network": (
        lambda s: s["model_state_dict"],
        r"\bmodel_state_dict\b.*\bbn1\.bias, .*\b\d+\b",
    ),
    "a list": (lambda s: [1, 2], r"\bmodel_state_dict\b.*\blist\b"),
}  # fmt: skip


def test_what_else_a_file_holds_is_told_as_unread(base):
    released = parse_checkpoint(base[2] | {"optimizer": {}, "lr": 1.0})
    assert released.unread == ("lr", "optimizer") and parse_checkpoint(base[2]).unread == ()


@pytest.mark.parametrize("what", WRONG)
def test_a_file_that_is_not_exactly_such_a_network_is_refused_by_name(base, what):
    change, message = WRONG[what]
    with pytest.raises(DataError, match=message) as caught:
        rebuilt(parse_checkpoint(change(base[2])))
    assert "\n" not in str(caught.value)


def test_what_is_wrong_follows_the_files_name(tmp_path):
    torch.save({"state_dict": {}, "epoch": 3}, tmp_path / "other.pth")
    with pytest.raises(DataError, match=r"/other\.pth\b.*\bmodel_state_dict\b.*\bepoch, state_dict\b"):
        read_checkpoint(tmp_path / "other.pth")
    with pytest.raises(DataError, match=r"gone\.pth"):
        read_checkpoint(tmp_path / "gone.pth")


def test_another_network_is_refused_with_three_of_its_names():
    others = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)).state_dict()
    with pytest.raises(DataError, match=r"\b0\.bias, 0\.weight, 1\.bias\b.*\b4\b"):
        find_layout(others)
    layers = [f"common.{child}.0.conv1.weight" for child in (4, 5, 6, 7)]
    with pytest.raises(DataError, match=r"(\b1 basic\b.*){4}\bresnet101"):
        find_layout(layers)


class Harm:
    """Would create a file when it is read by pickle."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.fixture
def tiny_file(tmp_path):
    """A torch file with one tensor."""
    torch.save({"model_state_dict": {"weight": torch.ones(2000)}}, tmp_path / "tiny.pth.tar")
    return tmp_path / "tiny.pth.tar"


def test_a_file_that_would_run_something_is_refused_and_runs_nothing(tmp_path):
    trace, file = tmp_path / "trace", tmp_path / "w.pth.tar"
    harm = Harm(trace)
    torch.save({"model_state_dict": {}, "rank1": harm}, file)
    with pytest.raises(DataError, match=r"w\.pth\.tar.*\b\w+\.system\b"):
        read_checkpoint(file)
    file.write_bytes(pickle.dumps(harm, protocol=2))
    with pytest.raises(DataError, match="w.pth.tar"):
        read_checkpoint(file)
    assert not trace.exists()
    pickle.loads(file.read_bytes())
    assert trace.exists(), "the file was harmless"


@pytest.mark.parametrize("value", [np.float32(0.5), np.array([0.5]), np.dtype("M8[s]"), complex])
def test_of_numpy_only_a_float64_number_is_read(tmp_path, value):
    torch.save({"model_state_dict": {}, "rank1": value}, tmp_path / "w.pth.tar")
    with pytest.raises(DataError, match=r"w\.pth\.tar"):
        read_checkpoint(tmp_path / "w.pth.tar")
    assert np.float64 not in torch.serialization.get_safe_globals()


@pytest.mark.parametrize("what", ["cut", "empty", "text", "pickle", "zip", "short part"])
def test_broken_and_unrelated_files_are_one_line(tiny_file, tmp_path, what):
    content, file = tiny_file.read_bytes(), tmp_path / "w.pth.tar"
    contents = {
        "cut": content[:3000],
        "empty": b"",
        "text": b"no weights\n" * 99,
        "pickle": pickle.dumps({"a": {1, 2}}),
    }
    file.write_bytes(contents.get(what, b""))
    if what == "zip":
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("model_state_dict", "x")
    if what == "short part":
        rewrite(tiny_file, file, lambda name, part: part[:64] if "/data/" in name else part)
    with pytest.raises(DataError, match=r"w\.pth\.tar") as caught:
        read_checkpoint(file)
    assert "\n" not in str(caught.value) and "weights_only" not in str(caught.value)


def test_a_packed_file_is_refused_before_it_is_unpacked(tiny_file, tmp_path):
    file = tmp_path / "w.pth.tar"
    rewrite(tiny_file, file, lambda _, part: part, zipfile.ZIP_DEFLATED)
    with pytest.raises(DataError, match=r"w\.pth\.tar.*\btiny\.pth/.*\b4\b"):
        read_checkpoint(file)


def test_a_pose_head_of_two_classes_is_none():
    with pytest.raises(DataError, match=r"\bidentity_classifier2\.classifier\b.*\b2\b"):
        parse_checkpoint(state_of(Branches(pose=1, clusters=1)))


def test_a_pose_branch_without_its_head_is_refused():
    authors = Branches(pose=1)
    del authors.identity_classifier2
    with pytest.raises(DataError, match=r"\b2\b[^(]*\(identity_classifier2\.classifier\.bias"):
        rebuilt(parse_checkpoint(state_of(authors)))


def test_no_weight_of_the_network_keeps_its_start(base):
    released = parse_checkpoint(base[2])
    shifted = replace(released, tensors={name: value + 1 for name, value in released.tensors.items()})
    one, other = (rebuilt(r).network.state_dict() for r in (released, shifted))
    assert all(torch.equal(other[name], value + 1) for name, value in one.items())
    assert len(one) == len(released.tensors)
