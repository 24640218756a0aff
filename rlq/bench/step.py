"""The training step: RLQ's against the straightforward form of its network, against CAL, and against its own parts."""

import time
from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor, nn

from rlq.bench.findings import Findings, Goal, Table
from rlq.bench.measuring import Options, Times, take_turns
from rlq.bench.plain_network import PlainCal, WholeForwards
from rlq.bench.training import (
    BASE,
    CAL,
    REAL,
    TINY,
    Scale,
    at,
    build_network,
    experiment,
    learner_of,
    owners,
    pair_batch,
    stepping,
    target_batch,
    teacher_of,
)
from rlq.core.distributed import has_bfloat16
from rlq.methods.rlq.cap import CapStep
from rlq.methods.rlq.network import RlqNetwork, clothes_head
from rlq.methods.rlq.tad import TadStep
from rlq.models.compiling import compile_forward, forget_compiled

CPU = torch.device("cpu")
Variants = dict[str, Callable[[], object]]
LACKING = "this processor does not compute in bfloat16"
PARTS = ((0, 1, 1), (1, 2, 2), (2, 4, 3))  # first block, last block + 1, how many branches run them
PLAIN_CAL = "CAL, plain: float32, contiguous, usual Adam"


def bench(options: Options) -> Findings:
    """Steps of 8 rows (TAD: 8 pairs) on a CPU, taking turns."""
    scale = TINY if options.quick else REAL
    kinds = ("float32", "bfloat16") if has_bfloat16(CPU) else ("float32",)
    rounds = min(options.rounds, 3)
    steps = {**_cal(scale, kinds), **_rlq(scale, kinds)}
    parts = {f"{name}, {kind}": work for kind in kinds for name, work in _parts(scale, kind).items()}
    times = take_turns(steps | parts, rounds=rounds)
    del steps, parts
    switches, tables = take_turns(_switches(scale, kinds), rounds=rounds), []
    tables.append(_table(scale, {name: one for name, one in times.items() if not name.startswith("part")}))
    tables.append(_switch_table(switches))
    tables += [_compiled(scale, kinds)] if options.compiled else []
    return Findings(tables, _goals(times, kinds))


def _cal(scale: Scale, kinds: tuple[str, ...]) -> Variants:
    settings, batch = experiment(scale, *CAL), target_batch(scale, CPU)
    plain = build_network(settings, scale, CPU, channels_last=False)
    head = clothes_head(plain, scale.people * scale.outfits)
    assert head is not None  # as its branch is CAL
    optim = settings.optim
    cal = PlainCal(plain, head, owners(scale, CPU), optim.lr, optim.weight_decay)
    own = learner_of(build_network(settings, scale, CPU), settings, scale, CPU)
    return {
        PLAIN_CAL: lambda: cal(batch),
        **{f"CAL, {kind}": stepping(CapStep(at(own, kind), settings), batch) for kind in kinds},
    }


def _rlq(scale: Scale, kinds: tuple[str, ...]) -> Variants:
    """CAP and TAD of the whole network, of its straightforward form, and TAD of the base model that it holds."""
    settings, batch, pairs = experiment(scale), target_batch(scale, CPU), pair_batch(scale, CPU)
    network, teacher = build_network(settings, scale, CPU), teacher_of(scale, CPU)
    own = learner_of(network, settings, scale, CPU)
    straight = own._replace(model=WholeForwards(network).train())
    base_settings = experiment(scale, *BASE)
    base = own._replace(model=_base_of(network, scale))
    with torch.no_grad():
        kept = teacher.branch_features(pairs.hq)
    found: Variants = {}
    for kind in kinds:
        found[f"RLQ CAP, {kind}"] = stepping(CapStep(at(own, kind), settings), batch)
        found[f"RLQ CAP, every branch from the pixels, {kind}"] = stepping(CapStep(at(straight, kind), settings), batch)
        tad = {
            f"TAD of the base model, {kind}": TadStep(at(base, kind), teacher, base_settings),
            f"RLQ TAD, {kind}": TadStep(at(own, kind), teacher, settings),
            f"RLQ TAD, teacher's features kept, {kind}": TadStep(at(own, kind), teacher, settings, lambda *_: kept),
        }
        found |= {name: partial(step, pairs) for name, step in tad.items()}
    return found


def _base_of(network: RlqNetwork, scale: Scale) -> RlqNetwork:
    """The network without its pose branch and gender head, of the same modules."""
    base = build_network(experiment(scale, *BASE), scale, CPU)
    base.trunk, base.branches, base.id_heads = network.trunk, network.branches, network.id_heads
    return base


def _parts(scale: Scale, kind: str) -> Variants:
    """Forward and backward pass of the blocks alone, each as often as RLQ runs it."""
    network = build_network(experiment(scale, *CAL, "backbone.split=4"), scale, CPU)
    blocks = network.trunk
    maps, found = target_batch(scale, CPU).images, {}
    for first, end, times in PARTS:
        part = nn.Sequential(*blocks[first:end])
        with torch.no_grad():
            after = part(maps)
        found[f"part {first + 1}-{end}, {times} times"] = _forward_and_backward(
            part, maps, after, first > 0, times, kind
        )
        maps = after
    return found


def _forward_and_backward(
    part: nn.Module, maps: Tensor, after: Tensor, needs_gradient: bool, times: int, kind: str
) -> Callable[[], object]:
    start, gradient = maps.clone().requires_grad_(needs_gradient), torch.randn_like(after)

    def work() -> None:
        for _ in range(times):
            with torch.autocast("cpu", torch.bfloat16, enabled=kind == "bfloat16"):
                out = part(start)
            out.backward(gradient.to(out.dtype))
            part.zero_grad(set_to_none=True)
            start.grad = None

    return work


def _switches(scale: Scale, kinds: tuple[str, ...]) -> Variants:
    """CAL's step with one switch after the other."""
    settings, batch, found = experiment(scale, *CAL), target_batch(scale, CPU), {}
    for last in (False, True):
        network = build_network(settings, scale, CPU, channels_last=last)
        usual = learner_of(network, settings, scale, CPU, channels_last=last, fused=False)
        for kind in kinds:
            name = kind + (" + channels_last" if last else "")
            found[name] = stepping(CapStep(at(usual, kind), settings), batch)
            if last:
                fused = learner_of(network, settings, scale, CPU)
                found[f"{name} + fused Adam"] = stepping(CapStep(at(fused, kind), settings), batch)
    return found


def _table(scale: Scale, times: Mapping[str, Times]) -> Table:
    rows = [(name, one.median, scale.rows / one.median, times[PLAIN_CAL].over(one)) for name, one in times.items()]
    return Table(
        f"A step of {scale.rows} rows, of TAD {scale.rows} pairs ({scale})",
        ("step", "s", "rows/s or pairs/s", "times as fast as plain CAL"),
        rows,
        f"{scale.people} people with {scale.outfits} clothes classes each; random weights, noise, all losses on. A "
        "step of the toolkit: channels_last, fused Adam. CAP runs three branches where CAL has one; a pair is two rows "
        "for the student and one for the teacher. TAD of RLQ runs the pose branch too, for its batch norms alone.",
    )


def _switch_table(times: Mapping[str, Times]) -> Table:
    first = times["float32"]
    return Table(
        "CAL's step, one switch after the other",
        ("", "s", "times as fast"),
        [(name, one.median, first.over(one)) for name, one in times.items()],
    )


def _compiled(scale: Scale, kinds: tuple[str, ...]) -> Table:
    """CAL's step with and without torch.compile, and what the first steps cost."""
    settings, batch, rows = experiment(scale, *CAL), target_batch(scale, CPU), []
    for kind in kinds:
        networks = [build_network(settings, scale, CPU) for _ in range(2)]
        forget_compiled()
        compile_forward(networks[1])
        eager, compiled = (
            stepping(CapStep(learner_of(network, settings, scale, CPU, precision=kind), settings), batch)
            for network in networks
        )
        started = time.perf_counter()
        compiled()
        first = time.perf_counter() - started
        times = take_turns({"eager": eager, "compiled": compiled}, rounds=3)
        before, after = times["eager"].median, times["compiled"].median
        earned = round(first / (before - after)) if before > after else None
        rows.append((kind, first, before, after, times["eager"].over(times["compiled"]), earned))
    forget_compiled()
    return Table(
        "CAL's step under torch.compile",
        ("", "first step, s", "eager, s", "compiled, s", "times as fast", "steps to earn it back"),
        rows,
    )


def _goals(times: Mapping[str, Times], kinds: tuple[str, ...]) -> list[Goal]:
    def over(slow: str, fast: str, kind: str) -> float | None:
        return times[slow.format(kind)].over(times[fast.format(kind)]) if kind in kinds else None

    goals = []
    for kind, cal, tad in (("float32", 1.15, 1.9), ("bfloat16", 2.0, 1.6)):
        why = "" if kind in kinds else LACKING
        goals += [
            Goal(f"plain CAL / CAL, {kind}", ">=", cal, over(PLAIN_CAL, "CAL, {}", kind), why),
            Goal(f"RLQ CAP / CAL, {kind}", "<=", 2.6, over("RLQ CAP, {}", "CAL, {}", kind), why),
            Goal(f"RLQ CAP / sum of its parts, {kind}", "<=", 1.25, _over_parts(times, kind, kinds), why),
            Goal(
                f"TAD of the base model / RLQ CAP, {kind}",
                "<=",
                tad,
                over("TAD of the base model, {}", "RLQ CAP, {}", kind),
                why,
            ),
        ]
    return goals


def _over_parts(times: Mapping[str, Times], kind: str, kinds: tuple[str, ...]) -> float | None:
    if kind not in kinds:
        return None
    parts = [one.seconds for name, one in times.items() if name.startswith("part") and name.endswith(kind)]
    return times[f"RLQ CAP, {kind}"].over(Times([sum(each) for each in zip(*parts, strict=True)]))
