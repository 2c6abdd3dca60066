"""Sheets: many small pictures on one, and a page of text and pictures."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from benchmarks import example
from benchmarks.lib.drawn import plots
from benchmarks.lib.drawn.text import font, paragraph

TILE = 28  # side of a digit's tile
FACES = ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSerif", "DejaVuSans-Oblique")
WHITE, DARK, RED = (255, 255, 255), (40, 40, 46), (178, 34, 52)

Pixels = NDArray[np.uint8]


def contacts() -> Pixels:
    """Twelve photographs of a scene each, with their names."""
    sheet = Image.new("RGB", (840, 640), (24, 24, 26))
    draw = ImageDraw.Draw(sheet)
    for number in range(12):
        left, top = 18 + 206 * (number % 4), 18 + 206 * (number // 4)
        sheet.paste(Image.fromarray(example.make(128, 186, number)), (left, top + 20))
        draw.text((left + 93, top + 166), f"DSC_{4021 + 7 * number}.JPG", (200, 200, 200), font(12), anchor="ma")
    return np.asarray(sheet)


def digits() -> Pixels:
    """Digits of several faces, turned and blurred, white on black: as sets of handwriting are shown."""
    rng = np.random.default_rng(10)
    sheet = Image.new("L", (26 * TILE, 18 * TILE))
    for row in range(18):
        for column in range(26):
            tile = Image.new("L", (4 * TILE, 4 * TILE))
            face = font(int(rng.integers(64, 92)), str(rng.choice(FACES)))
            ImageDraw.Draw(tile).text((2 * TILE, 2 * TILE), str(rng.integers(10)), 255, face, anchor="mm")
            turned = tile.rotate(rng.normal(0, 10), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(3))
            sheet.paste(turned.reduce(4), (TILE * column, TILE * row))
    return np.asarray(sheet.convert("RGB"))


def collage() -> Pixels:
    """A page of a magazine: a title, columns of text, two photographs and a plot."""
    rng = np.random.default_rng(11)
    sheet = Image.new("RGB", (800, 1000), WHITE)
    draw = ImageDraw.Draw(sheet)
    draw.rectangle((0, 0, 800, 70), RED)
    draw.text((40, 35), "LAKES & HARBOURS", WHITE, font(34, "DejaVuSans-Bold"), anchor="lm")
    draw.text((760, 35), "winter", WHITE, font(18), anchor="rm")
    sheet.paste(Image.fromarray(example.make(300, 720, 20)), (40, 96))
    draw.text((40, 410), "Where the old road meets the water", DARK, font(28, "DejaVuSerif-Bold"))
    for left in (40, 290, 540):
        paragraph(draw, rng, (left, 460, left + 222, 720 if left > 40 else 960), font(12, "DejaVuSerif"), DARK)
    sheet.paste(Image.fromarray(example.make(220, 222, 21)), (290, 730))
    sheet.paste(Image.fromarray(plots.lines()).resize((222, 139), Image.Resampling.LANCZOS), (540, 730))
    draw.text((540, 876), "The wind of four days", (110, 110, 118), font(11))
    return np.asarray(sheet)
