"""Extract keypoints from a data set's pictures with a detector (`rlq pose extract`)."""

from dataclasses import dataclass
from pathlib import Path

import torch

from rlq.core.console import Console
from rlq.core.digest import SHORT, file_digest
from rlq.core.errors import DataError, SettingsError
from rlq.labels.alphapose import write_alphapose
from rlq.labels.extraction_journal import Journal, pending
from rlq.labels.keypoint_detector import WEIGHTS, detect, load_detector
from rlq.labels.keypoints import KEYPOINTS
from rlq.labels.pose import picture_name
from rlq.synthetic.provide import read_picture_set

JOURNAL_FORMAT = 1


@dataclass(frozen=True)
class Extracted:
    """What a detector found in the pictures of a data set."""

    output: Path
    pictures: int
    with_people: int
    people: int
    unreadable: tuple[tuple[str, str], ...]  # (picture, reason)
    known: int  # pictures that an earlier run had processed

    def to_text(self) -> str:
        """Return a summary for people."""
        lines = [f"{self.people} people in {self.with_people} of {self.pictures} pictures"]
        if self.known:
            lines[0] += f" ({self.known} pictures done by an earlier run)"
        lines.append(f"written: {self.output}")
        if self.unreadable:
            lines.append(
                f"{len(self.unreadable)} pictures cannot be read; replace them and run again, all else is kept:"
            )
            lines += [f"  {name}: {reason}" for name, reason in self.unreadable]
        return "\n".join(lines)


def extract_keypoints(
    dataset: str,
    root: Path,
    *,
    weights: Path | None = None,
    batch: int = 4,
    device: str = "auto",
    score: float = 0.5,
    output: Path | None = None,
    console: Console,
) -> Extracted:
    """Detect the people above a score in every picture of a data set, continuing where an earlier run was stopped.

    Pictures that cannot be read are reported at the end. The journal then stays, so that the next run processes only
    those.
    """
    place = _device(device)
    data = read_picture_set(dataset, root, console)
    output = output or data.side_files / KEYPOINTS
    journal_file = output.with_name(f"{output.name}.journal")
    names = [picture_name(record, data.root) for record in data.records]
    journal = Journal(journal_file, {"format": JOURNAL_FORMAT, "weights": _identity(weights), "score": score})
    known = sum(name in journal.people for name in names)
    batches = list(pending(names, journal.people, batch))
    unreadable: list[tuple[str, str]] = []
    if batches:
        network = load_detector(weights, place, score=score)
        for indices in console.progress(batches, "batches of pictures"):
            findings = detect(network, [(names[i], data.records[i].path) for i in indices], place)
            journal.add(findings)
            unreadable += [(finding.picture, finding.reason) for finding in findings if finding.reason]
    people = [journal.people.get(name, []) for name in names]
    write_alphapose(output, [entry for entries in people for entry in entries])
    if not unreadable:
        journal_file.unlink(missing_ok=True)
    return Extracted(
        output=output,
        pictures=len(names),
        with_people=sum(map(bool, people)),
        people=sum(map(len, people)),
        unreadable=tuple(unreadable),
        known=known,
    )


def _device(name: str) -> torch.device:
    if name == "cuda" and not torch.cuda.is_available():
        raise SettingsError("--device cuda, but torch sees no GPU; use auto or cpu")
    on_gpu = name == "cuda" or (name == "auto" and torch.cuda.is_available())
    return torch.device("cuda" if on_gpu else "cpu")


def _identity(weights: Path | None) -> str:
    """Return what distinguishes these weights: torchvision's name for its own, a digest of a file's content."""
    if weights is None:
        return WEIGHTS.name
    try:
        return file_digest(weights)[:SHORT]
    except OSError as error:
        raise DataError(f"{weights}: {error.strerror or error}") from error
