"""Draws docs/lossy.png, the rate-distortion curves, from what benchmarks.lossy measured.

python -m benchmarks.curves [--results FILE] [--out FILE]
"""

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.axes import Axes

from benchmarks.lib import report
from benchmarks.lib.lossy_tables import Curves

OUT = report.ROOT / "docs" / "lossy.png"
PANELS = {  # of each measure, its axis
    "psnr": "PSNR, dB",
    "ms_ssim_db": "MS-SSIM, dB",
    "spectra": "texture distance, spectra (less is better)",
    "wavelets": "texture distance, wavelets (less is better)",
}
STYLES: dict[str, dict[str, Any]] = {
    "preview": {"color": "tab:blue", "marker": "o", "linewidth": 2.2},
    "dream": {"color": "tab:red", "marker": "o", "linewidth": 2.2},
    "JPEG": {"color": "0.55", "marker": "v"},
    "WebP": {"color": "tab:green", "marker": "^"},
    "JPEG XL": {"color": "tab:purple", "marker": "s"},
    "AVIF": {"color": "tab:orange", "marker": "D"},
}
LABELS = {"preview": "vlaezip, preview", "dream": "vlaezip, dream"}
FIDELITY = {"psnr", "ms_ssim_db"}  # where a dream has no business


def draw(axes: Axes, curves: Curves, key: str) -> None:
    """One panel."""
    for name, points in curves.items():
        if name == "dream" and key in FIDELITY:
            continue
        line = sorted((p["bpp"], p[key]) for p in points)
        axes.plot(*zip(*line, strict=True), label=LABELS.get(name, name), markersize=4, **STYLES[name])
    axes.set_xscale("log")
    ticks = [t for t in (0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.2) if axes.get_xlim()[0] <= t <= axes.get_xlim()[1]]
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.minorticks_off()
    axes.set_xlabel("bits a pixel")
    axes.set_ylabel(PANELS[key])
    axes.grid(alpha=0.3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=report.RESULTS / "lossy.json")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    results = json.loads(options.results.read_text())
    figure, panels = pyplot.subplots(2, 2, figsize=(11, 8.2), layout="constrained")
    for axes, key in zip(panels.flat, PANELS, strict=True):
        draw(axes, results["curves"], key)
    handles, labels = panels[1, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))
    figure.savefig(options.out, dpi=100)
    print(f"{options.out}: {results['pictures']} pictures")


if __name__ == "__main__":
    main()
