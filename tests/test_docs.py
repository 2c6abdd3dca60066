"""What docstrings, comments and pages speak of is there: files, names in modules, identifiers, commands, options.

They are known by their form: a path with a suffix, `module.name`, a word with an underscore or with parentheses.
"""

import ast
import importlib
import io
import re
import tokenize
from functools import cache
from pathlib import Path

from vlaezip.cli import app
from vlaezip.coding import mixture_gradient
from vlaezip.exact import law
from vlaezip.model import learner

ROOT = Path(__file__).parent.parent
FOLDERS = [ROOT / name for name in ("vlaezip", "benchmarks", "tests", "docs", "models")]
THERE = [p for folder in FOLDERS for p in folder.rglob("*")] + list(ROOT.iterdir())
MODULES = sorted(p for p in THERE if p.suffix == ".py")
WRITTEN = [
    *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "SECURITY")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "models").glob("*.md")),
]
PAGES = [page for page in WRITTEN if page.name != "decisions.md"]  # which tells of what there was, by date

FILE = re.compile(r"(?<![\w/.*<-])((?:[\w-]+/)*[\w-][\w.-]*\.(?:py|md|toml))\b")
SECTION = re.compile(r"\b([A-Z]{3,})(?:\.md)? sections? \d")
DOTTED = re.compile(r"(?<![\w./-])([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)(?![\w/])")
WORD = re.compile(r"(?<![\w./-])([A-Za-z]\w+_\w\w+|\w+(?=\(\)))")
WITHIN = re.compile(r"`(\w+)` in `([\w/]+\.py)`")
HEADING = re.compile(r'"([^"]+)" in ((?:docs/)?\w+\.md)')
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([\w-]+))?\)")
COMMAND = re.compile(r"(?:^    |`)vlaezip ([a-z]+)([^`#\n]*)", re.MULTILINE)
MODULE = re.compile(r"python -m (?!vlaezip|venv|pytest)([\w.]*\w)([^`#\n]*)")
OPTION = re.compile(r"(?<![\w-])(--[a-z][\w-]*|-[a-z]\b)")

PLACEHOLDERS = {"benchmarks/results/NAME.md", "memory-N.md", "folder/name.md", "benchmarks.NAME", "benchmarks/NAME.py"}
ELSEWHERE = re.compile(r"(NUMBA|OMP|MALLOC|XDG|M)_\w+")  # variables of an environment, malloc.h


def place(path):
    return path.relative_to(ROOT).as_posix()


def tokens(path):
    return tokenize.generate_tokens(io.StringIO(path.read_text()).readline)


@cache
def spoken(path):
    """Docstrings and comments of a module; a page as it is."""
    if path.suffix != ".py":
        return path.read_text()
    holders = ast.Module | ast.ClassDef | ast.FunctionDef
    texts = [ast.get_docstring(n) or "" for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, holders)]
    return "\n".join(texts + [t.string for t in tokens(path) if t.type == tokenize.COMMENT])


def prose(text):
    """A text without its blocks of code in Python, which have names of their own."""
    return re.sub(r"```python.*?```", "", text, flags=re.DOTALL)


def found(pattern, paths=(*MODULES, *PAGES), text=spoken):
    """Where a pattern is found, and what it found."""
    return [(place(path), m) for path in paths for m in pattern.findall(text(path)) if m not in PLACEHOLDERS]


def dead(pairs, alive):
    """Those that speak of nothing; there must be some that do not."""
    assert pairs
    return [pair for pair in pairs if not alive(pair[1])]


@cache
def identifiers():
    """Every name that code has."""
    return {t.string for path in MODULES for t in tokens(path) if t.type == tokenize.NAME}


@cache
def modules():
    """The last part of a module's name -> whole names."""
    names = {}
    for path in MODULES:
        name = place(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        names.setdefault(name.rpartition(".")[2], []).append(name)
    return names


@cache
def classes():
    """The name of a class -> the modules that have one of that name."""
    names = {}
    for path in MODULES:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                names.setdefault(node.name, []).append(place(path).removesuffix(".py").replace("/", "."))
    return names


def meant(first):
    """The modules and classes of a name."""
    yield from map(importlib.import_module, modules().get(first, ()))
    yield from (getattr(importlib.import_module(module), first) for module in classes().get(first, ()))


def has(thing, parts):
    """Whether `thing.a.b` is there: attributes, fields, or modules of a package."""
    if not parts:
        return True
    first, *rest = parts
    if hasattr(thing, "__path__") and f"{thing.__name__}.{first}" in modules().get(first, ()):
        return has(importlib.import_module(f"{thing.__name__}.{first}"), rest)
    return has(getattr(thing, first), rest) if hasattr(thing, first) else first in thing.__annotations__


def files(name):
    """Those that a path, or the end of one, may mean."""
    return [path for path in THERE if f"/{place(path)}".endswith(f"/{name}")]


def is_name(name):
    first, *rest = name.split(".")
    return files(name) or any(has(thing, rest) for thing in meant(first))


def defines(path, name):
    return re.search(rf"^\s*(def|class) {name}\b", path.read_text(), re.MULTILINE)


def anchors(path):
    """Headings of a page, as links have them."""
    return {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings(path)}


def headings(path):
    return re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)


def options_of(module):
    """Options that a module's parser takes, or that of all benchmarks."""
    files = [ROOT / f"{module.replace('.', '/')}.py", ROOT / "benchmarks/lib/pictures.py"]
    return {o for f in files for o in re.findall(r'"(--?[a-z][\w-]*)"', f.read_text())}


def test_the_layout_has_every_file():
    page = (ROOT / "docs/layout.md").read_text()
    names = [place(p) for p in (ROOT / "vlaezip").rglob("*.py") if not p.name.startswith("__")]
    assert [name for name in names if f"{name.rpartition('/')[2]}`" not in page] == []


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


def test_files_are_there():
    assert dead(found(FILE), files) == []


def test_documents_whose_sections_are_named_are_there():
    assert [pair for pair in found(SECTION, MODULES) if not files(f"{pair[1]}.md")] == []


def test_names_in_modules_and_classes_are_there():
    known = [pair for pair in found(DOTTED) if pair[1].split(".")[0] in {*modules(), *classes()}]
    assert dead(known, is_name) == []


def test_identifiers_are_those_of_the_code():
    pairs = found(WORD, text=lambda path: prose(spoken(path)))
    assert dead(pairs, lambda word: word in identifiers() or ELSEWHERE.fullmatch(word)) == []


def test_what_is_said_to_be_in_a_file_is_in_it():
    assert dead(found(WITHIN), lambda pair: any(defines(path, pair[0]) for path in files(pair[1]))) == []
    assert dead(found(HEADING), lambda pair: pair[0] in headings(ROOT / pair[1])) == []


def test_constants_of_a_learner_are_those_of_the_code():
    page = (ROOT / "docs/format.md").read_text().partition("### DATA of a learner")[2].partition("###")[0]
    rows = re.findall(r"^\| (`[A-Z_`, ]+) \| ([^|]+) \|", page, re.MULTILINE)
    told = {name: v for names, values in rows for name, v in zip(names.split(", "), values.split(", "), strict=True)}
    known = {**vars(law), **vars(mixture_gradient), **vars(learner)}
    assert {name: number(value) for name, value in told.items()} == {name: known[name.strip("`")] for name in told}
    assert len(told) > 15


def number(text):
    """Of a^b - c."""
    power, _, less = text.partition(" - ")
    base, _, exponent = power.partition("^")
    return int(base) ** int(exponent or 1) - int(less or 0)


def test_links_lead_somewhere():
    for path in WRITTEN:
        for target, anchor in LINK.findall(path.read_text()):
            page = (path.parent / target).resolve() if target else path
            assert page.exists(), (place(path), target)
            assert not anchor or anchor in anchors(page), (place(path), target, anchor)


def test_commands_and_their_options_are_there():
    pairs = found(COMMAND, PAGES)
    assert dead(pairs, lambda pair: pair[0] in app.commands.commands) == []
    taken = {name: {o for p in c.params for o in p.opts} for name, c in app.commands.commands.items()}
    assert [pair for pair in pairs if set(OPTION.findall(pair[1][1])) - taken[pair[1][0]]] == []


def test_modules_that_are_run_and_their_options_are_there():
    pairs = found(MODULE, (*MODULES, *PAGES, ROOT / "Makefile"))
    assert dead(pairs, lambda pair: files(f"{pair[0].replace('.', '/')}.py") or pair[0] in PLACEHOLDERS) == []
    assert [
        p for p in pairs if p[1][0] not in PLACEHOLDERS and set(OPTION.findall(p[1][1])) - options_of(p[1][0])
    ] == []


def test_options_that_pages_speak_of_are_there():
    taken = {o for c in app.commands.commands.values() for p in c.params for o in p.opts}
    taken |= {o for path in MODULES for o in options_of(place(path).removesuffix(".py").replace("/", "."))}
    assert dead(found(OPTION, PAGES), lambda option: option in taken) == []


def test_targets_of_make_are_there():
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert dead(found(re.compile(r"`make ([\w-]+)"), PAGES), lambda target: target in targets) == []
