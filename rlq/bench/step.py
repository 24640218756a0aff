"""The training step of RLQ beside the plain form of its network, beside CAL, and beside its own parts."""

import time
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from rlq.bench.measurement import Options, Times, take_turns
from rlq.bench.plain_network import PlainCal, WholeForwards
from rlq.bench.results import Goal, Results, Table
from rlq.bench.setups import REAL, TINY, Precision, label_of, steps_of, timed
from rlq.core.distributed import has_bfloat16
from rlq.methods.benchmark import BenchSetup
from rlq.models.backbone import build_blocks
from rlq.models.compiling import forget_compiled
from rlq.models.heads import CosineHead

CPU = torch.device("cpu")
Variants = dict[str, Callable[[], object]]
LACKING = "this processor does not compute in bfloat16"
PARTS = ((0, 1, 1), (1, 2, 2), (2, 4, 3))  # first block, last block + 1, how many branches run them
PLAIN_CAL = "CAL, plain: float32, contiguous, usual Adam"


def bench(options: Options) -> Results:
    """Time steps of 8 rows (TAD: 8 pairs) on a CPU."""
    setup = TINY if options.quick else REAL
    kinds: tuple[Precision, ...] = ("float32", "bfloat16") if has_bfloat16(CPU) else ("float32",)
    rounds = min(options.rounds, 3)
    steps = {**_cal(setup, kinds), **_rlq(setup, kinds)}
    parts = {f"{name}, {kind}": part for kind in kinds for name, part in _parts(setup, kind).items()}
    times = take_turns(steps | parts, rounds=rounds)
    del steps, parts
    switches, tables = take_turns(_switches(setup, kinds), rounds=rounds), []
    tables.append(_table(setup, {name: one for name, one in times.items() if not name.startswith("part")}))
    tables.append(_switch_table(switches))
    tables += [_compiled(setup, kinds)] if options.compiled else []
    return Results(tables, _goals(times, kinds))


def _cal(setup: BenchSetup, kinds: tuple[Precision, ...]) -> Variants:
    """Return the plain step of CAL and ours."""
    contiguous = steps_of(setup._replace(channels_last=False))["CAL"]()
    network, optim = contiguous.model.network, contiguous.model.settings.optim
    owner = torch.arange(setup.people * setup.outfits) // setup.outfits
    plain = PlainCal(network, CosineHead(network.feature_width, len(owner)), owner, optim.lr, optim.weight_decay)
    ours = steps_of(setup)["CAL"]()
    return {
        PLAIN_CAL: lambda: plain(contiguous.batch),
        **{f"CAL, {kind}": timed(ours, kind) for kind in kinds},
    }


def _rlq(setup: BenchSetup, kinds: tuple[Precision, ...]) -> Variants:
    """Return CAP and TAD of the whole network, CAP of its plain form, and TAD of the base model inside it."""
    steps = steps_of(setup)
    cap = steps["RLQ CAP"]()
    whole_forwards = WholeForwards(cap.model.network).train()
    passes = {name: steps[name]() for name in ("TAD of the base model", "RLQ TAD", "RLQ TAD, teacher's features kept")}
    variants: Variants = {}
    for kind in kinds:
        variants[f"RLQ CAP, {kind}"] = timed(cap, kind)
        variants[f"RLQ CAP, every branch from the pixels, {kind}"] = timed(cap, kind, forward=whole_forwards)
        variants |= {f"{name}, {kind}": timed(step, kind) for name, step in passes.items()}
    return variants


def _parts(setup: BenchSetup, kind: Precision) -> Variants:
    """Return forward and backward pass of the blocks alone, each as often as RLQ runs it."""
    torch.manual_seed(0)
    blocks = build_blocks(setup.backbone, pretrained=False).to(memory_format=torch.channels_last)
    maps, variants = torch.randn(setup.rows, 3, *setup.size).contiguous(memory_format=torch.channels_last), {}
    for first, end, times in PARTS:
        part = nn.Sequential(*blocks[first:end])
        with torch.no_grad():
            after = part(maps)
        name = f"part {first + 1}-{end}, {times} times"
        variants[name] = _forward_and_backward(part, maps, after, first > 0, times, kind)
        maps = after
    return variants


def _forward_and_backward(
    part: nn.Module, maps: Tensor, after: Tensor, needs_gradient: bool, times: int, kind: Precision
) -> Callable[[], object]:
    """Return a function that runs a part so many times, with a gradient of its output."""
    start, gradient = maps.clone().requires_grad_(needs_gradient), torch.randn_like(after)

    def run() -> None:
        for _ in range(times):
            with torch.autocast("cpu", torch.bfloat16, enabled=kind == "bfloat16"):
                out = part(start)
            out.backward(gradient.to(out.dtype))
            part.zero_grad(set_to_none=True)
            start.grad = None

    return run


def _switches(setup: BenchSetup, kinds: tuple[Precision, ...]) -> Variants:
    """Return CAL's step with one switch more each time."""
    variants: Variants = {}
    for channels_last in (False, True):
        step = steps_of(setup._replace(channels_last=channels_last))["CAL"]()
        for kind in kinds:
            name = kind + (" + channels_last" if channels_last else "")
            variants[name] = timed(step, kind, fused=False)
            if channels_last:
                variants[f"{name} + fused Adam"] = timed(step, kind)
    return variants


def _table(setup: BenchSetup, times: Mapping[str, Times]) -> Table:
    rows = [(name, one.median, setup.rows / one.median, times[PLAIN_CAL].ratio_to(one)) for name, one in times.items()]
    return Table(
        f"A step of {setup.rows} rows, of TAD {setup.pairs} pairs ({label_of(setup)})",
        ("step", "s", "rows/s or pairs/s", "times as fast as plain CAL"),
        rows,
        f"{setup.people} people with {setup.outfits} clothes classes each; random weights, noise, all losses on. The "
        "toolkit's steps use channels_last and fused Adam. CAP runs three branches, CAL one. A pair is two rows for "
        "the student and one for the teacher. TAD of RLQ also runs the pose branch, to update its batch norms.",
    )


def _switch_table(times: Mapping[str, Times]) -> Table:
    first = times["float32"]
    return Table(
        "CAL's step, one switch after the other",
        ("", "s", "times as fast"),
        [(name, one.median, first.ratio_to(one)) for name, one in times.items()],
    )


def _compiled(setup: BenchSetup, kinds: tuple[Precision, ...]) -> Table:
    """Time CAL's step with and without torch.compile, and its first compiled step."""
    rows = []
    for kind in kinds:
        forget_compiled()
        eager, compiled = (
            timed(steps_of(setup._replace(compiled=compiling))["CAL"](), kind) for compiling in (False, True)
        )
        started = time.perf_counter()
        compiled()
        first = time.perf_counter() - started
        times = take_turns({"eager": eager, "compiled": compiled}, rounds=3)
        before, after = times["eager"].median, times["compiled"].median
        repaid = round(first / (before - after)) if before > after else None
        rows.append((kind, first, before, after, times["eager"].ratio_to(times["compiled"]), repaid))
    forget_compiled()
    return Table(
        "CAL's step under torch.compile",
        ("", "first step, s", "eager, s", "compiled, s", "times as fast", "steps to earn it back"),
        rows,
    )


def _goals(times: Mapping[str, Times], kinds: tuple[Precision, ...]) -> list[Goal]:
    def ratio(slow: str, fast: str, kind: Precision) -> float | None:
        return times[slow.format(kind)].ratio_to(times[fast.format(kind)]) if kind in kinds else None

    goals = []
    targets: tuple[tuple[Precision, float, float], ...] = (("float32", 1.15, 1.9), ("bfloat16", 2.0, 1.6))
    for kind, cal, tad in targets:
        why = "" if kind in kinds else LACKING
        goals += [
            Goal(f"plain CAL / CAL, {kind}", ">=", cal, ratio(PLAIN_CAL, "CAL, {}", kind), why),
            Goal(f"RLQ CAP / CAL, {kind}", "<=", 2.6, ratio("RLQ CAP, {}", "CAL, {}", kind), why),
            Goal(f"RLQ CAP / sum of its parts, {kind}", "<=", 1.25, _over_parts(times, kind, kinds), why),
            Goal(
                f"TAD of the base model / RLQ CAP, {kind}",
                "<=",
                tad,
                ratio("TAD of the base model, {}", "RLQ CAP, {}", kind),
                why,
            ),
        ]
    return goals


def _over_parts(times: Mapping[str, Times], kind: Precision, kinds: tuple[Precision, ...]) -> float | None:
    """Return the time of RLQ's CAP step over the sum of its parts' times."""
    if kind not in kinds:
        return None
    parts = [one.seconds for name, one in times.items() if name.startswith("part") and name.endswith(kind)]
    return times[f"RLQ CAP, {kind}"].ratio_to(Times([sum(each) for each in zip(*parts, strict=True)]))
