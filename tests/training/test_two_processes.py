"""Steps, evaluations and runs of two processes equal those of one."""

import pytest
import torch
import torch.nn.functional as F
from exchanges import in_two_processes
from tiny import CPU, assert_equal_gradients, gradients_of, target_batch, tiny_network, tiny_settings
from two_processes import CAP_LOSSES, ROWS, TAD_LOSSES, everything, settled, whole_work

from rlq.methods.rlq.weights import load_network

PER_ROW = tuple(name for name in CAP_LOSSES if name != "triplet") + TAD_LOSSES

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("processes")


@pytest.fixture(scope="module")
def one(folder):
    """What one process makes of whole batches."""
    return everything(folder, CPU)


@pytest.fixture(scope="module")
def two(folder, one):
    """What each of two processes makes of its halves; `one` has written the pictures."""
    return in_two_processes(whole_work, folder)


@pytest.mark.parametrize("name", [*PER_ROW, "triplet"])
def test_the_terms_of_a_step_average_to_those_of_the_joined_batch(one, two, name):
    expected = one[name]["terms"]
    assert len(expected) >= 2  # the total and at least one loss
    for term, value in expected.items():
        halves = [rank[name]["terms"][term] for rank in two]
        torch.testing.assert_close(sum(halves) / 2, value, rtol=0, atol=1e-5, msg=lambda m, t=term: f"{t}: {m}")


@pytest.mark.parametrize("name", PER_ROW)
def test_the_models_gradient_is_that_of_the_joined_batch_on_every_process(one, two, name):
    for rank in two:
        assert_equal_gradients(rank[name]["gradients"], one[name]["gradients"])


def test_the_clothes_heads_gradient_is_that_of_the_joined_batch_on_every_process(one, two):
    expected = one["clothes_adversarial"]["head"]
    assert expected.abs().max() > 0.1
    for rank in two:
        torch.testing.assert_close(rank["clothes_adversarial"]["head"], expected, rtol=1e-5, atol=1e-5)


def test_the_triplets_gradient_flows_through_each_process_own_rows_only(one, two):
    """Each process asks its own rows, their partners come from everybody, and other processes' rows are constants."""
    network, batch, pids = settled(tiny_network(tiny_settings())), target_batch(ROWS), target_batch(ROWS).pids.tolist()
    unit = F.normalize(network(batch.images).bot)
    of_processes = []
    for own in (range(8), range(8, 16)):
        pool = [unit[row] if row in own else unit[row].detach() for row in range(ROWS)]
        hinges = []
        for row in own:
            apart = [1 - unit[row] @ other for other in pool]
            farthest = max((d for d, pid in zip(apart, pids) if pid == pids[row]), key=torch.Tensor.item)
            nearest = min((d for d, pid in zip(apart, pids) if pid != pids[row]), key=torch.Tensor.item)
            hinges.append(F.relu(farthest - nearest + 0.3))
        of_processes.append(sum(hinges) / 8)
    (sum(of_processes) / 2).backward()
    expected = gradients_of(network)
    for rank in two:
        assert_equal_gradients(rank["triplet"]["gradients"], expected)
    joined = one["triplet"]["gradients"]["trunk.0.0.0.weight"]
    assert (expected["trunk.0.0.0.weight"] - joined).abs().max() > 1e-2 * joined.abs().max()


def test_all_processes_hold_equal_weights_after_every_step(two):
    histories = [rank["parameters"] for rank in two]
    assert len(histories[0]) == len(histories[1]) == 7
    for step, (first, second) in enumerate(zip(*histories, strict=True)):
        apart = [name for name in first if not torch.equal(first[name], second[name])]
        assert not apart, f"after {step} steps: {apart}"
    assert not torch.equal(histories[0][0]["clothes.weight"], histories[0][1]["clothes.weight"])
    for before, after in zip(histories[0], histories[0][1:]):
        assert not torch.equal(before["network.trunk.0.0.0.weight"], after["network.trunk.0.0.0.weight"])
    assert torch.equal(histories[0][1]["clothes.weight"], histories[0][2]["clothes.weight"])  # the second step is TAD


def test_batch_norms_follow_each_process_own_rows_until_they_are_shared(two):
    assert not torch.equal(two[0]["own buffer"], two[1]["own buffer"])
    first, second = (rank["shared state"] for rank in two)
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert torch.equal(first["trunk.0.1.running_mean"], two[0]["own buffer"])


@pytest.mark.parametrize("kind", ["clean", "degraded"])
def test_evaluation_is_the_same_with_pictures_that_do_not_divide_evenly(one, two, kind):
    expected, features = one["evaluation"][kind], one["evaluation"][f"{kind} features"]
    assert [len(part) for part in features] == [3, 4]
    assert expected["General/mAP"] is not None
    for rank in two:
        assert rank["evaluation"][kind] == expected
        for result, part in zip(rank["evaluation"][f"{kind} features"], features, strict=True):
            torch.testing.assert_close(result, part, rtol=0, atol=1e-5)


def test_degraded_pictures_are_degraded(one):
    clean, degraded = (one["evaluation"][f"{kind} features"][0] for kind in ("clean", "degraded"))
    assert (clean - degraded).abs().max() > 1e-3


def test_a_process_without_any_picture_gets_the_features_all_the_same(one, two):
    expected = one["evaluation"]["one picture"]
    assert expected.shape[0] == 1
    for rank in two:
        torch.testing.assert_close(rank["evaluation"]["one picture"], expected, rtol=0, atol=1e-5)


def test_a_run_of_two_processes_ends_with_equal_weights_and_numbers_and_the_main_one_tracks(folder, two):
    first, second = (rank["fit"] for rank in two)
    assert first["evaluations"] == second["evaluations"]
    assert first["evaluations"].keys() == {0, 1, 2}
    assert first["evaluated again"] == second["evaluated again"] == first["evaluations"][2]
    for module, parameters in first["parameters"].items():
        assert all(torch.equal(value, second["parameters"][module][name]) for name, value in parameters.items())
    assert {"loss/cap/total", "loss/tad/total", "CC/mAP", "best/epoch"} <= first["metrics"].keys()
    assert second["metrics"] == {}
    assert sorted(path.name for path in (folder / "run").iterdir()) == ["best", "last", "last.pt"]


def test_all_processes_evaluate_the_network_that_the_main_one_writes_batch_norms_included(folder, two):
    written = load_network(folder / "run" / "last", CPU.device)[0].state_dict()
    for rank in two:
        assert all(torch.equal(value, rank["fit"]["state"][name]) for name, value in written.items())


def test_a_run_of_two_processes_that_broke_and_goes_on_equals_one_that_never_did(two):
    for rank in two:
        expected, result = rank["fit"], rank["resumed"]
        assert result["steps"] < expected["steps"]
        assert result["evaluations"] == expected["evaluations"]
        for module, parameters in expected["parameters"].items():
            assert all(torch.equal(value, result["parameters"][module][name]) for name, value in parameters.items())
