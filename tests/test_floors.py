"""The floors of the house: a module imports only from floors below its own, or from its own room."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import rlq

HOUSE = Path(rlq.__file__).parent
FLOORS = (
    ("core",),
    ("tracking",),
    ("data", "models", "losses"),
    ("synthetic", "training"),
    ("labels", "evaluation"),
    ("methods",),
    ("runs",),
    ("weights", "ablation", "sweep"),
    ("analysis",),
    ("bench", "report"),
    ("cli",),
    ("__main__",),
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
FILES = sorted(path for path in HOUSE.rglob("*.py") if path != HOUSE / "__init__.py")
LIGHT = (  # these answer before torch is loaded
    *("core.cache", "core.config", "core.console", "core.digest", "core.errors", "core.files", "core.local_page"),
    *("core.scores", "core.seeding", "core.settings", "core.shapes", "core.text", "core.yaml_file"),
    *("methods.base", "methods.benchmark", "runs.folder"),
    *("tracking", "cli"),
)
HEAVY = ("torch", "torchvision", "timm", "sklearn", "matplotlib", "albumentations", "optuna", "mlflow", "flask")


def module_of(path: Path) -> str:
    """rlq/data/readers/prcc.py -> data.readers.prcc; a package's __init__.py counts as the package."""
    return ".".join(path.relative_to(HOUSE).with_suffix("").parts).removesuffix(".__init__")


TREES = {module_of(path): ast.parse(path.read_text(encoding="utf-8")) for path in FILES}


def imported(tree: ast.AST, *, late: bool = True) -> set[str]:
    """Full names of everything that a file imports; without `late`, only what loads with the file itself."""
    found = set()
    for node in ast.walk(tree) if late else _loaded_at_once(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno} imports relatively"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = {name for name in names if name.removeprefix("rlq.") in TREES}
            found |= modules if modules == names else names | {str(node.module)}
    return found


def _loaded_at_once(tree: ast.AST) -> list[ast.AST]:
    """All nodes but those in functions and under TYPE_CHECKING."""
    found: list[ast.AST] = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        found += [node, *_loaded_at_once(node)]
    return found


def own_modules(names: set[str]) -> set[str]:
    """Of imported names, the modules of rlq, without the leading rlq."""
    return {name.removeprefix("rlq.") for name in names if name.startswith("rlq.")} & TREES.keys()


def method_folder(module: str) -> str | None:
    """The method that a module belongs to, None for those that methods share or that lie elsewhere."""
    parts = module.split(".")
    return parts[1] if parts[0] == "methods" and len(parts) > 2 else None


def wrong_imports(module: str, others: set[str]) -> list[str]:
    """Those that lead to a higher floor, to another room of the same floor, or into a method from outside it."""
    room, wrong = module.partition(".")[0], []
    for other in sorted(others):
        target = other.partition(".")[0]
        into_method = method_folder(other) not in (None, method_folder(module)) and module != "methods.catalogue"
        if into_method or (target != room and FLOOR_OF[target] >= FLOOR_OF[room]):
            wrong.append(f"{module} imports {other}")
    return wrong


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules that import each other in a circle."""
    reached: dict[str, set[str]] = {}
    for start in graph:
        seen, waiting = set(), list(graph[start])
        while waiting:
            module = waiting.pop()
            if module not in seen:
                seen.add(module)
                waiting += graph.get(module, ())
        reached[start] = seen
    groups = {tuple(sorted(b for b in reached[a] if a in reached[b])) for a in graph if a in reached[a]}
    return [list(group) for group in sorted(groups)]


def test_every_module_is_in_a_room_and_every_room_has_a_floor():
    assert {module.split(".")[0] for module in TREES} == set(FLOOR_OF)
    assert {path.name for path in HOUSE.glob("*.py")} == {"__init__.py", "__main__.py"}


def test_imports_lead_downstairs_or_stay_in_the_room():
    found = {module: own_modules(imported(tree)) for module, tree in TREES.items()}
    assert len(found) > 60 and "data.degradation" in found["data.datasets"]
    assert [wrong for module, others in found.items() for wrong in wrong_imports(module, others)] == []


def test_no_modules_import_each_other_in_a_circle():
    assert circles({module: own_modules(imported(tree)) - {module} for module, tree in TREES.items()}) == []


def test_a_circle_is_noticed():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]


@pytest.mark.parametrize(
    ("module", "other"),
    [
        ("data.readers.prcc", "evaluation.metrics"),
        ("data.readers.prcc", "models.backbone"),
        ("losses.triplet", "data.records"),
        ("training.loop", "methods.rlq.cap"),
        ("evaluation.metrics", "labels.pose"),
        ("tracking.mlflow", "runs.experiment"),
        ("methods.rlq.cap", "methods.other.cap"),
        ("runs.experiment", "methods.rlq.cap"),
        ("methods.ranking", "methods.rlq.cap"),
    ],
)
def test_a_wrong_import_is_noticed(module, other):
    assert len(wrong_imports(module, {other})) == 1


def test_only_tracking_imports_mlflow():
    for module, tree in TREES.items():
        roots = {name.split(".")[0] for name in imported(tree)}
        assert module.startswith("tracking") or "mlflow" not in roots, f"{module} imports mlflow"


def loads(module: str) -> dict[str, str]:
    """What importing a module of rlq loads besides, transitively: other libraries -> the module that imports each."""
    found, seen, waiting = {}, set(), [module]
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        names = imported(TREES[current], late=False)
        found |= {name.split(".")[0]: current for name in names if not name.startswith("rlq")}
        parents = {current.rsplit(".", depth)[0] for depth in range(1, current.count(".") + 1)}
        waiting += own_modules(names) | (parents & TREES.keys())
    return found


@pytest.mark.parametrize("module", sorted(m for m in TREES if m in LIGHT or m.split(".")[0] in LIGHT))
def test_light_modules_load_nothing_heavy_not_even_by_way_of_others(module):
    heavy = {name: by for name, by in loads(module).items() if name in HEAVY}
    assert heavy == {}


def test_that_check_sees_through_other_modules():
    assert {"torch", "cv2"} <= loads("training.loop").keys() and "rlq" not in loads("training.loop")


def test_importing_rlq_loads_neither_torch_nor_numpy():
    code = "import sys, rlq; print([name for name in ('torch', 'numpy') if name in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
