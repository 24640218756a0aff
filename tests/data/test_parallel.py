import math

from rlq.data.parallel import parallel_map


def test_processes_do_not_change_results_or_their_order():
    items = list(range(50, 0, -1))
    assert list(parallel_map(math.factorial, items, 2)) == list(parallel_map(math.factorial, items))
    assert list(parallel_map(math.factorial, [3], 2)) == [6] and list(parallel_map(math.factorial, [], 2)) == []
