"""Match a parser's masks with pictures by their names."""

from collections.abc import Sequence
from pathlib import Path

from rlq.core.errors import DataError
from rlq.core.text import listed
from rlq.data.readers.listing import is_hidden
from rlq.data.records import Record

SHOWN = 3


def mask_files(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """Return the files below a folder that can be masks, sorted.

    Of NAME.png and NAME.npy only the first is returned, because the second holds the parser's logits.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder of masks")
    candidates = [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in suffixes
        and not any(is_hidden(Path(part)) for part in path.relative_to(folder).parts)
        and path.is_file()
    ]
    pictures = {path.with_suffix("") for path in candidates if path.suffix.lower() == ".png"}
    return [path for path in candidates if path.suffix.lower() == ".png" or path.with_suffix("") not in pictures]


def match_masks(files: Sequence[Path], folder: Path, records: Sequence[Record], root: Path) -> dict[Path, Record]:
    """Return the record of each file that is a mask of one; names are compared without suffix.

    A mask is named by the picture's path below the data set, any end of that path (in a flat folder, its stem), the
    picture's key, or <pid>_<stem>; a whole path takes precedence over an end. Raises DataError if a name fits several
    pictures, or if a picture has several masks.
    """
    whole = {_below(record.path, root): [record] for record in records}
    others: dict[str, list[Record]] = {}
    for name, (record,) in whole.items():
        parts = name.split("/")
        names = {"/".join(parts[start:]) for start in range(1, len(parts))}
        for alternative in names | {record.key, f"{record.pid}_{parts[-1]}"}:
            others.setdefault(alternative, []).append(record)
    fitting = {file: whole.get(name) or others.get(name, []) for file in files if (name := _below(file, folder))}
    ambiguous = {file: candidates for file, candidates in fitting.items() if len(candidates) > 1}
    if ambiguous:
        file, candidates = next(iter(ambiguous.items()))
        examples = listed((record.path.relative_to(root).as_posix() for record in candidates), SHOWN)
        splits = sorted({record.split for record in candidates})
        raise DataError(
            f"{len(ambiguous)} of {len(files)} masks in {folder} have names that fit several pictures, such as "
            f"{file.relative_to(folder).as_posix()}: {examples}; name masks by their pictures' paths below the set"
            + (f", or say which split they are of (here {', '.join(splits)})" if len(splits) > 1 else "")
        )
    matched = {file: candidates[0] for file, candidates in fitting.items() if candidates}
    first: dict[Path, Path] = {}
    for file, record in matched.items():
        if first.setdefault(record.path, file) != file:
            raise DataError(f"{first[record.path]} and {file} are both masks of {record.path}; remove one of them")
    return matched


def _below(path: Path, root: Path) -> str:
    return path.relative_to(root).with_suffix("").as_posix()
