"""The architecture: rooms, of which each knows those below it alone. Inside a room modules do not know of each other's
users either. Only the command line prints, exits, and knows of training.
"""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import vlaezip

PACKAGE = Path(vlaezip.__file__).parent
FLOORS = (
    "errors",
    "exact format",
    "coding",
    "model",
    "codec",
    "device",
    "search train",
    "paper",
    "options",
    "api",
    "batch pillow_plugin",
    "__init__",
    "cli",
    "__main__",
)
FLOOR = {name: floor for floor, names in enumerate(FLOORS) for name in names.split()}
MODULES = sorted(PACKAGE.rglob("*.py"))


def name_of(path):
    """The parts of a module's name within the package."""
    return path.relative_to(PACKAGE).with_suffix("").parts


def imports(path):
    """Modules of vlaezip that a module imports, by their parts, also within its functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "vlaezip":
            first = tuple(node.module.split(".")[1:])
            yield from {(*first, a.name) if is_module((*first, a.name)) else first or ("__init__",) for a in node.names}


def is_module(name):
    return PACKAGE.joinpath(*name).with_suffix(".py").exists() or PACKAGE.joinpath(*name, "__init__.py").exists()


def test_every_room_is_known_and_imports_go_down():
    assert [
        (name_of(m), name) for m in MODULES for name in imports(m)
        if name_of(m)[0] != name[0] and FLOOR[name[0]] >= FLOOR[name_of(m)[0]]
    ] == []  # fmt: skip


def test_no_modules_import_each_other():
    """CycleError tells which."""
    TopologicalSorter({name_of(m): set(imports(m)) for m in MODULES}).prepare()


def test_only_the_command_line_and_the_paper_know_of_training():
    assert {name_of(m)[0] for m in MODULES if any(n[0] == "train" for n in imports(m))} <= {"cli", "paper", "train"}


def test_only_the_command_line_prints_or_exits():
    calls = {
        name_of(m)[0]: {ast.unparse(n.func) for n in ast.walk(ast.parse(m.read_text())) if isinstance(n, ast.Call)}
        for m in MODULES
    }
    assert [room for room, found in calls.items() if found & {"print", "exit", "sys.exit"} and room != "cli"] == []
