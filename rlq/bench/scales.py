"""The sizes of the data sets that are ranked, and random features and labels of these sizes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rlq.core.seeding import generator
from rlq.evaluation.metrics import Labels

ROWS = 4096  # features that are drawn at a time


@dataclass(frozen=True)
class Scale:
    """A test set in numbers, and how much of it is measured: all that is ranked is linear in queries."""

    name: str
    queries: int
    gallery: int
    width: int  # of a feature
    people: int
    cameras: int  # 0: every picture is its own, as in LaST
    outfits: int  # per person
    part: int  # queries of the variants that take turns
    plain: int  # queries that the plain form ranks
    rounds: int = 5  # at most
    whole: bool = False  # also run once with all queries

    @property
    def share(self) -> float:
        """What times of the part are multiplied with."""
        return self.queries / self.part

    @property
    def flop(self) -> float:
        """Of the scores of all queries."""
        return 2.0 * self.queries * self.gallery * self.width


SCALES = (
    Scale("LTCC", 493, 7050, 4096, 75, 12, 5, 493, 493),
    Scale("PRCC", 3543, 3384, 4096, 71, 3, 2, 3543, 200),
    Scale("DeepChange", 17527, 62956, 4096, 521, 17, 4, 1598, 20, rounds=3, whole=True),
    Scale("DeepChange, 8192 wide", 17527, 62956, 8192, 521, 17, 4, 799, 20, rounds=2),
    Scale("LaST", 10176, 125353, 4096, 5806, 0, 3, 802, 20, rounds=2),
    Scale("LaST, 8192 wide", 10176, 125353, 8192, 5806, 0, 3, 401, 20, rounds=2),
)
QUICK = (
    Scale("small", 60, 300, 64, 10, 4, 3, 30, 10, rounds=2, whole=True),
    Scale("small, no cameras", 40, 200, 96, 20, 0, 2, 40, 10, rounds=1),
)


def features_of(scale: Scale, side: str, labels: Labels) -> NDArray[np.float32]:
    """float32 [N, width]: noise around a direction per person, so that people are found better than by chance."""
    random = generator("bench features", scale.name, side)
    centres = generator("bench people", scale.name).standard_normal((scale.people, scale.width), np.float32)
    features = np.empty((len(labels), scale.width), np.float32)
    pids = np.asarray(labels.pid)
    for start in range(0, len(features), ROWS):
        part = features[start : start + ROWS]
        random.standard_normal(out=part, dtype=np.float32)
        part += 0.12 * centres[pids[start : start + ROWS]]
    return features


def labels_of(scale: Scale, side: str) -> Labels:
    """Every person equally often, as near as it goes; cameras and outfits by chance."""
    count = scale.queries if side == "query" else scale.gallery
    random = generator("bench labels", scale.name, side)
    pid = random.permutation(np.arange(count) % scale.people)
    own = np.arange(count) + (scale.gallery if side == "query" else 0)
    camera = random.integers(0, scale.cameras, count) if scale.cameras else own
    return Labels(pid, camera, pid * scale.outfits + random.integers(0, scale.outfits, count))
