"""Markdown tables that tell how they were made: command, commit, machine, date."""

import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"


@dataclass(frozen=True, slots=True)
class Table:
    """One table. Cells that are floats are printed with `digits` decimals; None is a dash."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    digits: int = 3
    note: str = ""

    def markdown(self) -> str:
        cells = [list(self.columns), *([self._cell(c) for c in row] for row in self.rows)]
        widths = [max(len(row[i]) for row in cells) for i in range(len(self.columns))]
        numeric = [i > 0 for i in range(len(self.columns))]
        lines = [self._line(row, widths, numeric) for row in cells]
        rule = "|" + "|".join("-" * (w + 1) + (":" if n else "-") for w, n in zip(widths, numeric, strict=True)) + "|"
        head = [f"## {self.title}", ""] if self.title else []
        return "\n".join([*head, lines[0], rule, *lines[1:], *(["", self.note] if self.note else []), ""])

    def _cell(self, value: object) -> str:
        if value is None:
            return "-"
        return f"{value:.{self.digits}f}" if isinstance(value, float) else str(value)

    @staticmethod
    def _line(row: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
        cells = (c.rjust(w) if n else c.ljust(w) for c, w, n in zip(row, widths, numeric, strict=True))
        return "| " + " | ".join(cells) + " |"


def publish(name: str, title: str, tables: Sequence[Table], folder: Path = RESULTS) -> Path:
    """Print the tables and write them to folder/name.md."""
    text = "\n".join([f"# {title}", "", provenance(), "", *(table.markdown() for table in tables)])
    print(text)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.md"
    path.write_text(text)
    return path


def provenance() -> str:
    """A list of command, commit, machine and date."""
    return "\n".join(
        [
            f"- command: `{command()}`",
            f"- commit: {commit()}",
            f"- machine: {cpu()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end",
            f"- software: Python {platform.python_version()}, "
            + ", ".join(packages("torch", "numpy", "numba", "pillow")),
            f"- date: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        ]
    )


def command() -> str:
    """The command line; of absolute paths only the last part, the rest is nobody's business."""
    words = [Path(word).name if word.startswith("/") else word for word in sys.argv[1:]]
    return shlex.join(["python", "-m", f"benchmarks.{Path(sys.argv[0]).stem}", *words])


def commit() -> str:
    """The commit that is checked out, and whether files differ from it."""
    found = git("rev-parse", "--short", "HEAD")
    if not found:
        return "unknown"
    return found + (", with changes" if git("status", "--porcelain", "--", ".", ":!benchmarks/results") else "")


def git(*words: str) -> str:
    """What git says, or nothing where there is no git or no repository."""
    try:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def cpu() -> str:
    """The model of the CPU."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def packages(*names: str) -> list[str]:
    """Name and version of packages, without importing them."""
    found = []
    for name in names:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"no {name}")
    return found
