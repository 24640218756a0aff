"""Tables whose runs are pretended: a run writes what a real one would leave, in no time."""

import json
from pathlib import Path

from rlq.methods.base import Loaded
from rlq.runs.folder import SETTINGS, About, write_about
from rlq.runs.result import Result, write_result
from rlq.training.loop import History

TABLE = """\
title: Two ways
bases: {{{base}: [CC]}}
seeds: [1, 2]
rows:
  - name: BM
    settings: {{tad.enabled: false, cap.pose.enabled: false, cap.gender.enabled: false}}
    published: {{synthetic: {{CC: [58.0, 59.4]}}}}
  - name: BM + G
    settings: {{tad.enabled: false, cap.pose.enabled: false}}
"""


class PretendedRuns:
    """In place of experiment.run; notes what it was asked for. `broken` maps a row's name to what it raises."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self.members = []
        self.broken: dict[str, Exception] = {}

    def __call__(self, loaded: Loaded, *, console=None, member=None) -> Result:
        settings = loaded.settings
        self.asked.append((settings.variant, settings.seed))
        self.members.append(member)
        if settings.variant in self.broken:
            raise self.broken[settings.variant]
        rank1 = 0.4 + settings.seed / 100 + (0.05 if settings.cap.gender.enabled else 0)
        folder = member.folder
        per_query = {"CC": {"query": ["a.jpg", "b.jpg"], "ap": [0.123456789, None], "first_match": [1, 0]}}
        (folder / "artifacts/eval").mkdir(parents=True)
        (folder / "artifacts/eval/per_query.json").write_text(json.dumps(per_query))
        (folder / SETTINGS).write_text("")
        write_about(folder, About(f"id-{len(self.asked)}", member.name, member.kind, "", "FINISHED"))
        evaluation = {"CC/rank1": rank1, "CC/mAP": rank1 / 2}
        metrics = {f"best/{name}": value for name, value in evaluation.items()}
        result = Result(
            folder=folder,
            run_id=f"id-{len(self.asked)}",
            settings=settings,
            metrics=metrics,
            history=History({0: evaluation}, 0),
            seconds={"training": 1.0},
            data_fingerprint="data",
            device="cpu",
        )
        write_result(result)
        return result


def write_table(folder: Path, base: Path, text: str = TABLE) -> Path:
    file = folder / "two_ways.yaml"
    file.write_text(text.format(base=base))
    return file
