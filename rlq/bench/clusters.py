"""Pose clusters and the map of features: our settings beside scikit-learn's defaults."""

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.manifold import TSNE, trustworthiness

from rlq.bench.measurement import Options, take_turns
from rlq.bench.results import Goal, Results, Table
from rlq.core.seeding import generator
from rlq.evaluation.figures import tsne
from rlq.labels.clusters import ITERATIONS, STARTS, cluster_poses

K = 15
MAP_ROUNDS = 2  # at most, as a map takes seconds


def bench(options: Options) -> Results:
    """Time K-means of as many poses as the largest training sets have, and a map of 2,000 features."""
    poses = random_poses(*((1500, 26) if options.quick else (75_000, 26)))
    features = random_features(*((60, 128) if options.quick else (2000, 8192)))
    pose_table, pose_goals = _clusters(poses, options.rounds)
    map_table, map_goals = _map(features, min(options.rounds, MAP_ROUNDS))
    return Results([pose_table, map_table], [*pose_goals, *map_goals])


def random_poses(count: int, width: int) -> NDArray[np.float64]:
    """Return poses [N, D] around K postures, whose clusters are clear enough for two runs to be compared."""
    random = generator("bench poses")
    postures = random.normal(0, 1, (K, width))
    return postures[random.integers(0, K, count)] + random.normal(0, 0.5, (count, width))


def random_features(count: int, width: int) -> NDArray[np.float32]:
    """Return features [N, D] of unit length of 100 people, who all have equally many."""
    random = generator("bench map")
    people = random.standard_normal((100, width), np.float32)
    features = people[np.arange(count) % len(people)] + 1.5 * random.standard_normal((count, width), np.float32)
    return features / np.linalg.norm(features, axis=1, keepdims=True)


def _clusters(poses: NDArray[np.float64], rounds: int) -> tuple[Table, list[Goal]]:
    centres: dict[str, NDArray[np.float64]] = {}

    def in_float64() -> None:
        means = KMeans(K, n_init=STARTS, max_iter=ITERATIONS, random_state=0).fit(poses)
        centres["usual"] = means.cluster_centers_

    def by_rlq() -> None:
        centres["own"] = cluster_poses(poses, np.ones(len(poses), bool), K).centres

    times = take_turns({"usual, float64": in_float64, "own": by_rlq}, rounds=rounds)
    usual, ours = inertia(poses, centres["usual"]), inertia(poses, centres["own"])
    table = Table(
        f"K-means: {len(poses):,} poses of {poses.shape[1]} numbers, K = {K}, {STARTS} starts",
        ("variant", "s", "inertia"),
        [("usual, float64", times["usual, float64"].median, usual), ("own", times["own"].median, ours)],
        "Random poses around as many postures. Own: the function that training calls, in float32, with its checks and "
        "the labels of all poses.",
    )
    return table, [
        Goal("K-means, s", "<=", 2.0, times["own"].median),
        Goal("K-means: float64 / own", ">=", 1.3, times["usual, float64"].ratio_to(times["own"])),
        Goal("K-means: inertia apart", "<=", 0.001, abs(ours / usual - 1)),
    ]


def inertia(poses: NDArray[np.float64], centres: NDArray[np.float64]) -> float:
    """Return the sum of squared distances to the nearest centre."""
    squares = (poses**2).sum(axis=1)[:, None] - 2 * poses @ centres.T + (centres**2).sum(axis=1)  # [N, K]
    return float(squares.min(axis=1).sum())


def _map(features: NDArray[np.float32], rounds: int) -> tuple[Table, list[Goal]]:
    places: dict[str, NDArray] = {}

    def usual() -> None:
        perplexity = min(30.0, (len(features) - 1) / 3)
        places["usual"] = TSNE(perplexity=perplexity, random_state=0).fit_transform(features)

    def ours() -> None:
        places["own"] = tsne(features)

    times = take_turns({"usual": usual, "own": ours}, rounds=rounds, warm_ups=0)
    trust = {name: float(trustworthiness(features, place)) for name, place in places.items()}
    table = Table(
        f"t-SNE: {len(features):,} features of {features.shape[1]:,} numbers",
        ("variant", "s", "trustworthiness"),
        [(name, times[name].median, trust[name]) for name in ("usual", "own")],
        "Random features of 100 people. Usual: scikit-learn's defaults. Own: 50 principal components first, 500 "
        "iterations, a coarser tree, and one thread, so the same features always give the same map.",
    )
    return table, [
        Goal("t-SNE: own / usual", "<=", 0.65, times["own"].ratio_to(times["usual"])),
        Goal("t-SNE: trustworthiness lost", "<=", 0.005, trust["usual"] - trust["own"]),
    ]
