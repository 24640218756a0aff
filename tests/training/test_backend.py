import os

import pytest
import torch

from rlq.core.distributed import Place
from rlq.core.settings import ComputeSettings
from rlq.training.backend import CUBLAS, configure_torch

CPU, GPU = Place(torch.device("cpu")), Place(torch.device("cuda", 0))


@pytest.fixture(autouse=True)
def as_before(monkeypatch):
    monkeypatch.setenv(CUBLAS, "set, so that it is put back")
    monkeypatch.delenv(CUBLAS)
    threads, benchmark = torch.get_num_threads(), torch.backends.cudnn.benchmark
    yield
    torch.set_num_threads(threads)
    torch.backends.cudnn.benchmark = benchmark
    torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize(("place", "fastest"), [(CPU, False), (GPU, True)])
def test_a_run_is_repeatable_where_it_asks_for_it_and_the_next_one_is_not(place, fastest):
    configure_torch(ComputeSettings(deterministic=True), place)
    assert torch.are_deterministic_algorithms_enabled() and not torch.backends.cudnn.benchmark
    configure_torch(ComputeSettings(), place)
    assert not torch.are_deterministic_algorithms_enabled() and torch.backends.cudnn.benchmark == fastest


def test_a_gpu_gets_the_workspace_that_repeatable_products_need_unless_there_is_one(monkeypatch):
    configure_torch(ComputeSettings(deterministic=True), CPU)
    assert CUBLAS not in os.environ
    configure_torch(ComputeSettings(), GPU)
    assert os.environ[CUBLAS] == ":4096:8"
    monkeypatch.setenv(CUBLAS, ":16:8")
    configure_torch(ComputeSettings(deterministic=True), GPU)
    assert os.environ[CUBLAS] == ":16:8"


def test_threads_are_as_many_as_asked_for_or_as_before():
    torch.set_num_threads(1)
    configure_torch(ComputeSettings(), CPU)
    assert torch.get_num_threads() == 1
    configure_torch(ComputeSettings(threads=2), CPU)
    assert torch.get_num_threads() == 2


def test_an_operation_without_a_repeatable_form_is_an_error_then():
    configure_torch(ComputeSettings(deterministic=True), CPU)
    with pytest.raises(RuntimeError, match="deterministic"):
        torch.zeros(3).put_(torch.tensor([0, 0]), torch.ones(2))
