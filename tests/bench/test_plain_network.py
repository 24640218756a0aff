import pytest
import torch
from tiny import PLAIN_CAL, target_batch, tiny_learner, tiny_network, tiny_settings

from rlq.bench.plain_network import PlainCal, WholeForwards
from rlq.methods.rlq.cap import CapStep


@pytest.mark.parametrize(
    "changes", [(), ("cap.pose.split=2", "cap.gender.on=both"), ("backbone.split=0", "cap.pose.split=0")]
)
def test_whole_forwards_give_what_the_network_gives(changes):
    network, pictures = tiny_network(tiny_settings(*changes)), target_batch().images
    with torch.no_grad():
        for wanted, found in zip(network(pictures), WholeForwards(network)(pictures), strict=True):
            torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


def test_whole_forwards_refuse_a_pose_branch_that_leaves_another_branch():
    with pytest.raises(ValueError, match=r"\b3\b.*\b2\b"):
        WholeForwards(tiny_network(tiny_settings("cap.pose.split=3")))


def test_the_plain_step_of_cal_is_the_toolkits_step_of_cal():
    settings = tiny_settings(*PLAIN_CAL)
    batch = target_batch()
    batch = batch._replace(clothes=torch.where(batch.clothes < 0, 3 * batch.pids, batch.clothes))  # it knows no -1
    ours, plain = tiny_network(settings), tiny_network(settings)
    learner, twin = tiny_learner(settings, ours), tiny_learner(settings, plain)
    cap = CapStep(learner, settings)
    cap.begin(1)
    step = PlainCal(plain, twin.clothes_head, twin.owner, settings.optim.lr, settings.optim.weight_decay)
    for _ in range(2):  # the second one shows the updates of the first
        wanted, found = cap(batch), step(batch)
        assert found.keys() == wanted.keys() - {"total"}
        for name, value in found.items():
            assert value == pytest.approx(wanted[name].item(), rel=1e-3), name
