"""Insides of numba and llvmlite that are used, by name: where a version moves one, this says which and who uses it."""

import ast
import importlib
import re
import tomllib
from pathlib import Path

import numba
import pytest
from numba.core import compiler, registry
from packaging.requirements import Requirement
from packaging.version import Version

import vlaezip

ROOT = Path(__file__).parents[2]
PACKAGE = Path(vlaezip.__file__).parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
INSIDES = re.compile(r"(numba\.core|llvmlite)\b")
NAMES = {  # of each module, what is used
    "llvmlite": "__version__ ir",
    "llvmlite.ir": "Constant DoubleType FunctionType IntType Undefined VectorType",
    "numba.core": "cgutils compiler registry types",
    "numba.core.caching": "NullCache",
    "numba.core.cgutils": "alloca_once_value for_range get_or_insert_function",
    "numba.core.codegen": "get_host_cpu_features",
    "numba.core.compiler": "CompileResult",
    "numba.core.compiler_lock": "global_compiler_lock",
    "numba.core.datamodel": "models",
    "numba.core.datamodel.models": "PrimitiveModel",
    "numba.core.registry": "cpu_target",
    "numba.core.serialize": "dumps",
    "numba.core.types": "Array Integer NamedUniTuple Type int64 void",
}
PRIVATE = sorted((module, name) for module, names in NAMES.items() for name in names.split())


def users():
    """Names of the insides, each with its module -> the files that use it."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for name in names_in(ast.parse(path.read_text())):
            found.setdefault(name, []).append(path.relative_to(PACKAGE).as_posix())
    return found


def names_in(tree):
    """What is imported of the insides, and what is used of the modules among that."""
    nodes = list(ast.walk(tree))
    bound = {}
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and INSIDES.match(node.module or ""):
            yield from ((node.module, alias.name) for alias in node.names)
            bound |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            bound |= {alias.name: alias.name for alias in node.names if INSIDES.match(alias.name)}
    for node in nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and bound.get(node.value.id) in NAMES:
            yield bound[node.value.id], node.attr


def test_every_name_that_is_used_is_listed_here():
    assert {name: files for name, files in users().items() if name not in PRIVATE} == {}


@pytest.mark.parametrize(("module", "name"), PRIVATE)
def test_it_is_there_and_used(module, name):
    files = users()[module, name]
    assert hasattr(importlib.import_module(module), name), f"{module} has no {name}, which {files} use"


def test_what_kernels_are_kept_with_is_there():
    """kernel_cache.py: a dispatcher's cache, the parts of what was compiled, and the name of a processor."""
    assert hasattr(numba.njit(lambda: None), "_cache")
    assert all(hasattr(compiler.CompileResult, name) for name in ("_rebuild", "_reduce"))
    assert registry.cpu_target.target_context.codegen().magic_tuple()


@pytest.mark.parametrize("package", ["numba", "llvmlite"])
def test_no_version_is_asked_for_that_was_not_tried(package):
    """The bound of pyproject.toml ends with the minor version that constraints.txt has."""
    (asked,) = [r for r in map(Requirement, PROJECT["dependencies"]) if r.name == package]
    tried = Version(re.search(rf"^{package}==(.*)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)[1])
    assert asked.specifier.contains(tried)
    assert not asked.specifier.contains(f"{tried.major}.{tried.minor + 1}.0")
