import errno
import math

from rlq.data import parallel
from rlq.data.parallel import parallel_map


def test_processes_do_not_change_results_or_their_order():
    items = list(range(50, 0, -1))
    assert list(parallel_map(math.factorial, items, 2)) == list(parallel_map(math.factorial, items))
    assert list(parallel_map(math.factorial, [3], 2)) == [6] and list(parallel_map(math.factorial, [], 2)) == []


def test_where_no_processes_can_be_had_the_work_is_done_all_the_same(monkeypatch):
    asked = []

    def full(*_, **__):
        asked.append("locks")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(parallel, "ProcessPoolExecutor", full)
    assert list(parallel_map(math.factorial, [3, 4], 2)) == [6, 24] and asked == ["locks"]
