"""Twelve pictures that are no photographs: plots, screens, scans and sheets, made by matplotlib, Pillow and numpy.

The same on every run; another version of a library that draws text may move a few pixels.
"""

import numpy as np
from numpy.typing import NDArray

from benchmarks.lib.drawn import plots, scans, screens, sheets

PICTURES = {
    "plot-lines": plots.lines,
    "plot-scatter": plots.scatter,
    "plot-heat-map": plots.heat_map,
    "screen-editor": screens.editor,
    "screen-dialog": screens.dialog,
    "screen-table": screens.table,
    "scan-page": scans.page,
    "scan-drawing": scans.drawing,
    "scan-form": scans.form,
    "sheet-contacts": sheets.contacts,
    "sheet-digits": sheets.digits,
    "sheet-collage": sheets.collage,
}


def make() -> dict[str, NDArray[np.uint8]]:
    """Name -> RGB pixels; a name begins with the kind."""
    return {name: draw() for name, draw in PICTURES.items()}
