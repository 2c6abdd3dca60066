"""Imports go down only, only the command line prints, and only it knows of training."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "vlaezip"
LAYERS = (
    "__main__",
    "cli pillow_plugin",
    "cli_research",
    "jobs train",
    "files",
    "__init__",
    "batches",
    "gpu",
    "api",
    "gallery",
    "archive",
    "lossless lossy",
    "limits refine settle tune",
    "stored",
    "pixels",
    "metadata origin",
    "container",
    "device",
    "options",
    "codec idle weights tuned",
    "convs_torch",
    "vlae tiles coupled",
    "local_ar convs window_torch",
    "sheet",
    "parts",
    "packed",
    "exact layout window",
    "config",
    "coding names notes stretch threads",
    "vectors",
    "devices",
    "errors kernel_cache progress",
)
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names.split()}
MODULES = sorted(PACKAGE.rglob("*.py"))


def layer(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path):
    """Layers of vlaezip that a module imports, also within its functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for words in (name.split(".") for name in names):
            if words[0] == "vlaezip":
                yield words[1] if len(words) > 1 and words[1] in RANK else "__init__"


def test_imports_only_go_down():
    assert [(m.name, name) for m in MODULES for name in imports(m) if RANK[name] < RANK[layer(m)]] == []


def test_only_the_command_line_knows_of_training():
    assert {layer(m) for m in MODULES if "train" in imports(m)} <= {"cli_research", "train"}


def test_only_the_command_line_prints_or_exits():
    calls = {
        m.name: {ast.unparse(n.func) for n in ast.walk(ast.parse(m.read_text())) if isinstance(n, ast.Call)}
        for m in MODULES
    }
    assert [name for name, found in calls.items() if found & {"print", "exit", "sys.exit"} and name != "cli.py"] == []
