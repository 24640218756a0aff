import pytest
import torch
from exchanges import exchanges, in_two_processes
from naming import assert_names
from torch import nn

from rlq.core import distributed
from rlq.core.distributed import Place
from rlq.core.errors import SettingsError

CPU = Place(torch.device("cpu"))


@pytest.fixture(scope="module")
def exchanged(tmp_path_factory):
    """What each of two processes has after exchanging rows, means, gradients and values."""
    return in_two_processes(exchanges, tmp_path_factory.mktemp("processes"))


def test_rows_of_unequal_numbers_are_gathered_in_the_order_of_ranks(exchanged):
    for rank in exchanged:
        assert rank["uneven"].tolist() == [[10, 11], [12, 13], [14, 15], [0, 1]]
        assert rank["empty"].tolist() == [[0, 0, 0], [0, 0, 0]]
        assert rank["labels"].tolist() == [0, 1, 2, 3]
        assert rank["labels"].dtype == torch.long
        assert rank["carries gradient"] is False


def test_pooled_rows_of_this_process_carry_gradients(exchanged):
    assert all(rank["pooled"].tolist() == [[10, 11], [12, 13], [14, 15], [0, 1]] for rank in exchanged)
    assert [rank["pool gradient"].tolist() for rank in exchanged] == [[[1, 2], [3, 4], [5, 6]], [[7, 8]]]


def test_means_gradients_and_values_are_exchanged(exchanged):
    for rank in exchanged:
        assert rank["mean"].tolist() == [0.5, 3]
        assert rank["averaged"].tolist() == [[0.5, 0.5], [0.5, 0.5]]
        assert rank["untouched"] is None
        assert rank["shared"] == {"rank": 0}


def test_one_process_gets_back_what_it_exchanges():
    rows = torch.ones(3, 2, requires_grad=True)
    assert distributed.pool_rows(rows) is rows
    assert torch.equal(distributed.gather_rows(rows), rows)
    assert not distributed.gather_rows(rows).requires_grad
    assert distributed.mean_over_processes(rows) is rows
    assert distributed.share_from_main(rows) is rows
    line = nn.Linear(2, 2)
    assert distributed.wrap(line, CPU) is line
    distributed.share_buffers(line)
    distributed.average_gradients(line.parameters())
    distributed.wait_for_all()
    distributed.stop()


def test_one_process_computes_on_the_cpu_where_there_is_no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    assert distributed.start("auto") == distributed.start("cpu") == Place(torch.device("cpu"), 0, 1)
    assert distributed.start("cpu").is_main
    with pytest.raises(SettingsError) as refused:
        distributed.start("cuda")
    assert_names(refused.value, "compute.device", "cuda", "auto", "cpu")


def test_each_process_needs_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(SettingsError) as refused:
        distributed.start("auto")
    assert_names(refused.value, "GPU", 2)


def test_the_compute_type_follows_setting_and_hardware(monkeypatch):
    cpu = torch.device("cpu")
    assert distributed.compute_type("float32", cpu) == torch.float32
    assert distributed.compute_type("bfloat16", cpu) == torch.bfloat16
    for capable, expected in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(distributed, "has_bfloat16", lambda device, answer=capable: answer)
        assert distributed.compute_type("auto", cpu) == expected
