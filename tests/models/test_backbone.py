import pytest
import torch
from marks import slow
from naming import assert_names
from safetensors.torch import save_file

from rlq.core.errors import SettingsError
from rlq.models.backbone import build_blocks, copies, output_channels

SMALL = ("test_resnet.r160_in1k", "resnet10t", "resnet18")
LARGE = ("resnet50d", "resnext50_32x4d", "seresnet50", "ecaresnet50t", "res2net50_26w_4s", "wide_resnet50_2")


def run(blocks, images):
    for block in blocks:
        images = block(images)
    return images


@pytest.mark.parametrize("name", [*SMALL, *map(slow, LARGE)])
def test_the_fourth_block_keeps_the_resolution_without_dilation(name):
    blocks = build_blocks(name, pretrained=False).eval()
    with torch.no_grad():
        maps = run(blocks, torch.rand(1, 3, 64, 32))
    assert maps.shape[2:] == (4, 2)
    assert maps.shape[1] == output_channels(blocks)
    convolutions = [m for m in blocks[3].modules() if isinstance(m, torch.nn.Conv2d)]
    assert all(c.dilation == (1, 1) for c in convolutions)


def test_last_stride_two_halves_once_more():
    blocks = build_blocks("resnet18", pretrained=False, last_stride=2).eval()
    with torch.no_grad():
        assert run(blocks, torch.rand(1, 3, 64, 32)).shape[2:] == (2, 1)


def test_last_stride_one_is_the_stride_set_by_hand_with_the_same_weights():
    import timm

    reference = timm.create_model("resnet50", pretrained=False, num_classes=0, global_pool="").eval()
    reference.layer4[0].conv2.stride = reference.layer4[0].downsample[0].stride = (1, 1)
    blocks = build_blocks("resnet50", pretrained=False).eval()
    first, second, third, fourth = blocks
    for part, name in zip(first, ("conv1", "bn1", "act1", "maxpool", "layer1"), strict=True):
        part.load_state_dict(getattr(reference, name).state_dict())
    for block, name in ((second, "layer2"), (third, "layer3"), (fourth, "layer4")):
        block.load_state_dict(getattr(reference, name).state_dict())
    images = torch.rand(1, 3, 64, 32)
    with torch.no_grad():
        assert torch.equal(run(blocks, images), reference.forward_features(images))


def test_copies_start_equal_and_share_nothing():
    blocks = build_blocks("test_resnet.r160_in1k", pretrained=False)
    first, second = copies(blocks, 2), copies(blocks, 2)
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
        assert a.data_ptr() != b.data_ptr()


def test_a_network_that_cannot_be_cut_is_refused_with_the_families_that_can():
    with pytest.raises(SettingsError) as raised:
        build_blocks("convnext_tiny", pretrained=False)
    assert_names(raised.value, "backbone.name", "convnext_tiny", "resnext")


def test_an_unknown_network_is_answered_with_names_near_it():
    with pytest.raises(SettingsError) as raised:
        build_blocks("resnet18.no_such_tag", pretrained=False)
    assert_names(raised.value, "backbone.name", "resnet18.no_such_tag", "resnet18d")


def test_local_weights_are_loaded_and_a_missing_file_is_named(tmp_path):
    import timm

    source = timm.create_model("test_resnet", pretrained=False)
    file = tmp_path / "weights.safetensors"
    save_file(source.state_dict(), file)
    blocks = build_blocks("test_resnet", pretrained=str(file))
    assert torch.equal(
        blocks[0][0].state_dict()[next(iter(blocks[0][0].state_dict()))],
        source.conv1.state_dict()[next(iter(source.conv1.state_dict()))],
    )
    with pytest.raises(SettingsError) as raised:
        build_blocks("test_resnet", pretrained=str(tmp_path / "nowhere.pth"))
    assert_names(raised.value, "backbone.pretrained", tmp_path / "nowhere.pth")


def test_weights_that_cannot_be_fetched_say_what_to_do(monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(SettingsError) as raised:
        build_blocks("resnet10t.c3_in1k", pretrained=True)
    assert_names(raised.value, "resnet10t.c3_in1k", "--set backbone.pretrained=FILE")
