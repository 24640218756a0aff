import itertools

import pytest
import torch
from marks import slow

from rlq.core.config import apply_changes, validate
from rlq.methods.rlq.network import RlqNetwork, count_parameters
from rlq.methods.rlq.settings import RlqSettings

TINY = ("backbone.name=test_resnet.r160_in1k", "backbone.pretrained=false")
BASE = ("cap.pose.enabled=false", "cap.gender.enabled=false")


def build(*changes: str, identities: int = 77) -> RlqNetwork:
    tree = {"data": {"dataset": "prcc"}, "backbone": {"name": "resnet50.tv_in1k", "pretrained": False}}
    return RlqNetwork(validate(RlqSettings, apply_changes(tree, changes), "test"), identities=identities)


def millions(count: int) -> float:
    return round(count / 1e6, 3)


def test_the_papers_parameter_counts_at_77_identities():
    base, full = count_parameters(build(*BASE)), count_parameters(build())
    assert (millions(base.paper), millions(full.paper)) == (45.903, 69.259)
    assert millions(base.inference) == millions(full.inference) == 45.588
    assert millions(count_parameters(build("cap.pose.enabled=false")).whole - base.whole) == 0.008


@pytest.mark.parametrize(("split", "wanted"), [slow(0, 47.348), slow(1, 47.123), (2, 45.903), slow(3, 38.805)])
def test_table_13_parameter_counts_by_shared_split(split, wanted):
    assert millions(count_parameters(build(*BASE, f"backbone.split={split}")).paper) == wanted


@pytest.mark.parametrize(("split", "wanted"), [slow(1, 69.259), slow(2, 68.040), (3, 60.941)])
def test_table_14_parameter_counts_by_pose_split(split, wanted):
    assert millions(count_parameters(build(f"cap.pose.split={split}")).paper) == wanted


def test_plain_cal_is_one_network_and_one_neck():
    assert millions(count_parameters(build(*BASE, "branches=[cal]")).inference) == 23.516


@pytest.mark.parametrize(("shared", "pose"), itertools.product(range(5), range(5)))
def test_the_pose_branch_leaves_where_the_split_rule_says(shared, pose):
    network = build(*TINY, f"backbone.split={shared}", f"cap.pose.split={pose}", identities=5).eval()
    images = torch.rand(2, 3, 64, 32)
    with torch.no_grad():
        outputs = network(images)
        body = list(network.trunk) + list(network.branches["bot"].blocks)
        maps = images
        for block in body[:pose]:
            maps = block(maps)
        wanted, _ = network.pose_branch(maps)
    assert len(network.pose_branch.blocks) == 4 - pose
    assert len(network.trunk) == shared
    torch.testing.assert_close(outputs.pose, wanted)


def test_branches_start_from_equal_weights_and_give_equal_maps():
    network = build(*TINY, identities=5).eval()
    cal, bot = (network.branches[name].blocks.state_dict() for name in ("cal", "bot"))
    assert all(torch.equal(cal[name], bot[name]) for name in cal)
    pose = network.pose_branch.blocks.state_dict()
    shared = network.trunk[1].state_dict()
    assert all(torch.equal(value, pose[f"0.{name}"]) for name, value in shared.items())


def test_shared_blocks_run_once_per_forward():
    network, runs = build(*TINY, identities=5), []
    for block in network.trunk:
        block.register_forward_hook(lambda *_: runs.append(1))
    network(torch.rand(2, 3, 64, 32))
    assert len(runs) == 2


def test_the_embedding_is_bot_then_cal_and_leaves_the_heads_alone():
    network = build(*TINY, identities=5).eval()
    for head in (network.pose_branch, network.pose_head, network.gender_head, *network.id_heads.values()):
        head.register_forward_hook(lambda *_: pytest.fail("a head ran"))
    images = torch.rand(2, 3, 64, 32)
    with torch.no_grad():
        features = network.branch_features(images)
        assert torch.equal(network.embed(images), torch.cat([features["bot"], features["cal"]], dim=1))


@pytest.mark.parametrize(
    ("changes", "present"),
    [
        ((*BASE, "branches=[cal]"), {"cal", "id_cal"}),
        (BASE, {"cal", "bot", "id_cal", "id_bot"}),
        (("cap.pose.enabled=false",), {"cal", "bot", "id_cal", "id_bot", "gender_logits"}),
        (("cap.gender.enabled=false",), {"cal", "bot", "pose", "id_cal", "id_bot", "pose_logits"}),
        ((), {"cal", "bot", "pose", "id_cal", "id_bot", "pose_logits", "gender_logits"}),
        (("cap.gender.on=both",), {"cal", "bot", "pose", "id_cal", "id_bot", "pose_logits", "gender_logits"}),
    ],
    ids=["cal", "base", "gender", "pose", "both", "gender on both"],
)
def test_each_network_gives_its_own_outputs(changes, present):
    outputs = build(*TINY, *changes, identities=5)(torch.rand(2, 3, 64, 32))
    assert {name for name, value in outputs._asdict().items() if value is not None} == present


def test_without_attributes_the_pose_branch_only_moves_its_statistics():
    network = build(*TINY, identities=5)
    before = network.pose_branch.neck.norm.running_mean.clone()
    outputs = network(torch.rand(4, 3, 64, 32), attributes=False)
    assert outputs.pose is None
    assert outputs.gender_logits is None
    assert not torch.equal(before, network.pose_branch.neck.norm.running_mean)
    outputs.bot.sum().backward()
    assert all(parameter.grad is None for parameter in network.pose_branch.parameters())
