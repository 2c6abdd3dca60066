"""Scans: a page, a drawing and a form, a little turned, unevenly lit, with the grain of paper and a sensor's noise."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from benchmarks import example
from benchmarks.lib.drawn.text import Random, font, paragraph, words

FINE = 2  # drawn so many times larger than scanned
SERIF, HAND = "DejaVuSerif", "DejaVuSans-Oblique"
INK, BLUE, RED = (34, 32, 38), (38, 58, 140), (176, 40, 44)

Pixels = NDArray[np.uint8]


def scan(rng: Random, sheet: Image.Image, angle: float, noise: float, grey: bool = False) -> Pixels:
    """What a scanner makes of a sheet. noise: its deviation in levels; grey: the same in all channels."""
    turned = sheet.rotate(angle, Image.Resampling.BICUBIC, fillcolor=(120, 118, 116))
    seen = np.asarray(turned.filter(ImageFilter.GaussianBlur(0.6 * FINE)).reduce(FINE)).astype(float)
    height, width, _ = seen.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    light = 0.97 - 0.05 * (x - 0.2) ** 2 - 0.04 * y - 0.03 * np.exp(-12 * (x + 1))
    fibres = 1 + 0.006 * example.texture(rng, height, width, 0.7)
    grain = rng.normal(0, noise, (height, width, 1 if grey else 3))
    return np.clip(np.round(seen * (light * fibres)[..., None] + grain), 0, 255).astype(np.uint8)


def page() -> Pixels:
    """A page of a book."""
    rng = np.random.default_rng(6)
    sheet = Image.new("RGB", (1200, 1560), (243, 238, 224))
    draw = ImageDraw.Draw(sheet)
    draw.text((600, 110), "The harbour in winter", INK, font(44, SERIF), anchor="mm")
    for top, bottom in ((190, 620), (660, 1040), (1080, 1420)):
        paragraph(draw, rng, (130, top, 1070, bottom), font(27, SERIF), INK)
    draw.text((600, 1480), "117", INK, font(24, SERIF), anchor="mm")
    return scan(rng, sheet, 0.7, 1.6)


def drawing() -> Pixels:
    """Hills and a tree by pen, hatched, with washes of colour."""
    rng = np.random.default_rng(7)
    sheet = Image.new("RGB", (1500, 1040), (248, 246, 240))
    x = np.arange(80, 1420)
    for ridge, colour in enumerate(((176, 196, 214), (158, 186, 150), (214, 190, 140))):
        y = 360 + 190 * ridge + 70 * example.texture(rng, 1, len(x), 1.8)[0]
        wash(rng, sheet, [(80, 960), *zip(x.tolist(), y.tolist(), strict=True), (1420, 960)], colour)
        pen(rng, sheet, np.stack([x, y], 1), 3 + ridge)
        for left in range(100, 1380, 26 - 5 * ridge):
            length = rng.uniform(30, 90)
            foot = np.array([left, y[left - 80] + rng.uniform(8, 60)])
            pen(rng, sheet, foot + np.linspace(0, length, 12)[:, None] * np.array([-0.45, 0.9]), 2)
    tree(rng, sheet, np.array([1130.0, 800.0]), -np.pi / 2, 150)
    ImageDraw.Draw(sheet).ellipse((270, 120, 370, 220), (240, 206, 120), INK, 3)
    return scan(rng, sheet, -0.4, 1.3)


def wash(rng: Random, sheet: Image.Image, outline: list[tuple[float, float]], colour: tuple[int, int, int]) -> None:
    """Fill an outline as water colours do: with clouds."""
    mask = Image.new("L", sheet.size)
    ImageDraw.Draw(mask).polygon(outline, 255)
    clouds = 150 + 40 * example.texture(rng, sheet.height, sheet.width, 1.6)
    strength = np.clip(clouds, 0, 255) * (np.asarray(mask.filter(ImageFilter.GaussianBlur(4))) / 255)
    sheet.paste(colour, mask=Image.fromarray(np.round(strength).astype(np.uint8)))


def pen(rng: Random, sheet: Image.Image, points: NDArray[np.float64], width: float) -> None:
    """Draw a line that trembles a little, and is thick and thin."""
    draw, points = ImageDraw.Draw(sheet), points + rng.normal(0, 0.7, points.shape)
    for start, end in pairwise(points):
        draw.line((*start, *end), INK, max(1, round(width * rng.uniform(0.7, 1.3))))


def tree(rng: Random, sheet: Image.Image, foot: NDArray[np.float64], angle: float, length: float) -> None:
    """A trunk, and two smaller trees at its end."""
    if length > 12:
        end = foot + length * np.array([np.cos(angle), np.sin(angle)])
        pen(rng, sheet, np.linspace(foot, end, 8), length / 9)
        for turn in (rng.uniform(-0.6, -0.2), rng.uniform(0.2, 0.6)):
            tree(rng, sheet, end, angle + turn, length * rng.uniform(0.65, 0.85))


def form() -> Pixels:
    """A form, filled in by hand and stamped, from a scanner whose noise is grey."""
    rng = np.random.default_rng(8)
    sheet = Image.new("RGB", (1400, 1000), (236, 236, 236))
    draw = ImageDraw.Draw(sheet)
    draw.text((90, 80), "Notice of arrival", INK, font(46, "DejaVuSans-Bold"))
    draw.text((1310, 90), "Form 27 B", INK, font(28), anchor="ra")
    for row in range(8):
        for left, right in ((90, 680), (720, 1310)):
            top = 180 + 80 * row
            draw.rectangle((left, top, right, top + 66), None, INK, 2)
            draw.text((left + 10, top + 6), words(rng, 1, 3).capitalize(), INK, font(17))
            if rng.random() < 0.7:
                draw.text((left + 40, top + 26), words(rng, 1, 3), BLUE, font(32, HAND))
    for box in range(6):
        left = 90 + 200 * box
        draw.rectangle((left, 850, left + 30, 880), None, INK, 2)
        draw.text((left + 44, 852), words(rng, 1, 1), INK, font(22))
        if box % 3 == 1:
            draw.line((left + 4, 862, left + 14, 876, left + 36, 842), BLUE, 5)
    stamp = Image.new("L", (320, 320))
    face = ImageDraw.Draw(stamp)
    face.ellipse((10, 10, 310, 310), None, 150, 9)
    face.ellipse((60, 60, 260, 260), None, 150, 4)
    face.text((160, 160), "HARBOUR\n12 JAN", 150, font(34, "DejaVuSans-Bold"), anchor="mm", align="center")
    sheet.paste(RED, (1000, 640), stamp.rotate(14, Image.Resampling.BICUBIC))
    return scan(rng, sheet, 0.5, 3.0, grey=True)
