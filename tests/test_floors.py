"""The floors of the house: a module imports only from floors below its own, or from its own room."""

import ast
from pathlib import Path

import pytest

import rlq

HOUSE = Path(rlq.__file__).parent
GROUND = (
    "errors",
    "files",
    "masks",
    "shapes",
    "seeding",
    "artefacts",
    "config",
    "settings",
    "console",
    "distributed",
    "tracking",
)
FLOORS = {
    0: GROUND,
    1: ("data", "models", "losses", "synthetic"),
    2: ("attributes", "evaluation"),
    3: ("training",),
    4: ("methods",),
    5: (
        *(
            "experiment",
            "loading",
            "record",
            "results",
            "rerun",
            "runs",
            "use",
            "checks",
            "sets",
            "labelling",
            "handover",
        ),
        "registering",
    ),
    6: ("analysis", "ablation", "sweep"),
    7: ("report", "bench"),
    8: ("cli",),
    9: ("__main__",),
}
FLOOR_OF = {room: floor for floor, rooms in FLOORS.items() for room in rooms}
LIGHT = ("errors", "config", "settings", "console", "tracking", "runs", "cli")  # answer before torch is there
FILES = sorted(path for path in HOUSE.rglob("*.py") if path != HOUSE / "__init__.py")


def module_of(path: Path) -> str:
    """rlq/data/readers/prcc.py -> data.prcc; a package's __init__.py counts as the package."""
    return ".".join(path.relative_to(HOUSE).with_suffix("").parts).removesuffix(".__init__")


def imported(tree: ast.AST) -> set[str]:
    """Modules of rlq that a file imports anywhere, without the leading rlq, each name of `from rlq import` too."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno} imports relatively"
            found |= {f"rlq.{alias.name}" for alias in node.names} if node.module == "rlq" else {node.module}
    return {name.removeprefix("rlq.") for name in found if name.startswith("rlq.") and not name.startswith("rlq.__")}


def wrong_imports(module: str, others: set[str]) -> list[str]:
    """Those that lead upstairs, to a neighbour, or from one method to another."""
    room, wrong = module.partition(".")[0], []
    for other in sorted(others):
        target = other.partition(".")[0]
        own_room = target == room and (room != "methods" or other.split(".")[:2] == module.split(".")[:2])
        ground = FLOOR_OF[room] == 0 and FLOOR_OF[target] == 0  # the small files on the ground may know each other
        top = FLOOR_OF[room] == 5 and FLOOR_OF[target] == 5  # what commands call: files of one floor, not rooms
        if not (own_room or ground or top or FLOOR_OF[target] < FLOOR_OF[room]):
            wrong.append(f"{module} imports {other}")
    return wrong


def test_every_module_has_a_floor():
    assert {module_of(path).split(".")[0] for path in FILES} == set(FLOOR_OF)


def test_imports_lead_downstairs_or_stay_in_the_room():
    found = {module_of(path): imported(ast.parse(path.read_text())) for path in FILES}
    assert len(found) > 60 and "artefacts" in found["data.datasets"]
    assert [wrong for module, others in found.items() for wrong in wrong_imports(module, others)] == []


@pytest.mark.parametrize(
    ("module", "code"),
    [
        ("data.prcc", "from rlq.evaluation.metrics import Ranking"),
        ("data.prcc", "from rlq.models import backbone"),
        ("losses.triplet", "import rlq.data.records"),
        ("training.loop", "def late():\n    from rlq.methods.rlq.cap import CapStep"),
        ("evaluation.metrics", "from rlq.labels.pose import match"),
        ("tracking.mlflow", "from rlq import experiment"),
        ("methods.rlq.cap", "from rlq.methods.other.cap import Step"),
    ],
)
def test_a_wrong_import_is_noticed(module, code):
    assert len(wrong_imports(module, imported(ast.parse(code)))) == 1


def test_only_tracking_imports_mlflow_and_light_modules_import_no_torch():
    for path in FILES:
        module, tree = module_of(path), ast.parse(path.read_text())
        names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        roots = {name.split(".")[0] for name in names}
        assert module.startswith("tracking") or "mlflow" not in roots, f"{module} imports mlflow"
        assert module.split(".")[0] not in LIGHT or "torch" not in roots, f"{module} imports torch"
