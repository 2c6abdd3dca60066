"""Screens: an editor, a dialog and a table, with text as a screen shows it."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from benchmarks.lib.drawn.text import WORDS, Box, Colour, Random, font, words

FINE = 4  # masks are drawn so many times larger, and reduced
BOLD, MONO = "DejaVuSans-Bold", "DejaVuSansMono"
WHITE, GREY, DARK, EDGE = (255, 255, 255), (110, 110, 118), (40, 40, 46), (190, 192, 198)
SYNTAX = {
    "name": (212, 212, 212), "key": (197, 134, 192), "call": (220, 220, 170), "text": (206, 145, 120),
    "number": (181, 206, 168), "note": (106, 153, 85), "edge": (133, 133, 133),
}  # fmt: skip

Pixels = NDArray[np.uint8]


def editor() -> Pixels:
    """A dark window of code with coloured words, numbers of lines and a list of files."""
    rng, face = np.random.default_rng(4), font(13, MONO)
    image = Image.new("RGB", (900, 600), (30, 30, 30))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 180, 600), (37, 37, 38))
    draw.rectangle((180, 0, 900, 28), (45, 45, 45))
    draw.rectangle((180, 0, 310, 28), (30, 30, 30))
    draw.text((196, 7), "harbour.py", WHITE, font(12))
    draw.rectangle((0, 97, 180, 118), (55, 55, 61))
    for row, word in enumerate(rng.choice(WORDS, 25, replace=False)):
        draw.text((12 + 14 * (row % 6 > 0), 10 + 22 * row), f"{word}.py" if row % 6 else f"> {word}", EDGE, font(12))
    draw.rectangle((182, 307, 900, 325), (42, 45, 46))
    for row in range(30):
        x, y = 230.0, 38 + 18 * row
        draw.text((216, y), str(row + 1), SYNTAX["edge"], face, anchor="ra")
        for kind, text in code(rng, row % 8):
            draw.text((x, y), text, SYNTAX[kind], face)
            x += face.getlength(text)
    draw.rectangle((0, 578, 900, 600), (0, 122, 204))
    draw.text((10, 582), "main    0 errors    2 warnings    line 16, column 41", WHITE, font(11))
    return np.asarray(image)


def code(rng: Random, row: int) -> list[tuple[str, str]]:
    """A line of a program, by kinds of words."""
    a, b, c = (str(word) for word in rng.choice(WORDS, 3))
    indent = ("name", "    " if row < 3 else "        ")
    return [
        [("key", "def "), ("call", f"{a}_{b}"), ("name", f"({c}, {b}=None):")],
        [indent, ("text", f'"""{words(rng, 4, 8).capitalize()}."""')],
        [indent, ("key", "for "), ("name", a), ("key", " in "), ("call", "range"), ("name", f"(len({c})):")],
        [indent, ("name", f"{b}[{a}] = {c} + "), ("number", str(rng.integers(999)))],
        [indent, ("key", "if "), ("name", f"{a} is not {c}:  "), ("note", f"# {words(rng, 3, 6)}")],
        [indent, ("name", f"    {a}.{b} = "), ("call", c), ("name", f"({a}, "), ("text", f'"{b}"'), ("name", ")")],
        [("key", "    return "), ("name", f"{a} * {b} - "), ("number", f"{rng.random():.3f}")],
        [],
    ][row]


def dialog() -> Pixels:
    """A window with rounded corners, a shadow and buttons that shine, on a desktop of soft colours."""
    y, x = np.mgrid[0:1:480j, 0:1:720j][..., None]
    desktop = np.array([40, 82, 140]) * (1 - y) + np.array([140, 90, 128]) * y + 60 * x * (1 - y)
    image = Image.fromarray(np.round(desktop).astype(np.uint8))
    shadow = rounded(image, (110, 82, 610, 422), 14).filter(ImageFilter.GaussianBlur(12))
    image.paste((10, 10, 20), mask=shadow.point([v // 2 for v in range(256)]))
    panel(image, (110, 70, 610, 410), 12, (238, 238, 240), (206, 208, 214))
    panel(image, (110, 110, 610, 410), 12, (244, 244, 246))
    for spot, colour in enumerate(((255, 95, 87), (254, 188, 46), (40, 200, 64))):
        panel(image, (126 + 22 * spot, 84, 138 + 22 * spot, 96), 6, colour)
    draw = ImageDraw.Draw(image)
    draw.text((360, 90), "Export pictures", DARK, font(14, BOLD), anchor="mm")
    for row, (label, value) in enumerate((("Name", "harbour at night"), ("Folder", "Pictures"), ("Format", "PNG"))):
        top = 132 + 46 * row
        panel(image, (246, top, 570, top + 30), 6, EDGE)
        panel(image, (247, top + 1, 569, top + 29), 5, WHITE)
        draw.text((230, top + 15), label, DARK, font(14), anchor="rm")
        draw.text((258, top + 15), value, DARK, font(14), anchor="lm")
    panel(image, (150, 286, 570, 294), 4, (208, 210, 216))
    panel(image, (150, 286, 410, 294), 4, (92, 170, 255), (20, 110, 240))
    draw.text((150, 304), "62 % of 24 pictures, 8 seconds left", GREY, font(12))
    for left, label, ink, top_colour, bottom_colour in (
        (366, "Cancel", DARK, WHITE, (222, 223, 228)),
        (474, "Export", WHITE, (98, 174, 255), (16, 106, 236)),
    ):
        panel(image, (left - 1, 353, left + 97, 385), 8, EDGE)
        panel(image, (left, 354, left + 96, 384), 7, top_colour, bottom_colour)
        draw.text((left + 48, 369), label, ink, font(14), anchor="mm")
    return np.asarray(image)


def rounded(image: Image.Image, box: Box, radius: int) -> Image.Image:
    """The mask of a rounded box, soft at its edges."""
    left, top, right, bottom = (FINE * v for v in box)
    mask = Image.new("L", (FINE * image.width, FINE * image.height))
    ImageDraw.Draw(mask).rounded_rectangle((left, top, right - 1, bottom - 1), FINE * radius, 255)
    return mask.reduce(FINE)


def panel(image: Image.Image, box: Box, radius: int, upper: Colour, lower: Colour | None = None) -> None:
    """Draw a rounded box, whose colour may change from top to bottom."""
    share = np.clip((np.arange(image.height) - box[1]) / (box[3] - box[1]), 0, 1)[:, None, None]
    ramp = np.array(upper) * (1 - share) + np.array(lower or upper) * share
    filled = np.broadcast_to(np.round(ramp).astype(np.uint8), (image.height, image.width, 3))
    image.paste(Image.fromarray(np.ascontiguousarray(filled)), mask=rounded(image, box, radius))


def table() -> Pixels:
    """A sheet of numbers with a ruler, striped rows, and cells that are coloured by their value."""
    rng, face = np.random.default_rng(5), font(12)
    image = Image.new("RGB", (840, 520), WHITE)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 840, 44), (33, 115, 70))
    draw.text((14, 14), "Harbour, ships a month", WHITE, font(14, BOLD))
    for row in range(-1, 22):
        y = 66 + 21 * row
        draw.rectangle((0, y, 840, y + 20), (243, 243, 243) if row < 0 or row % 2 else WHITE)
        draw.line((0, y + 20, 840, y + 20), (212, 212, 212))
        draw.text((32, y + 4), str(row + 1) if row >= 0 else "", GREY, face, anchor="ra")
        if row >= 0:
            draw.text((48, y + 4), words(rng, 1, 2).capitalize(), DARK, face)
        for column in range(8):
            left, value = 200 + 80 * column, int(rng.gamma(3, 250))
            if row >= 0 and column == 5:
                draw.rectangle((left + 1, y, left + 79, y + 19), (255, 255 - min(value // 12, 160), 190))
            text = f"{value:,}" if row >= 0 else chr(ord("B") + column)
            draw.text((left + 72, y + 4), text, (192, 0, 0) if value < 250 and row >= 0 else DARK, face, anchor="ra")
    for left in (40, *range(200, 841, 80)):
        draw.line((left, 45, left, 528), (212, 212, 212))
    draw.rectangle((440, 213, 520, 233), None, (33, 115, 70), 2)
    return np.asarray(image)
