"""Ranking at the scale of real test sets: our evaluation beside its matrix product alone and beside the plain form.

Each scale is measured in its own process, where all variants take turns on a part of the queries. Their times are
multiplied, as all of it is linear in queries. Work that is done once per gallery is measured by itself and added once.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from rlq.bench.matrix_product import GEMMS, OWN_GEMM, blocks_of, products
from rlq.bench.measurement import Options, Times, in_fresh_process, peak_memory, take_turns
from rlq.bench.plain_ranking import PlainRanking, Scores, plain_rank, plain_scores
from rlq.bench.results import Goal, Results, Table
from rlq.bench.scales import QUICK, SCALES, Scale, features_of, labels_of
from rlq.evaluation.metrics import RULES, Labels, Ranking, ScoreBlocks, rank
from rlq.evaluation.similarity import cosine_scores, library_for

GENERAL = ("GENERAL",)
Array = NDArray[np.float32]


class Measured(NamedTuple):
    """One scale: seconds for all queries, ratios of times in the same rounds, and how well the forms agree."""

    seconds: dict[str, float]
    over_own_gemm: float  # whole evaluation with one rule
    over_fastest_gemm: float
    three_over_one: float
    mm_over_scores: float  # torch.mm alone over our scores as used
    plain_over_whole: float
    plain_over_ranking: float
    library: str
    extra_mib: float | None
    once: float | None  # seconds of one run with all queries
    apart: float  # largest difference in mAP from the plain form, over the rules, on the same scores
    same_ranks: bool
    apart_with_own_scores: float


def bench(options: Options) -> Results:
    """Measure all scales, also on a GPU when `options.device` names one."""
    scales = QUICK if options.quick else SCALES
    measured = {scale.name: in_fresh_process(measure, scale, options.rounds) for scale in scales}
    tables = [*_tables(scales, measured)]
    if options.device != "cpu":
        rows = [(s.name, *in_fresh_process(measure_on, s, options.device, options.rounds)) for s in scales]
        tables.append(
            Table(
                f"The product on {options.device}, the ranking on the CPU, all queries in one pass, s",
                ("scale", "torch.mm on the device", "scores in memory", "whole, three rules", "GPU memory, MiB"),
                rows,
                "The device holds the gallery and a block of queries; it returns scores block by block.",
            )
        )
    return Results(tables, _goals(scales, measured))


def measure(scale: Scale, rounds: int) -> Measured:
    """Measure one scale on the CPU."""
    query, gallery = labels_of(scale, "query"), labels_of(scale, "gallery")
    q, g = features_of(scale, "query", query), features_of(scale, "gallery", gallery)
    some = Labels(*(np.asarray(x)[: scale.part] for x in (query.pid, query.camera, query.clothes)))
    part = q[: scale.part]
    scores = cosine_scores(q, g)
    whole = {name: partial(rank, some, gallery, scores, rules) for name, rules in (("one", GENERAL), ("three", RULES))}
    with peak_memory() as memory:
        step = _rows_of_blocks(some, gallery, cosine_scores(q, g))
    computed = _all_scores(scores, scale.part, step, len(g))
    ready = _ComputedScores(computed, step)

    def in_blocks(product: Callable[[slice], object]) -> None:
        for rows in blocks_of(scale.part, step):
            product(rows)

    variants: dict[str, Callable[[], object]] = {
        **{name: partial(in_blocks, product) for name, product in products(part, g, step).items()},
        "scores": partial(in_blocks, scores),
        "prepare": lambda: cosine_scores(q, g),
        "whole, one rule": whole["one"],
        "whole, three rules": whole["three"],
        "copy": partial(in_blocks, ready),
        "copy and rank, one rule": lambda: rank(some, gallery, ready, GENERAL),
        "copy and rank, three rules": lambda: rank(some, gallery, ready, RULES),
    }
    times = take_turns(variants, rounds=min(rounds, scale.rounds))
    del variants
    one_by_one = plain_scores(_unit(part[: scale.plain]), _unit(g))
    plain = _plain(scale, some, gallery, one_by_one, computed, min(rounds, scale.rounds))
    ours = rank(some, gallery, ready, RULES)
    same_scores = plain_rank(some, gallery, lambda row: computed[row], RULES, range(scale.plain))
    other_scores = plain_rank(some, gallery, one_by_one, RULES, range(scale.plain))
    once = _once(query, gallery, q, g) if scale.whole else None
    return _summary(
        scale, times, plain, memory.mib, once, _agreement(ours, same_scores), _agreement(ours, other_scores)
    )


def measure_on(scale: Scale, device: str, rounds: int) -> tuple[float, float, float, float | None]:
    """Measure all queries of one scale on a device.

    Returns the seconds of the product there, of the scores in memory and of everything, and MiB of GPU memory.
    """
    query, gallery = labels_of(scale, "query"), labels_of(scale, "gallery")
    q, g = features_of(scale, "query", query), features_of(scale, "gallery", gallery)
    on_device = [torch.from_numpy(features).to(device) for features in (q, g)]
    scores = cosine_scores(q, g, device=device)
    step = _rows_of_blocks(query, gallery, scores)

    def product() -> None:
        for rows in blocks_of(scale.queries, step):
            torch.mm(on_device[0][rows], on_device[1].T)

    cuda = device.startswith("cuda")
    times = take_turns(
        {
            "product": product,
            "scores": lambda: [scores(rows) for rows in blocks_of(scale.queries, step)],
            "whole": lambda: rank(query, gallery, scores, RULES),
        },
        rounds=min(rounds, scale.rounds),
        settle=torch.cuda.synchronize if cuda else int,
    )
    mib = torch.cuda.max_memory_allocated() / 2**20 if cuda else None
    return times["product"].median, times["scores"].median, times["whole"].median, mib


class _ComputedScores:
    """Scores that were computed before, as blocks that may be overwritten."""

    def __init__(self, scores: Array, step: int) -> None:
        self.scores, self.buffer = scores, np.empty((min(step, len(scores)), scores.shape[1]), np.float32)

    def __call__(self, rows: slice) -> Array:
        block = self.buffer[: rows.stop - rows.start]
        np.copyto(block, self.scores[rows])
        return block


def _plain(
    scale: Scale, query: Labels, gallery: Labels, scores: Scores, computed: Array, rounds: int
) -> dict[str, Times]:
    """Time the plain form on a few queries: all of it, and the ranking of computed scores alone."""
    few = range(min(scale.plain, 20))
    variants: dict[str, Callable[[], object]] = {
        "whole": lambda: plain_rank(query, gallery, scores, GENERAL, few),
        "ranking": lambda: plain_rank(query, gallery, lambda row: computed[row], GENERAL, few),
        "ranking, three rules": lambda: plain_rank(query, gallery, lambda row: computed[row], RULES, few),
    }
    times = take_turns(variants, rounds=rounds)
    return {name: Times([s * scale.queries / len(few) for s in one.seconds]) for name, one in times.items()}


def _summary(
    scale: Scale,
    times: dict[str, Times],
    plain: dict[str, Times],
    extra_mib: float | None,
    once: float | None,
    same_scores: tuple[float, bool],
    other_scores: tuple[float, bool],
) -> Measured:
    """Return times for all queries, from those of a part."""

    def of_all(name: str, *, prepared: bool = False, without: str | None = None) -> Times:
        fixed = times["prepare"].seconds if prepared else [0.0] * len(times[name].seconds)
        subtracted = times[without].seconds if without else [0.0] * len(times[name].seconds)
        rows = zip(times[name].seconds, fixed, subtracted, strict=True)
        return Times([once_ + scale.share * (part - copy) for part, once_, copy in rows])

    whole = {name: of_all(name) for name in (*(n for n in GEMMS if n in times), "scores")}
    for rules in ("one rule", "three rules"):
        whole[f"whole, {rules}"] = of_all(f"whole, {rules}", prepared=True)
        whole[f"ranking, {rules}"] = of_all(f"copy and rank, {rules}", without="copy")
    fastest = min((n for n in GEMMS if n in whole), key=lambda n: whole[n].median)
    library = library_for(scale.queries, scale.gallery, scale.width)
    seconds = {name: one.median for name, one in whole.items()}
    seconds |= {f"plain {name}": one.median for name, one in plain.items()} | {"prepare": times["prepare"].median}
    return Measured(
        seconds=seconds,
        over_own_gemm=whole["whole, one rule"].ratio_to(whole[OWN_GEMM[library]]),
        over_fastest_gemm=whole["whole, one rule"].ratio_to(whole[fastest]),
        three_over_one=whole["whole, three rules"].ratio_to(whole["whole, one rule"]),
        mm_over_scores=whole["torch.mm"].ratio_to(whole["scores"]),
        plain_over_whole=plain["whole"].ratio_to(whole["whole, one rule"]),
        plain_over_ranking=plain["ranking"].ratio_to(whole["ranking, one rule"]),
        library=library,
        extra_mib=extra_mib,
        once=once,
        apart=same_scores[0],
        same_ranks=same_scores[1],
        apart_with_own_scores=other_scores[0],
    )


def _tables(scales: tuple[Scale, ...], measured: dict[str, Measured]) -> list[Table]:
    def gflops(scale: Scale, seconds: float | None) -> str | None:
        return f"{seconds:.3g} ({scale.flop / seconds / 1e9:.0f})" if seconds else None

    def rows(*names: str) -> list[tuple]:
        return [(s.name, *(measured[s.name].seconds.get(name) for name in names)) for s in scales]

    products = [
        (s.name, *(gflops(s, measured[s.name].seconds.get(n)) for n in (*GEMMS, "scores")), measured[s.name].library)
        for s in scales
    ]
    sizes = ", ".join(f"{s.name} {s.queries} x {s.gallery} x {s.width} (slice of {s.part})" for s in scales)
    few = ", ".join(f"{s.name} {min(s.plain, 20)}" for s in scales)
    return [
        Table(
            "The matrix product alone, s for all queries (GFLOPS)",
            ("scale", *GEMMS, "our scores as used", "by"),
            products,
            f"Queries x gallery x width: {sizes}.",
        ),
        Table(
            "The whole evaluation, s for all queries",
            ("scale", "plain", "own, one rule", "own, three rules", "plain / own", "own / its product", "extra MiB"),
            [
                (*row, m.plain_over_whole, m.over_own_gemm, m.extra_mib)
                for row in rows("plain whole", "whole, one rule", "whole, three rules")
                for m in [measured[row[0]]]
            ],
            f"The plain form ranks a slice of the queries: {few}."
            + "".join(
                f" All queries of {s.name} at once took {measured[s.name].once:.3g} s." for s in scales if s.whole
            ),
        ),
        Table(
            "Ranking only, s for all queries",
            ("scale", "plain, one rule", "plain, three", "own, one rule", "own, three"),
            rows("plain ranking", "plain ranking, three rules", "ranking, one rule", "ranking, three rules"),
            "The plain sort is NumPy's argsort of whole rows, which is vectorised on processors with AVX-512 or AVX2.",
        ),
        Table(
            "Agreement with the plain form, three rules",
            ("scale", "queries", "mAP apart", "first matches equal", "mAP apart, each with its own scores"),
            [
                (s.name, s.plain, m.apart, str(m.same_ranks).lower(), m.apart_with_own_scores)
                for s in scales
                for m in [measured[s.name]]
            ],
            "Products that round differently can swap neighbours; with the same scores all ranks are equal.",
        ),
    ]


def _goals(scales: tuple[Scale, ...], measured: dict[str, Measured]) -> list[Goal]:
    goals = []
    for scale in scales:
        m, large = measured[scale.name], scale.name.startswith(("DeepChange", "LaST"))
        goals += [
            Goal(f"{scale.name}: whole / its matrix product", "<=", 1.2 if large else 1.4, m.over_own_gemm),
            Goal(f"{scale.name}: three rules / one", "<=", 1.1, m.three_over_one),
            Goal(f"{scale.name}: mAP apart from the plain form, same scores", "<=", 1e-6, m.apart),
            Goal(f"{scale.name}: ranks of first matches equal", ">=", 1.0, float(m.same_ranks)),
        ]
        if scale.name.startswith("DeepChange"):
            faster = m.mm_over_scores if m.library == "oneDNN" else None
            goals += [
                Goal(f"{scale.name}: whole / fastest fp32 product", "<=", 1.3, m.over_fastest_gemm),
                Goal(f"{scale.name}: plain / whole", ">=", 30, m.plain_over_whole),
                Goal(f"{scale.name}: plain / own, ranking only", ">=", 20, m.plain_over_ranking),
                Goal(
                    f"{scale.name}: extra MiB", "<=", 300, m.extra_mib, "" if m.extra_mib else "measured on Linux only"
                ),
                Goal(f"{scale.name}: torch.mm / scores as used", ">=", 1.8, faster, "" if faster else "on AMD only"),
            ]
    return goals


def _agreement(ours: dict[str, Ranking], plain: dict[str, PlainRanking]) -> tuple[float, bool]:
    """Return the largest difference in mAP over the rules, and whether all first matches are equal."""
    apart, same = 0.0, True
    for rule, expected in plain.items():
        ranking = ours[rule].take(np.arange(len(expected.first_match)))
        apart = max(apart, abs((ranking.mAP or 0.0) - expected.mAP))
        same &= bool((ranking.first_match == expected.first_match).all())
    return apart, same


def _once(query: Labels, gallery: Labels, q: Array, g: Array) -> float:
    """Return the seconds of one evaluation of all queries."""
    times = take_turns({"all": lambda: rank(query, gallery, cosine_scores(q, g), RULES)}, rounds=1, warm_ups=0)
    return times["all"].median


def _rows_of_blocks(query: Labels, gallery: Labels, scores: ScoreBlocks) -> int:
    """Return how many queries ranking takes at once."""
    counts = []

    def counting(rows: slice) -> NDArray[np.floating]:
        counts.append(rows.stop - rows.start)
        return scores(rows)

    rank(query, gallery, counting, RULES)
    return max(counts)


def _all_scores(scores: ScoreBlocks, queries: int, step: int, gallery: int) -> Array:
    computed = np.empty((queries, gallery), np.float32)
    for rows in blocks_of(queries, step):
        computed[rows] = scores(rows)
    return computed


def _unit(features: Array) -> Array:
    return features / np.linalg.norm(features, axis=1, keepdims=True)
