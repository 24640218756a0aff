"""Questions about clothes that a probe can answer for people that it was not fitted on.

Clothes labels belong to one person each, so a classifier of outfits cannot be tested on other people. Two questions
can: whether two pictures of one person show the same outfit, which the records of every data set say, and which colour
the upper body has, which is computed from the pictures. Where clothes depend on the camera (PRCC: always other clothes
in camera C), the camera alone can answer the first question. It cannot answer the second, which is about colour only.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from rlq.core.errors import DataError
from rlq.core.seeding import generator, seed_from
from rlq.data.pictures import read_picture
from rlq.data.records import Record, sorted_pids

UPPER = ((0.22, 0.48), (0.3, 0.7))  # rows and columns of a person's picture in which the upper body is


class Question(NamedTuple):
    """A question about pictures, or about pairs of them; indices count records."""

    title: str
    first: NDArray[np.int64]  # [n]
    second: NDArray[np.int64] | None  # [n]; None: about single pictures
    answer: NDArray[np.int64]  # [n] classes
    person: NDArray[np.int64]  # [n] a number per person, from 0

    @property
    def pictures(self) -> NDArray[np.int64]:
        """The records that it is about."""
        return np.unique(self.first if self.second is None else np.concatenate([self.first, self.second]))

    def inputs(self, features: NDArray) -> NDArray[np.float64]:
        """Return a probe's inputs [n, D]: of all records' features [N, D], single ones or differences of two."""
        first = features[self.first].astype(np.float64)
        return first if self.second is None else np.abs(first - features[self.second])


def same_outfit(records: Sequence[Record], most: int, seed: int) -> Question:
    """Ask whether two pictures of a person, of different cameras, show the same clothes.

    There are equally many pairs of both kinds of every person, at most `most` each. Raises DataError where nobody has
    both kinds.
    """
    of_person: dict[str, list[int]] = {}
    for index, record in enumerate(records):
        of_person.setdefault(record.pid, []).append(index)
    rows: list[tuple[int, int, bool, int]] = []
    people = 0
    for pid in sorted_pids(set(of_person)):
        kinds: dict[bool, list[tuple[int, int]]] = {True: [], False: []}
        for place, a in enumerate(of_person[pid]):
            for b in of_person[pid][place + 1 :]:
                if records[a].camera != records[b].camera:
                    kinds[records[a].clothes == records[b].clothes].append((a, b))
        count = min(most, *(len(pairs) for pairs in kinds.values()))
        for same, pairs in kinds.items():
            order = generator(seed, "same outfit", pid, int(same)).permutation(len(pairs))[:count]
            rows += [(*pairs[i], same, people) for i in np.sort(order)]
        people += count > 0
    if not rows:
        raise DataError(
            "nobody is seen by two cameras both in the same and in other clothes, so the clothes probe cannot ask for "
            "the same outfit; --option ask=[colour] asks for the colour only"
        )
    first, second, answer, person = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    return Question("same outfit or not", first, second, answer, person)


def upper_colour(records: Sequence[Record], pictures: int, colours: int, seed: int) -> Question:
    """Ask which of some colours the upper body has, of at most `pictures` pictures.

    The colours are the centres of K-means over the mean Lab colour of a box where the upper body usually is.
    """
    chosen = np.sort(generator(seed, "upper colour").permutation(len(records))[:pictures])
    if len(chosen) < colours:
        raise DataError(f"{len(chosen)} pictures cannot have {colours} colours; --option colours=N takes fewer")
    seen = np.stack([mean_colour(read_picture(records[i].cover)) for i in chosen])  # [n, 3]
    with threadpool_limits(1):  # several threads add up in varying order
        means = KMeans(colours, n_init=10, random_state=seed_from(seed, "upper colour") % 2**32)
        classes = means.fit_predict(seen)
    numbers = {pid: number for number, pid in enumerate(sorted_pids({records[i].pid for i in chosen}))}
    person = np.array([numbers[records[i].pid] for i in chosen], np.int64)
    return Question(f"upper colour, one of {colours}", chosen, None, classes.astype(np.int64), person)


def mean_colour(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the mean Lab colour [3] of the box `UPPER` of a picture [H, W, 3]."""
    (top, bottom), (left, right) = (
        (round(a * n), round(b * n)) for (a, b), n in zip(UPPER, picture.shape, strict=False)
    )
    box = np.ascontiguousarray(picture[top : max(bottom, top + 1), left : max(right, left + 1)])
    return cv2.cvtColor(box.astype(np.float32) / 255, cv2.COLOR_RGB2LAB).reshape(-1, 3).astype(np.float64).mean(axis=0)
