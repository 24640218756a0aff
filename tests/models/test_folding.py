import pytest
import timm
import torch
from torch import nn

from rlq.models.backbone import build_blocks
from rlq.models.folding import fold_batch_norms, largest_deviation


def settled(network, pictures):
    """In evaluation mode, with batch norms that do something."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.5
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.uniform_(module.bias, -1, 1)
    network.train()
    with torch.no_grad():
        network(pictures)
    return network.eval()


@pytest.mark.parametrize(("name", "norms"), [("resnet10t", 14), ("test_resnet.r160_in1k", None), ("seresnet18", None)])
def test_a_folded_network_gives_the_same_with_fewer_norms(name, norms):
    torch.manual_seed(0)
    pictures = torch.randn(4, 3, 64, 32)
    network = settled(nn.Sequential(*build_blocks(name, pretrained=False)), pictures)
    there = sum(type(module) is nn.BatchNorm2d for module in network.modules())
    with torch.no_grad():
        wanted = network(pictures)
        folded = fold_batch_norms(network)
        torch.testing.assert_close(network(pictures), wanted, rtol=1e-3, atol=1e-3)
    left = sum(type(module) is nn.BatchNorm2d for module in network.modules())
    assert folded == there - left >= 8 and left == 0
    assert norms is None or folded == norms


def test_norms_that_do_more_or_follow_no_convolution_stay():
    network = timm.create_model("densenet121", pretrained=False, num_classes=0).eval()
    assert fold_batch_norms(network) == 0  # its norms hold an activation
    assert fold_batch_norms(nn.Sequential(nn.ReLU(), nn.BatchNorm2d(3)).eval()) == 0


def test_a_network_in_training_mode_is_refused():
    with pytest.raises(ValueError, match="training"):
        fold_batch_norms(nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)))


def test_a_deviation_is_a_share_of_its_own_rows_length():
    exact = torch.tensor([[3.0, 4.0], [0.0, 100.0]])
    assert largest_deviation(exact + torch.tensor([[0.0, 1.0], [0.0, 5.0]]), exact) == pytest.approx(0.2)
