"""CSV and JSON beside the pictures: clusters, genders, keypoints of every tool, lists of masks, a journal."""

import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from fuzzing import Files, Parse, Target
from hypothesis import strategies as st
from keypoint_files import write_coco, write_openpose
from mutations import changed_seeds, json_values, one_file, one_of, words

from rlq.core.seeding import generator
from rlq.data.clothes import read_unusable
from rlq.data.readers.tables import column_names
from rlq.labels.clusters import read_clusters
from rlq.labels.extraction_journal import Journal
from rlq.labels.gender import read_answers
from rlq.labels.keypoints import read_keypoints
from rlq.synthetic.author_lists import write_pose_clusters
from rlq.synthetic.side_files import detect
from rlq.synthetic.tool_files import write_keypoints

RUN = {"detector": "keypointrcnn", "size": 320}


def _entries() -> list[dict[str, Any]]:
    rng = generator("fuzzed people")
    joints = np.column_stack([rng.uniform(10, 100, (17, 2)), np.ones(17)])
    return [entry for number in range(3) for entry in detect(f"{number}.jpg", joints, False, rng)]


def _made(write: Callable[[Path], object]) -> Files:
    """What a writer of the project leaves in a folder."""
    with tempfile.TemporaryDirectory() as name:
        write(Path(name))
        return {path.relative_to(name).as_posix(): path.read_bytes() for path in sorted(Path(name).rglob("*.*"))}


PEOPLE = _entries()
PICTURES = sorted({entry["image_id"] for entry in PEOPLE})
ALPHAPOSE = tuple(
    _made(lambda folder, odd=odd: write_keypoints(folder / "keypoints.json", PEOPLE[:2], odd))
    for odd in ((), ("keyed_by_picture",), ("joints_26",))
)
COCO = _made(lambda folder: write_coco(folder / "keypoints.json", dict.fromkeys(PICTURES, (256, 128)), PEOPLE[:2]))
OPENPOSE = tuple(
    _made(lambda folder, form=form: write_openpose(folder, PICTURES, PEOPLE, form)) for form in ("body_25", "coco_18")
)
CLUSTERS = tuple(
    _made(
        lambda folder, floats=floats: write_pose_clusters(
            folder / "clusters.csv", "train", {f"{n}_A": n % 6 for n in range(8)}, floats=floats
        )
    )
    for floats in (False, True)
)
GENDERS: tuple[Files, ...] = (
    {"gender.csv": b"Category,ID,Gender\ntrain,001,1\ntrain,2,0\nquery,p0003,1\n"},
    {"gender.csv": b"Category,ID,Gender,Answer\ntrain,001,1,m\ntest,2,0,u\ngallery,x,0,f\n"},
)
UNUSABLE: tuple[Files, ...] = ({"bad.txt": b"255_C_cropped_rgb064\n255/C_cropped_rgb064.jpg\nquery\\002_1_c9.png\n"},)
JOURNAL: tuple[Files, ...] = (
    {"journal.jsonl": f"{json.dumps(RUN)}\n{json.dumps({'picture': 'a.jpg', 'people': PEOPLE[:1]})}\n".encode()},
)


def csv_files(columns: tuple[str, ...], cells: st.SearchStrategy[str]) -> st.SearchStrategy[bytes]:
    """Tables of these columns, or nearly these, with such cells."""
    header = st.permutations(columns).map(list) | st.lists(st.sampled_from(columns) | words(), max_size=6)
    rows = st.lists(st.lists(cells | words(), min_size=len(columns), max_size=len(columns)), max_size=5)

    def table(names: list[str], found: list[list[str]], mark: str, end: str) -> bytes:
        text = end.join(mark.join(row) for row in [names, *found])
        return text.encode("utf-8", "surrogatepass")

    return st.builds(table, header, rows, st.sampled_from((",", ",", ",", ";", "\t")), st.sampled_from("\n\r"))


def json_file(value: st.SearchStrategy[object]) -> st.SearchStrategy[bytes]:
    """The value as JSON, with NaN and infinities as Python writes them."""
    return value.map(lambda found: json.dumps(found).encode())


def near(seed: bytes) -> st.SearchStrategy[bytes]:
    """A JSON file in which one value, at any depth, is another."""
    whole = json.loads(seed)

    def change(places: list[int], value: object) -> bytes:
        tree = json.loads(seed)
        branch, last = tree, None
        for place in places:
            if not isinstance(branch, dict | list) or not branch:
                break
            keys = sorted(branch) if isinstance(branch, dict) else range(len(branch))
            parent, last = branch, keys[place % len(branch)]
            branch = branch[last]
        if last is None:
            return json.dumps(value).encode()
        parent[last] = value
        return json.dumps(tree).encode()

    assert whole is not None
    return st.builds(change, st.lists(st.integers(0, 200), max_size=5), json_values())


def _keypoint_trees() -> st.SearchStrategy[object]:
    number = st.floats() | st.integers() | st.none() | st.just(10**400)
    joints = st.lists(number, min_size=51, max_size=51) | st.lists(number, max_size=9) | json_values()
    person: st.SearchStrategy[Mapping[str, object]] = st.fixed_dictionaries(
        {},
        optional={
            "image_id": words() | st.integers(),
            "keypoints": joints,
            "score": number | json_values(),
            "pose_keypoints_2d": joints,
        },
    )
    people = st.lists(person, max_size=3)
    picture = st.fixed_dictionaries({}, optional={"id": json_values(), "file_name": json_values()})
    coco = st.fixed_dictionaries(
        {"images": st.lists(picture, max_size=2) | json_values(), "annotations": people | json_values()},
        optional={"categories": json_values()},
    )
    return people | st.dictionaries(words(), people | person | json_values(), max_size=3) | coco


def _read(name: str, parse: Callable[[Path], object]) -> Parse:
    return lambda folder: parse(folder / name)


def _openpose_grammar() -> st.SearchStrategy[Files]:
    name = st.sampled_from(("a_keypoints.json", "b/c_keypoints.json", "_keypoints.json", "keypoints.json"))
    content = json_file(st.fixed_dictionaries({"people": _keypoint_trees() | json_values()}) | json_values())
    return st.dictionaries(name, content | st.just(b""), max_size=3)


LABELS = st.sampled_from(("0", "1", "5", "5.0", "6", "-1", "0.5", "1e0", "1e400", "nan"))
SPLITS = st.sampled_from(("train", "query", "gallery", "test", "Train", ""))
PIDS = st.sampled_from(("1", "001", "p0003", "3.0", "guest 1", ""))

TARGETS = (
    Target(
        "clusters",
        _read("clusters.csv", lambda path: read_clusters(path, "R_LA_5")),
        changed_seeds(CLUSTERS) | one_file("clusters.csv", csv_files(("Category", "Image", "R_LA_5"), SPLITS | LABELS)),
        CLUSTERS,
    ),
    Target(
        "gender",
        _read("gender.csv", read_answers),
        changed_seeds(GENDERS)
        | one_file("gender.csv", csv_files(("Category", "ID", "Gender", "Answer"), SPLITS | PIDS | LABELS)),
        GENDERS,
    ),
    Target(
        "keypoints",
        _read("keypoints.json", read_keypoints),
        changed_seeds((*ALPHAPOSE, COCO))
        | one_file("keypoints.json", json_file(_keypoint_trees() | json_values()))
        | one_file("keypoints.json", one_of((*ALPHAPOSE, COCO)).flatmap(lambda f: near(f["keypoints.json"]))),
        (*ALPHAPOSE, COCO),
        share=2,
    ),
    Target(
        "openpose",
        read_keypoints,
        changed_seeds(OPENPOSE) | _openpose_grammar(),
        OPENPOSE,
    ),
    Target(
        "unusable_masks",
        _read("bad.txt", read_unusable),
        changed_seeds(UNUSABLE) | one_file("bad.txt", st.lists(words()).map("\n".join).map(lambda t: t.encode())),
        UNUSABLE,
        share=0.5,
    ),
    Target(
        "pose_journal",
        _read("journal.jsonl", lambda path: Journal(path, RUN)),
        changed_seeds(JOURNAL) | one_file("journal.jsonl", st.lists(json_file(json_values())).map(b"\n".join)),
        JOURNAL,
    ),
    Target(
        "columns",
        _read("table.csv", column_names),
        one_file("table.csv", csv_files(("a", "b"), words())) | one_file("table.csv", st.binary(max_size=200)),
        ({"table.csv": b"a,b\n1,2\n"},),
        share=0.5,
    ),
)
