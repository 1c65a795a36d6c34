"""The house stands: imports run down the layers only, nothing is loaded that is not needed, files stay small."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "pkg" / "tapescope"

# Room -> layer. A module imports its own room and lower layers; rooms of one layer do not import each other.
LAYERS = {
    "errors": 1, "config": 1, "dtypes": 1, "backends": 2, "ops": 3, "autograd": 4, "nn": 5, "optim": 5, "utils": 5,
    "datasets": 5, "serialization": 5, "observe": 6, "jupyter": 7,
}  # fmt: skip
BETWEEN = {("dtypes", "errors"), ("dtypes", "config"), ("datasets", "utils")}  # a data set is a utils.data.Dataset
OUTSIDE = {
    1: {"numpy", "ml_dtypes"}, 2: {"numpy", "numba"}, 3: {"numpy", "numba"}, 4: {"numpy"},
    5: {"numpy", "numba", "safetensors", "ml_dtypes"}, 6: {"numpy"},
    7: {"numpy", "IPython", "ipywidgets", "anywidget", "traitlets", "matplotlib", "comm", "ipykernel", "jupyter_client", "PIL"},
}  # fmt: skip
LATE = {"numba", "IPython", "matplotlib", "ipywidgets", "anywidget", "tqdm", "scipy", "torch", "safetensors"}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


MODULES = [p for p in sorted(PACKAGE.rglob("*.py")) if p != PACKAGE / "__init__.py"]


def imports_of(path: Path) -> list[tuple[str, bool, int]]:
    """(target, whether it is a module of ours, line) of each import; ours as a path of names from the package."""
    here = path.relative_to(PACKAGE).parent.parts
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = here[: len(here) - node.level + 1]
            names = (node.module or "").split(".") if node.module else []
            target = [*base, *names]
            for alias in node.names:
                found.append((".".join([*target, alias.name]), True, node.lineno))
        elif isinstance(node, ast.ImportFrom):
            found.append((node.module or "", False, node.lineno))
        elif isinstance(node, ast.Import):
            found.extend((alias.name, False, node.lineno) for alias in node.names)
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_import_runs_up(path: Path) -> None:
    room = room_of(path)
    assert room in LAYERS, f"{path.name}: give the room {room!r} a layer in this test and in docs/design.md"
    layer = LAYERS[room]
    for target, ours, line in imports_of(path):
        if ours:
            other = target.split(".")[0]
            allowed = other == room or (room, other) in BETWEEN or (other in LAYERS and LAYERS[other] < layer)
            assert allowed, f"{path.name}:{line} imports {target}: from layer {layer} ({room}) to {other}"
        else:
            top = target.split(".")[0]
            assert top != "tapescope", f"{path.name}:{line}: nobody imports the top package from inside"
            known = top in sys.stdlib_module_names or top in OUTSIDE[layer]
            assert known, f"{path.name}:{line}: layer {layer} may not import {top}"


def test_no_cycle_between_modules() -> None:
    names = {p.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", "."): p for p in MODULES}
    graph: dict[str, set[str]] = {}
    for name, path in names.items():
        graph[name] = set()
        for node in ast.parse(path.read_text()).body:  # at import time only; late imports may look back
            if isinstance(node, ast.ImportFrom) and node.level:
                here = path.relative_to(PACKAGE).parent.parts
                base = [*here[: len(here) - node.level + 1], *((node.module or "").split(".") if node.module else [])]
                for alias in node.names:
                    for candidate in (".".join([*base, alias.name]), ".".join(base)):
                        if candidate in names and candidate != name:
                            graph[name].add(candidate)
                            break
    seen: dict[str, int] = {}

    def visit(name: str, trail: list[str]) -> None:
        assert seen.get(name) != 1, f"import cycle: {' -> '.join([*trail[trail.index(name) :], name])}"
        if seen.get(name):
            return
        seen[name] = 1
        for other in graph[name]:
            visit(other, [*trail, name])
        seen[name] = 2

    for name in graph:
        visit(name, [])


def test_import_loads_nothing_heavy() -> None:
    script = f"import sys; import tapescope; print(sorted(m for m in {sorted(LATE)!r} if m in sys.modules))"
    answer = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    assert answer.stdout.strip() == "[]"


def test_import_leaves_numpy_and_warnings_to_the_user() -> None:
    script = (
        "import numpy as np, warnings; before = np.geterr(); import tapescope as ts; assert np.geterr() == before; "
        "warnings.simplefilter('always', append=True)\n"
        "with warnings.catch_warnings(record=True) as seen:\n"
        "    ts.zeros(1).log(); assert not seen, seen\n"
        "    np.log(np.zeros(1)); assert len(seen) == 1\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=PACKAGE.parent)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 560, f"{path.name} wants a seam"
    tree = ast.parse(text)
    assert ast.get_docstring(tree) or path.name == "__init__.py" and not text.strip(), f"{path.name} has no docstring"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.end_lineno is not None:
            length = node.end_lineno - node.body[0].lineno + 1
            if ast.get_docstring(node):
                first = node.body[0]
                length -= (first.end_lineno or first.lineno) - first.lineno + 1
            assert length <= 60, f"{path.name}:{node.lineno} {node.name} is {length} lines"


def test_package_works_without_numba() -> None:
    script = (
        "import sys; sys.modules['numba'] = None\n"
        "import importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'numba' else find(name, *rest)\n"
        "import tapescope as ts; F = ts.nn.functional\n"
        "net = ts.nn.Sequential(ts.nn.Linear(4, 8), ts.nn.GELU(), ts.nn.Linear(8, 3)); opt = ts.optim.Adam(net.parameters())\n"
        "x, y = ts.randn(5, 4), ts.tensor([0, 1, 2, 0, 1])\n"
        "loss = F.cross_entropy(net(x), y); loss.backward(); opt.step()\n"
        "assert F.cross_entropy(net(x), y) < loss\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=PACKAGE.parent)
