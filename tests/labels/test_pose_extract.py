"""rlq pose extract with torchvision's real network, small pictures and random weights."""

import json
import re
import shutil
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from naming import assert_names
from torchvision.models.detection import keypointrcnn_resnet50_fpn

from rlq.cli import main
from rlq.core.console import Console
from rlq.core.errors import SettingsError
from rlq.labels import pose_extract
from rlq.labels.keypoint_detector import load_detector
from rlq.labels.keypoints import read_keypoints

SIDES = (32, 64)
NAMES = ["train/1_1_0.jpg", "train/1_2_0.jpg", "train/2_1_0.jpg", "train/2_2_0.jpg", "query/3_1_0.jpg"]
NAMES += ["gallery/3_2_0.jpg", "gallery/3_3_0.jpg"]
ON_CPU = {"device": "cpu", "console": Console(quiet=True)}


@pytest.fixture(scope="module")
def published():
    """Torchvision's own, made small: random numbers, but for boxes that stay where they are and look like people."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = keypointrcnn_resnet50_fpn(
            weights=None,
            weights_backbone=None,
            min_size=SIDES[0],
            max_size=SIDES[1],
            box_score_thresh=0.3,
            box_detections_per_img=2,
            rpn_post_nms_top_n_test=20,
        )
    with torch.no_grad():
        for layer in (network.rpn.head.bbox_pred, network.roi_heads.box_predictor.bbox_pred):
            layer.weight.zero_()
        network.roi_heads.box_predictor.cls_score.weight *= 0.1
        network.roi_heads.box_predictor.cls_score.bias[1] = 1
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.eps = 0.0  # as the published weights are used
    return network.eval()


@pytest.fixture(scope="module")
def weights(published, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "keypoints.pth"
    torch.save(published.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def network(weights):
    """Loaded as the command loads it, for tiny pictures; one or two people in each are enough."""
    network = load_detector(weights, torch.device("cpu"), score=0.3, sides=SIDES)
    network.roi_heads.detections_per_img = 2
    network.rpn._post_nms_top_n["testing"] = 20  # proposals cost time
    return network


@pytest.fixture(scope="module")
def whole(tmp_path_factory, weights, network):
    """A set in Celeb-reID's layout, whose pictures differ in size, and what is found in it at a stretch."""
    root = tmp_path_factory.mktemp("whole")
    for seed, name in enumerate(NAMES):
        (root / name).parent.mkdir(exist_ok=True)
        noise = np.random.default_rng(seed).integers(0, 256, (60 + 4 * seed, 32, 3), np.uint8)
        cv2.imwrite(str(root / name), noise)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pose_extract, "load_detector", lambda *_args, **_options: network)
        yield pose_extract.extract_keypoints("celeb_reid", root, weights=weights, batch=3, score=0.3, **ON_CPU)
    torch.set_num_threads(threads)


@pytest.fixture
def folder(tmp_path, whole) -> Path:
    """The same pictures, without what was found in them."""
    shutil.copytree(whole.output.parents[1], tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "rlq")
    return tmp_path


@pytest.fixture
def extract(folder, weights):
    return partial(pose_extract.extract_keypoints, "celeb_reid", folder, weights=weights, batch=3, score=0.3, **ON_CPU)


def test_people_are_written_as_alphapose_writes_them(whole, published):
    done, folder = whole, whole.output.parents[1]
    assert done.output == folder / "rlq/keypoints.json" and (done.pictures, done.with_people) == (7, 7)
    assert [entry.name for entry in done.output.parent.iterdir()] == ["keypoints.json"]
    entries = json.loads(done.output.read_text())
    assert list(dict.fromkeys(entry["image_id"] for entry in entries)) == NAMES  # train, query, gallery
    assert done.people == len(entries) > 7
    picture = torch.from_numpy(cv2.imread(str(folder / NAMES[-1]))[..., ::-1].copy()).permute(2, 0, 1) / 255
    with torch.inference_mode():
        (alone,) = published([picture])  # the last one is a batch of its own
    count = len(alone["boxes"])
    assert count and [entry["image_id"] for entry in entries].count(NAMES[-1]) == count
    for person, entry in enumerate(entries[-count:]):
        x1, y1, x2, y2 = alone["boxes"][person].tolist()
        assert entry["box"] == pytest.approx([x1, y1, x2 - x1, y2 - y1], abs=1e-3)
        assert entry["score"] == pytest.approx(alone["scores"][person].item(), abs=1e-6) and entry["score"] > 0.3
        joints = np.array(entry["keypoints"]).reshape(17, 3)
        assert np.allclose(joints[:, :2], alone["keypoints"][person, :, :2], atol=1e-3)
        assert np.allclose(joints[:, 2], 1 / (1 + np.exp(-alone["keypoints_scores"][person].numpy())), atol=1e-3)
    summary = read_keypoints(done.output).summary
    assert (summary.format, summary.pictures, summary.people, summary.left_out) == ("AlphaPose", 7, done.people, 0)


@pytest.mark.slow
def test_a_run_that_was_stopped_goes_on_and_ends_alike(whole, folder, extract, monkeypatch):
    looked_at: list[list[str]] = []
    real = pose_extract.detect

    def stopped(network, pictures, device):
        if len(looked_at) == 2:
            raise KeyboardInterrupt
        looked_at.append([name for name, _ in pictures])
        return real(network, pictures, device)

    monkeypatch.setattr(pose_extract, "detect", stopped)
    with pytest.raises(KeyboardInterrupt):
        extract()
    journal = folder / "rlq/keypoints.json.journal"
    assert journal.is_file() and not (folder / "rlq/keypoints.json").exists()
    journal.write_bytes(journal.read_bytes()[:-20])  # the last line torn: its batch is done again
    looked_at.clear()
    done = extract()
    assert looked_at == [NAMES[3:6], NAMES[6:]] and done.known == 5
    assert done.output.read_bytes() == whole.output.read_bytes() and not journal.exists()


@pytest.mark.slow
def test_broken_pictures_are_told_in_the_end_and_only_they_are_left(whole, folder, weights):
    good = {name: (folder / name).read_bytes() for name in (NAMES[1], NAMES[6])}
    (folder / NAMES[1]).write_bytes(good[NAMES[1]][:300])
    (folder / NAMES[6]).write_bytes(b"")
    words = ["pose", "extract", "--data", "celeb_reid", "--root", str(folder), "--weights", str(weights)]
    words += ["--batch", "3", "--device", "cpu", "--score", "0.3"]
    shown = CliRunner().invoke(main, words)
    lines = shown.output.splitlines()
    assert shown.exit_code == 1 and re.search(r"\b5\b.*\b7\b", lines[0])
    assert f"{folder}/rlq/keypoints.json" in lines[1]
    assert re.search(r"\b2\b", lines[2])
    assert [line.split(":")[0] for line in lines[3:]] == [f"  {NAMES[1]}", f"  {NAMES[6]}"]
    for name, content in good.items():
        (folder / name).write_bytes(content)
    shown = CliRunner().invoke(main, words)
    assert shown.exit_code == 0 and re.search(r"\b7\b.*\b7\b.*\b5\b", shown.output.splitlines()[0])
    assert not (folder / "rlq/keypoints.json.journal").exists()
    assert (folder / "rlq/keypoints.json").read_bytes() == whole.output.read_bytes()


def test_a_gpu_that_is_not_there_is_told(folder, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SettingsError) as raised:
        pose_extract.extract_keypoints("celeb_reid", folder, device="cuda", console=Console(quiet=True))
    assert_names(raised.value, "--device", "cuda", "auto", "cpu")
