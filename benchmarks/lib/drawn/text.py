"""Words that mean nothing, and a font to draw them with."""

from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import ImageDraw, ImageFont

SPACING = 1.45  # of lines, in sizes of their font
TEXT = (
    "a and as at before between bit both by clear cold copy day early every field fine first from green half harbour "
    "have in is it lake late letter light line long many map measure morning near no north not of old on one or other "
    "paper picture place plain river road same sheet ship slow small snow so some south stone street summer than that "
    "the there they to tower town two under until very was water were where which white wind window winter with year"
)
WORDS = TEXT.split()

Random = np.random.Generator
Colour = tuple[int, int, int]
Box = tuple[int, int, int, int]  # left, top, right, bottom


@cache
def font(size: int, face: str = "DejaVuSans") -> ImageFont.FreeTypeFont:
    """A font that comes with matplotlib, so that it is the same everywhere."""
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{face}.ttf"), size)


def words(rng: Random, least: int, most: int) -> str:
    """So many words at random."""
    return " ".join(rng.choice(WORDS, rng.integers(least, most + 1)))


def paragraph(draw: ImageDraw.ImageDraw, rng: Random, box: Box, face: ImageFont.FreeTypeFont, ink: Colour) -> None:
    """Fill a box with sentences."""
    left, top, right, bottom = box
    height = round(SPACING * face.size)
    text = [word for _ in range(200) for word in f"{words(rng, 5, 14)}.".capitalize().split()]
    for y in range(top, bottom - height + 1, height):
        line = text.pop(0)
        while face.getlength(f"{line} {text[0]}") < right - left:
            line = f"{line} {text.pop(0)}"
        draw.text((left, y), line, ink, face)
