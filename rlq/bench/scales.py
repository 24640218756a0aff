"""The sizes of the test sets whose ranking is timed, and random features and labels of these sizes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rlq.core.seeding import generator
from rlq.evaluation.metrics import Labels

ROWS = 4096  # features drawn at once


@dataclass(frozen=True)
class Scale:
    """The numbers of a test set, and how much of it is measured; the time is linear in queries."""

    name: str
    queries: int
    gallery: int
    width: int  # of a feature
    people: int
    cameras: int  # 0: every picture has its own, as in LaST
    outfits: int  # per person
    part: int  # queries that our variants rank
    plain: int  # queries that the plain form ranks
    rounds: int = 5  # at most
    whole: bool = False  # also run once with all queries

    @property
    def share(self) -> float:
        """The factor from times of the part to times of all queries."""
        return self.queries / self.part

    @property
    def flop(self) -> float:
        """Floating-point operations of the scores of all queries."""
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
    """Return float32 [N, width]: noise around one direction per person, so that ranking is better than chance."""
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
    """Return labels with about equally many pictures per person, and random cameras and outfits."""
    count = scale.queries if side == "query" else scale.gallery
    random = generator("bench labels", scale.name, side)
    pid = random.permutation(np.arange(count) % scale.people)
    unique = np.arange(count) + (scale.gallery if side == "query" else 0)
    camera = random.integers(0, scale.cameras, count) if scale.cameras else unique
    return Labels(pid, camera, pid * scale.outfits + random.integers(0, scale.outfits, count))
