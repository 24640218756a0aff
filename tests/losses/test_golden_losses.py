"""Every loss against the reference implementation: values and gradients."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from rlq.losses.clothes import clothes_adversarial, clothes_cross_entropy
from rlq.losses.disentangle import absolute_cosine
from rlq.losses.divergence import kl_divergence
from rlq.losses.identity import smoothed_cross_entropy
from rlq.losses.triplet import batch_hard_triplet
from rlq.methods.rlq.tad_losses import tad_distillation, tad_self_supervision


@pytest.fixture
def reference(golden_losses: Path) -> dict[str, torch.Tensor]:
    with np.load(golden_losses) as file:
        return {name: torch.from_numpy(np.asarray(file[name])) for name in file.files}


def near(found: torch.Tensor, wanted: torch.Tensor, atol: float = 0.0) -> None:
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=atol)


def test_golden_identity_cross_entropy(reference):
    near(smoothed_cross_entropy(reference["logits_cal"], reference["pid"]), reference["id_ce_smooth"])


def test_golden_clothes_cross_entropy(reference):
    near(clothes_cross_entropy(reference["clothes_cosine_logits"], reference["clothes"]), reference["clothes_ce"])


def test_golden_clothes_adversarial_and_its_gradient(reference):
    features = reference["f_cal"].clone().requires_grad_()
    cosines = F.normalize(features) @ F.normalize(reference["w_clothes"]).T
    loss = clothes_adversarial(cosines, reference["clothes"], reference["pid"], reference["owner"])
    loss.backward()
    near(loss.detach(), reference["clothes_adversarial"])
    near(features.grad, reference["clothes_adversarial_grad"], atol=1e-7)


def test_golden_triplet_and_its_gradient(reference):
    features = reference["f_bot"].clone().requires_grad_()
    loss = batch_hard_triplet(features, reference["pid"])
    loss.backward()
    near(loss.detach(), reference["triplet_cosine"])
    near(features.grad, reference["triplet_cosine_grad"], atol=1e-7)


def test_golden_divergence_between_the_two_id_heads(reference):
    near(kl_divergence(reference["logits_bot"], reference["logits_cal"]), reference["id_kl_official"])


def test_golden_absolute_cosine_of_identity_and_pose(reference):
    near(absolute_cosine(reference["f_bot"], reference["f_pose"]), reference["pose_abs_cosine"])


def test_golden_distillation(reference):
    terms = tad_distillation(
        {"cal": reference["t_cal"], "bot": reference["t_bot"]},
        {"cal": reference["s_cal_hq_lq"], "bot": reference["s_bot_hq_lq"]},
    )
    near(sum(terms.values()), reference["tad_distillation"])


def test_golden_self_supervision(reference):
    terms = tad_self_supervision(
        {
            "clothes": reference["y_cal_clothes_hq_lq"],
            "id_cal": reference["y_cal_id_hq_lq"],
            "id_bot": reference["y_bot_id_hq_lq"],
        }
    )
    near(sum(terms.values()), reference["tad_self_supervision_official"])
