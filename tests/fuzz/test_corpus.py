"""Inputs that broke a parser once, or that are made to: kept in corpus/<parser>/<case>/ as the files that it is
given, or written here. Each of the latter is refused in words, and what they should name stands beside it."""

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from fuzz_arrays import _alone, archive, npy, scores
from fuzz_journals import FINISHED
from fuzz_sets import READERS
from fuzz_settings import GRID, PARTS, WHOLE
from fuzz_weights import EXPORTED, FOLDER, Payload, saved
from fuzzing import judge
from marks import slow
from naming import assert_names
from targets import TARGETS

PARSERS = {target.name: target.parse for target in TARGETS}
CORPUS = Path(__file__).parent / "corpus"
KEPT = sorted(path for path in CORPUS.glob("*/*") if path.is_dir())
DEEP = 100_000  # brackets in brackets
LAUGHS = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10))
MERGES = "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}], x{n}: 1}}\n" for n in range(1, 40))
DIGITS = b"9" * 5000
CALL = Payload(open, "called", "w")


def parts(name):
    return {**PARTS, "experiment.yaml": b"", "sweep.yaml": GRID, **name}


def yaml(text):
    return {**PARTS, "experiment.yaml": text if isinstance(text, bytes) else text.encode()}


def npz(**changed):
    """A score file with other parts, under any names."""
    whole = {f"{name}.npy": _alone(array) for name, array in scores().items()}
    return whole | {name.replace("__", "/"): content for name, content in changed.items()}


def packed(parts_of, packing=zipfile.ZIP_STORED):
    return {"scores.npz": archive(parts_of, packing)}


def objects():
    file = io.BytesIO()
    np.save(file, np.array([CALL, CALL, CALL], object), allow_pickle=True)
    return file.getvalue()


def torch_bomb():
    """A torch file whose parts are packed: 1 GB of zeros in a megabyte."""
    parts_of = {}
    with zipfile.ZipFile(io.BytesIO(saved({"w": torch.zeros(4)}))) as whole:
        parts_of = {name: whole.read(name) for name in whole.namelist()}
    return {"last.pt": archive(parts_of, zipfile.ZIP_DEFLATED)}


def score_bomb():
    """A score file of half a megabyte that unpacks to 512 MB of zeros."""
    return packed(npz(**{"f_query.npy": npy("<f4", f"({2**25}, 4)", bytes(2**29))}), zipfile.ZIP_DEFLATED)


def table(*rows, **more):
    text = "path,pid,camera,split\n" + "\n".join(rows)
    return {"pictures.csv": text.encode(), "a.jpg": b"", **more}


# parser, its files or a function that makes them where that takes long, what the refusal names
HOSTILE = {
    # YAML
    "experiment python object": (
        "experiment",
        yaml("seed: !!python/object/apply:os.system [touch x]"),
        ("!!python/object/apply:os.system",),
    ),
    "experiment python name": ("experiment", yaml("seed: !!python/name:os.system"), ("!!python/name:os.system",)),
    "experiment laughs": ("experiment", yaml(f"a0: &a0 [x]\n{LAUGHS}"), ("100,000",)),
    "experiment merges": ("experiment", yaml(f"a0: &a0 {{x: 1}}\n{MERGES}"), ("100,000",)),
    "experiment names itself": ("experiment", yaml("data: &a {x: *a}"), ("line 1", "alias")),
    "experiment deep list": ("experiment", yaml("[" * DEEP), ("experiment.yaml", "YAML")),
    "experiment deep mapping": ("experiment", yaml("{a: " * 5000), ("experiment.yaml", "YAML")),
    "experiment deep dashes": ("experiment", yaml("- " * DEEP), ("experiment.yaml",)),
    "experiment long": ("experiment", yaml("# x\n" * 300_000), ("1,200,000",)),
    "experiment digits": ("experiment", yaml(b"seed: " + DIGITS), ("5000 digits",)),
    "experiment list as name": ("experiment", yaml("? [a, b]\n: 1"), ("line 1",)),
    "experiment number as name": ("experiment", yaml("seed: 1\n.inf: 2"), ("line 2",)),
    "experiment set tag": ("experiment", yaml("branches: !!set {a, b}"), ("!!set",)),
    "experiment binary tag": ("experiment", yaml("variant: !!binary eA=="), ("!!binary",)),
    "experiment broken int tag": ("experiment", yaml('seed: !!int ""'), ("!!int",)),
    "experiment half a letter": ("experiment", yaml(r'variant: "\ud800"'), ("YAML",)),
    "experiment huge float": ("experiment", yaml("optim: {lr: 1e999999}"), ("optim.lr",)),
    "experiment not text": ("experiment", yaml(b"\xff\xfes\x00"), ("YAML",)),
    "experiment extends itself": (
        "experiment",
        yaml("extends: experiment.yaml"),
        ("experiment.yaml -> experiment.yaml",),
    ),
    "experiment extends a folder": ("experiment", yaml("extends: ."), ("directory",)),
    "words digits": ("set_words", {"words": b"seed=" + DIGITS}, ("seed=", "5000 digits")),
    "words object": (
        "set_words",
        {"words": b"seed=!!python/object/apply:os.system [id]"},
        ("!!python/object/apply:os.system",),
    ),
    "sweep laughs": ("sweep", parts({"sweep.yaml": f"a0: &a0 [x]\n{LAUGHS}".encode()}), ("100,000",)),
    "sweep climbs": (
        "sweep_plan",
        parts({"sweep.yaml": GRID + b"name: x/../../../x\n"}),
        ("line 9", "name", "x/../../../x"),
    ),
    # JSON
    "keypoints deep": ("keypoints", {"keypoints.json": b"[" * DEEP}, ("keypoints.json",)),
    "keypoints digits": ("keypoints", {"keypoints.json": b"[" + DIGITS + b"]"}, ("keypoints.json", "5000 digits")),
    "keypoints NaN": ("keypoints", {"keypoints.json": b"NaN"}, ("keypoints.json", "float")),
    "openpose deep": ("openpose", {"a_keypoints.json": b'{"people": ' + b"[" * DEEP}, ("a_keypoints.json",)),
    "run deep": ("run", {"run.json": b"[" * DEEP}, ("run.json",)),
    "result deep": ("result", {**FINISHED, "result.json": b"[" * DEEP}, ("result.json",)),
    "row deep": ("row", {"t/r.json": b"[" * DEEP}, ("t/r.json", "rlq ablate")),
    "metrics deep": ("metrics", {"metrics.jsonl": b"[" * DEEP + b"\n"}, ("metrics.jsonl", "line 1", "JSON")),
    "progress deep": ("progress", {"tracking.json": b"[" * DEEP}, ("tracking.json", "rlq track sync")),
    "weights deep": ("weights_folder", {**FOLDER, "config.json": b"[" * DEEP}, ("config.json",)),
    "study deep": ("study_journal", {"study.log": b"[" * DEEP + b"\n"}, ("study.log",)),
    # arrays
    "score objects": ("score_file", packed(npz(**{"q_pid.npy": objects()})), ("q_pid", "Python", "np.array")),
    "score huge": (
        "score_file",
        packed(npz(**{"f_query.npy": npy("<f4", "(4611686018427387904, 4)", b"")})),
        ("4611686018427387904",),
    ),
    "score bomb": (
        "score_file",
        score_bomb,
        ("f_query.npy", "100"),
    ),
    "score pickle": ("score_file", {"scores.npz": pickle.dumps(CALL)}, ("scores.npz", "zip")),
    "mask objects": ("parser_mask", {"mask.npy": objects()}, ("mask.npy",)),
    "mask huge": ("parser_mask", {"mask.npy": npy("|u1", "(9999999, 9999999)", b"x")}, ("mask.npy",)),
    "mask code in header": ("parser_mask", {"mask.npy": npy("|u1", "__import__('os').getpid()", b"")}, ("mask.npy",)),
    # weights
    "checkpoint pickle": ("checkpoint", {"last.pt": pickle.dumps(CALL)}, ("last.pt",)),
    "checkpoint payload": ("checkpoint", {"last.pt": saved({"model": CALL})}, ("last.pt",)),
    "checkpoint wants memory": ("checkpoint", {"last.pt": saved([Payload(bytearray, 10**9)])}, ("last.pt", "memory")),
    "checkpoint wants it in the old way": (
        "checkpoint",
        {"last.pt": saved([Payload(bytearray, 10**9)], _use_new_zipfile_serialization=False)},
        ("last.pt", "memory"),
    ),
    "checkpoint list": ("checkpoint", {"last.pt": saved([1])}, ("last.pt", "list")),
    "checkpoint packed": ("checkpoint", torch_bomb, ("last.pt", "archive/data.pkl")),
    "checkpoint climbs": ("checkpoint", {"last.pt": archive({"../../x/data.pkl": b"x", "/etc/x": b""})}, ("last.pt",)),
    "released payload": (
        "released",
        {"published.pth.tar": saved({"model_state_dict": CALL})},
        ("published.pth.tar", "io.open"),
    ),
    "weights of everybody": (
        "weights_folder",
        {**FOLDER, "config.json": FOLDER["config.json"].replace(b'"identities": 4', b'"identities": 9999999')},
        ("id_heads", "[4, ", "[9999999, "),
    ),
    "weights from elsewhere": (
        "weights_folder",
        {**FOLDER, "config.json": FOLDER["config.json"].replace(b"test_resnet.r160_in1k", b"hf-hub:somebody/x")},
        ("backbone.name", "hf-hub:somebody/x", "timm"),
    ),
    "weights without length": ("safetensors", {"model.safetensors": b"\xff" * 8 + b"{}"}, ("model.safetensors",)),
    "exported as nothing": ("exported", {"x.safetensors": EXPORTED["x.safetensors"][:200]}, ("x.safetensors",)),
    # sets
    "own climbs": ("own", table("../a.jpg,p,1,train"), ("line 2", "../a.jpg")),
    "own climbs later": ("own", table("b/../../a.jpg,p,1,train"), ("line 2", "b/../../a.jpg")),
    "own from the root": ("own", table("/etc/passwd,p,1,train"), ("line 2", "/etc/passwd")),
    "own backwards": ("own", table("..\\a.jpg,p,1,train"), ("line 2", "..\\a.jpg")),
    "own link": ("own", table("b.jpg,p,1,train", **{"b.jpg": Path("/etc/passwd")}), ("line 2", "b.jpg", "link")),
    "own linked folder": ("own", table("etc/passwd,p,1,train", etc=Path("/etc")), ("line 2", "etc/passwd", "link")),
    "own link to nowhere": ("own", table("b.jpg,p,1,train", **{"b.jpg": Path("nowhere")}), ("b.jpg", "No such file")),
    "own carriage returns": ("own", table("a.jpg,p,1,train\ra.jpg,p,1,train"), ("line 3", "a.jpg", "line 2")),
    "own NUL": ("own", table("a\0.jpg,p,1,train"), ("pictures.csv",)),
    "own long cell": ("own", table("x" * 200_000 + ",p,1,train"), ("pictures.csv", "131072")),
    "own pose": (
        "own",
        {"pictures.csv": b"path,pid,camera,split,pose\na.jpg,p,1,train," + DIGITS, "a.jpg": b""},
        ("line 2", "pose", "9999"),
    ),
    "deepchange climbs": (
        "deepchange",
        {**READERS["deepchange"][1], "train-set-bbox.txt": b"../test-set-query/x.jpg,1\n"},
        ("train-set-bbox.txt", "line 1", "../test-set-query/x.jpg"),
    ),
    "ccvid climbs": (
        "ccvid",
        {**READERS["ccvid"][1], "train.txt": b"session1/../../x\t001\tu0\n"},
        ("train.txt", "line 1", "session1/../../x"),
    ),
    "ccvid digits": (
        "ccvid",
        {**READERS["ccvid"][1], "train.txt": b"session1/1_" + DIGITS + b" 1 u\n"},
        ("train.txt", "line 1", "5000"),
    ),
    # pictures
    "picture of the size of a country": (
        "picture",
        {
            "picture.jpg": b"BM"
            + bytes(12)
            + (40).to_bytes(4, "little")
            + (60_000).to_bytes(4, "little") * 2
            + (1).to_bytes(2, "little")
            + (24).to_bytes(2, "little")
            + bytes(24)
        },
        ("pixels",),
    ),
    "picture that never ends": ("picture", {"picture.jpg": Path("/dev/zero")}, ("picture.jpg", "device")),
    "picture that is a folder": ("picture", {"picture.jpg/x": b""}, ("directory",)),
}


@pytest.mark.parametrize("case", [slow(case) if callable(HOSTILE[case][1]) else case for case in HOSTILE])
def test_what_is_made_to_break_a_parser_is_refused_in_words(case, tmp_path):
    name, files, told = HOSTILE[case]
    refusal = judge(PARSERS[name], files() if callable(files) else files, tmp_path)
    assert refusal is not None, "it was taken"
    assert_names(refusal, *told)


@pytest.mark.parametrize("case", KEPT, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_what_broke_a_parser_once_is_taken_or_refused(case, tmp_path):
    files = {path.relative_to(case).as_posix(): path.read_bytes() for path in sorted(case.rglob("*")) if path.is_file()}
    judge(PARSERS[case.parent.name], files, tmp_path)


def test_the_corpus_is_of_parsers_that_there_are():
    assert KEPT and {path.parent.name for path in KEPT} <= set(PARSERS)


def test_aliases_that_unfold_to_little_are_fine(tmp_path):
    text = b"sides: &sides [16, 63]\n"
    refusal = judge(PARSERS["experiment"], yaml(WHOLE + text), tmp_path)
    assert_names(refusal, "experiment.yaml", "sides")
    aliased = WHOLE.replace(b"method: rlq", b"method: &m rlq").replace(b"variant: null", b"variant: *m")
    assert aliased != WHOLE and judge(PARSERS["experiment"], yaml(aliased), tmp_path) is None
