from collections import Counter
from pathlib import Path

import pytest

from rlq.data.records import Record
from rlq.labels.annotate.people import spread, subjects_of


def album(pid: str, split: str, *groups: tuple[str, str, int]) -> list[Record]:
    """Records of (clothes, camera, how many)."""
    return [
        Record(Path(f"/{split}/{pid}/{camera}{clothes}{number:03}.jpg"), pid, camera, clothes, split, "")
        for clothes, camera, count in groups
        for number in range(count)
    ]


@pytest.mark.parametrize(("count", "clothes", "cameras"), [(2, 2, 2), (3, 3, 3), (4, 3, 3)])
def test_few_pictures_show_as_many_clothes_and_cameras_as_they_can(count, clothes, cameras):
    records = album("1", "train", ("a", "A", 200), ("a", "B", 3), ("b", "B", 50), ("c", "C", 1))
    chosen = spread(records, count)
    assert len(chosen) == count
    assert len({one.clothes for one in chosen}) == clothes and len({one.camera for one in chosen}) == cameras


def test_many_pictures_are_shared_out_evenly_and_none_is_shown_twice():
    records = album("1", "train", ("a", "A", 30), ("b", "B", 30), ("c", "C", 2))
    chosen = spread(records, 8)
    assert Counter(one.clothes for one in chosen) == {"a": 3, "b": 3, "c": 2}
    assert len({one.path for one in chosen}) == 8
    assert len(spread(records[:3], 8)) == 3


def test_the_same_pictures_are_chosen_whatever_the_order_of_calls():
    first, second = album("1", "train", ("a", "A", 90)), album("2", "train", ("a", "A", 90))
    both = subjects_of([*first, *second], 5)
    assert subjects_of([*first, *second], 5) == both
    assert subjects_of(second, 5)[0].pictures == both[1].pictures
    names = [[int(path.stem[-3:]) for path in one.pictures] for one in both]
    assert names[0] != names[1] and all(max(numbers) - min(numbers) > 20 for numbers in names)


def test_people_are_listed_once_by_number_with_the_splits_that_show_them():
    records = [
        *album("10", "query", ("a", "A", 1)),
        *album("9", "gallery", ("a", "A", 1)),
        *album("10", "gallery", ("b", "B", 1)),
    ]
    found = subjects_of(records, 8)
    assert [(one.pid, one.part, one.categories) for one in found] == [
        ("9", "test", ("gallery",)),
        ("10", "test", ("query", "gallery")),
    ]
    assert len(found[1].pictures) == 2
