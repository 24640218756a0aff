"""Any other data, told by a table: pictures.csv, with a row per picture.

Columns   path, pid, camera, split (train, query, gallery); and, where known, clothes, tracklet, gender, pose.
          Paths are relative to the table's folder and lie below it.
Camera    may be empty in all rows: then nothing bars a match.
Clothes   of all training pictures or of none, and of all test pictures or of none; counted within a person. Without
          them in the test there is no CC and no SC.
Gender    m, f or u (in doubt, counted as f); pose: a class from 0.
Split     query and gallery, or neither; there may be no training pictures.
"""

from collections.abc import Sequence
from pathlib import Path

from rlq.core.errors import DataError
from rlq.core.text import listed, nearest
from rlq.data.readers.listing import absent, is_hidden, leading_out
from rlq.data.readers.tables import SHOWN, Row, read_table
from rlq.data.records import Protocol, Record, ReidData

TABLE = "pictures.csv"
LAYOUT = (
    "pictures.csv (or one .csv of another name) with the columns path, pid, camera, split and, where known, clothes, "
    "tracklet, gender, pose"
)
REQUIRED = ("path", "pid", "camera", "split")
OPTIONAL = ("clothes", "tracklet", "gender", "pose")
LONGEST = 9  # digits of a class
MISSPELT = 0.75  # how alike a column's name and one of ours are at least when it is taken for a slip
SPLITS = ("train", "query", "gallery")
GENDERS = {"m": 1, "male": 1, "1": 1, "1.0": 1, "f": 0, "female": 0, "0": 0, "0.0": 0, "u": 0}

GENERAL = Protocol("General", "GENERAL")
BY_CLOTHES = (Protocol("CC", "CC"), Protocol("SC", "SC"))
NO_CLOTHES = "the table has no clothes of query and gallery pictures"


def holds_own(place: Path) -> bool:
    """Whether this is a table, or a folder with one."""
    return _table_of(place) is not None


def read_own(root: Path, name: str = "csv") -> ReidData:
    """All pictures of a table, in the order of their paths."""
    found = _table_of(root) or root / TABLE
    asked = found.parent.absolute()
    folder = asked.resolve()
    table = folder / found.name
    rows = list(read_table(table, REQUIRED, "table of pictures"))
    if not rows:
        raise DataError(f"{table}: has no row; a row is a picture, with {', '.join(REQUIRED)}")
    _check_columns(table, rows[0])
    _check_splits(table, rows)
    paths = _paths(table, rows, asked)
    has_cameras = _all_or_none(table, rows, "camera", "rows")
    tests = [row for row in rows if row["split"] != "train"]
    trains = [row for row in rows if row["split"] == "train"]
    train_clothes = _all_or_none(table, trains, "clothes", "training rows")
    test_clothes = _all_or_none(table, tests, "clothes", "query and gallery rows")
    splits: dict[str, list[Record]] = {split: [] for split in SPLITS}
    for number, (path, row) in enumerate(sorted(zip(paths, rows, strict=True), key=lambda pair: pair[0])):
        camera = row["camera"] if has_cameras else str(number)  # one per picture: none ever agrees with another
        dressed = train_clothes if row["split"] == "train" else test_clothes
        splits[row["split"]].append(_record(folder, path, row, camera, dressed))
    # a table without test pictures is ranked by held-out training people, as far as their clothes are known
    ranks_clothes = test_clothes if tests else train_clothes
    return ReidData(
        name,
        folder,
        splits["train"],
        splits["query"],
        splits["gallery"],
        protocols=(*BY_CLOTHES, GENERAL) if ranks_clothes else (GENERAL,),
        clothes_known=train_clothes or not trains,
        refused={} if ranks_clothes else {"CC": NO_CLOTHES, "SC": NO_CLOTHES},
        lists=(table,),
        attributes=_attributes(folder, paths, rows),
    )


def _record(folder: Path, path: str, row: Row, camera: str, dressed: bool) -> Record:
    clothes = f"{row['pid']}/{row['clothes']}" if dressed else row["pid"]
    return Record(folder / path, row["pid"], camera, clothes, row["split"], path, row.get("tracklet", ""))


def _table_of(place: Path) -> Path | None:
    """A table itself, a folder's pictures.csv, or the only .csv that a folder holds."""
    if place.is_file():
        return place
    if (place / TABLE).is_file():
        return place / TABLE
    tables = [path for path in place.glob("*.csv") if not is_hidden(path)]
    return tables[0] if len(tables) == 1 else None


def _check_columns(table: Path, row: Row) -> None:
    """Refuse a column whose name is nearly one of ours: it is probably misspelt. Other columns are left alone."""
    for name in row:
        near = nearest(name, OPTIONAL, similar=MISSPELT)
        if near and name not in OPTIONAL:
            raise DataError(f"{table}: has a column {name!r}; did you mean {near!r}? If not, give it another name")


def _check_splits(table: Path, rows: Sequence[Row]) -> None:
    for row in rows:
        if row["split"] not in SPLITS:
            raise DataError(f"{row.place}: split {row['split']!r} is none of {', '.join(SPLITS)}")
        if not row["pid"]:
            raise DataError(f"{row.place}: has no pid")
    found = {row["split"] for row in rows}
    if len(found & {"query", "gallery"}) == 1:
        there = "query" if "query" in found else "gallery"
        raise DataError(f"{table}: has {there} rows only; testing needs query and gallery, training neither")


def _paths(table: Path, rows: Sequence[Row], asked: Path) -> list[str]:
    """POSIX paths below the table's folder, or below `asked`, its name before links were followed; each once, and of
    files that are there."""
    seen: dict[str, Row] = {}
    for row in rows:
        path = _below((table.parent, asked), row)
        if path in seen:
            raise DataError(f"{row.place}: {path} is in {seen[path].place} already")
        seen[path] = row
    paths = list(seen)
    missing = absent(table.parent, paths)
    if missing:
        shown = listed((f"{rows[place].place}: {paths[place]}" for place in missing), SHOWN, "; ")
        raise DataError(
            f"{len(missing)} of {len(paths)} pictures are not there: {shown}; paths are relative to {table.parent}"
        )
    links = leading_out(table.parent, paths)
    if links:
        row = rows[links[0]]
        raise DataError(
            f"{row.place}: {paths[links[0]]} is or lies behind a link that leads out of {table.parent}; the table "
            "should stand in the folder that really holds its pictures"
        )
    return paths


def _below(folders: tuple[Path, Path], row: Row) -> str:
    path = Path(row["path"])
    for folder in folders:
        if path.is_absolute() and path.is_relative_to(folder):
            path = path.relative_to(folder)
    if path.is_absolute() or ".." in path.parts or path == Path():
        raise DataError(f"{row.place}: path {row['path']!r} should name a file below {folders[0]}")
    return path.as_posix()


def _all_or_none(table: Path, rows: Sequence[Row], column: str, what: str) -> bool:
    """Whether these rows fill a column, which some of them may not do."""
    empty = [row for row in rows if not row.get(column)]
    if 0 < len(empty) < len(rows):
        places = listed((row.place.removeprefix(f"{table}: ") for row in empty), SHOWN)
        raise DataError(
            f"{table}: {len(empty)} of {len(rows)} {what} have no {column} ({places}); fill the column in all or none"
        )
    return bool(rows) and not empty


def _attributes(folder: Path, paths: Sequence[str], rows: Sequence[Row]) -> dict[str, dict[Path, int]]:
    """gender and pose of the pictures that have them; a column that is empty or not there is left out."""
    found: dict[str, dict[Path, int]] = {"gender": {}, "pose": {}}
    people: dict[tuple[bool, str], tuple[int, Row]] = {}
    for path, row in zip(paths, rows, strict=True):
        if row.get("gender"):
            gender = _gender(row)
            # equal pids in training and test may be two people
            before, where = people.setdefault((row["split"] == "train", row["pid"]), (gender, row))
            if before != gender:
                raise DataError(f"{row.place}: {row['pid']} is {row['gender']}, but {where['gender']} in {where.place}")
            found["gender"][folder / path] = gender
        if row.get("pose"):
            found["pose"][folder / path] = _pose(row)
    return {column: labels for column, labels in found.items() if labels}


def _gender(row: Row) -> int:
    gender = GENDERS.get(row["gender"].lower())
    if gender is None:
        raise DataError(f"{row.place}: gender {row['gender']!r} is none of m, f, u (in doubt), male, female, 1, 0")
    return gender


def _pose(row: Row) -> int:
    """Classes are written as 10 or 10.0."""
    whole = row["pose"].removesuffix(".0")
    if not (whole.isascii() and whole.isdigit() and len(whole) <= LONGEST):
        raise DataError(f"{row.place}: pose {row['pose']!r} is no class: 0, 1, 2, ...")
    return int(whole)
