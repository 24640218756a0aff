import pytest
import torch
import torch.nn.functional as F
from naming import assert_names

from rlq.losses.triplet import batch_hard_triplet

PIDS = [0, 0, 1, 1, 1, 2, 3]


def random_features(rows: int = 7) -> torch.Tensor:
    return torch.randn(rows, 5, generator=torch.Generator().manual_seed(0))


def by_loops(anchors, anchor_pids, pool, pool_pids, margin):
    def apart(a, b):
        return 1 - F.cosine_similarity(a, b, dim=0).item()

    hinges = []
    for a, pid in zip(anchors, anchor_pids):
        farthest = max(apart(a, b) for b, other in zip(pool, pool_pids) if other == pid)
        nearest = min(apart(a, b) for b, other in zip(pool, pool_pids) if other != pid)
        hinges.append(max(0.0, margin + farthest - nearest))
    return sum(hinges) / len(hinges)


@pytest.mark.parametrize("margin", [0.0, 0.3])
def test_batch_hard_triplet_is_its_definition(margin):
    features = random_features()
    found = batch_hard_triplet(features, torch.tensor(PIDS), margin=margin).item()
    assert found == pytest.approx(by_loops(features, PIDS, features, PIDS, margin), abs=1e-5)


def test_a_pool_of_all_devices_offers_farther_friends_and_nearer_strangers():
    pool, pids = random_features(), torch.tensor(PIDS)
    found = batch_hard_triplet(pool[2:4], pids[2:4], pool_features=pool, pool_pids=pids).item()
    assert found == pytest.approx(by_loops(pool[2:4], PIDS[2:4], pool, PIDS, 0.3), abs=1e-5)


def test_two_devices_with_gathered_pools_average_to_the_whole_batch():
    whole, pids = random_features(6), torch.tensor([0, 0, 1, 1, 2, 2])
    parts = [
        batch_hard_triplet(whole[part], pids[part], pool_features=whole, pool_pids=pids).item()
        for part in (slice(0, 3), slice(3, 6))
    ]
    assert sum(parts) / 2 == pytest.approx(batch_hard_triplet(whole, pids).item(), abs=1e-6)


def test_only_the_angle_of_a_feature_counts():
    features, pids = random_features(), torch.tensor(PIDS)
    lengths = torch.tensor([1.0, 7.0, 0.1, 3.0, 2.0, 5.0, 9.0])[:, None]
    assert batch_hard_triplet(features * lengths, pids).item() == pytest.approx(
        batch_hard_triplet(features, pids).item(), abs=1e-5
    )


def test_bfloat16_autocast_does_not_round_the_distances():
    features, pids = random_features(), torch.tensor(PIDS)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = batch_hard_triplet(features, pids)
    assert inside.item() == batch_hard_triplet(features, pids).item()


def test_a_batch_of_one_person_is_refused_with_the_reason():
    with pytest.raises(ValueError, match=r"losses\.triplet") as raised:
        batch_hard_triplet(torch.ones(4, 5), torch.zeros(4))
    assert_names(raised.value, 4, "pid 0", "data.batch")


def test_a_pool_without_the_batch_is_refused():
    features = random_features()
    with pytest.raises(ValueError, match=r"\bpool\b"):
        batch_hard_triplet(features, torch.tensor(PIDS), pool_features=features[1:3], pool_pids=torch.tensor([0, 1]))
    with pytest.raises(ValueError, match=r"pool_features\b.*pool_pids"):
        batch_hard_triplet(features, torch.tensor(PIDS), pool_features=features)
