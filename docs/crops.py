"""Writes crops.png: pieces of a photograph, as the codecs make them of the same number of bytes.

    python -m docs.crops [--quality Q] [--picture FILE --corner X Y --corner X Y]

The photograph is the one of figure.py, unless a file is named.
"""

import argparse
from pathlib import Path

import matplotlib.cbook
import numpy as np
from PIL import Image, ImageDraw, ImageFont

import vlaezip
from benchmarks.lib import peers
from benchmarks.lib.scores import Curve, Original

PAGE = Path(__file__).with_name("crops.png")
PEERS = ("JPEG", "WebP", "AVIF")
CORNERS = [(203, 22), (148, 146), (74, 450)]  # left, top: cap, hair and glasses, name plate
SIDE, ZOOM, LINE, GAP = 96, 2, 18, 4


def photograph(path: Path | None) -> np.ndarray:
    """uint8 [H, W, 3]."""
    if path:
        return np.asarray(Image.open(path).convert("RGB"))
    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
        return np.asarray(Image.open(file).convert("RGB"))


def views(x: np.ndarray, quality: int) -> list[tuple[str, str, np.ndarray]]:
    """Name, figures and pixels of each column."""
    original = Original(x, [])
    data = vlaezip.compress(Image.fromarray(x), quality=quality)
    preview, dream = (np.asarray(vlaezip.decompress(data, preview=p)) for p in (True, False))
    found = [("vlaezip, preview", original.score(preview, len(data)), preview)]
    found.append(("vlaezip, dream", original.score(dream, len(data)), dream))
    for name in PEERS:
        curve = Curve(peers.LOSSY[name], original)
        best = curve.within(len(data))
        found.append((name, curve.score(best), curve.decode(best)))
    return [
        ("original", f"{x.shape[1]} x {x.shape[0]}", x),
        *((name, f"{score.size} bytes, {score.psnr:.1f} dB", y) for name, score, y in found),
    ]


def sheet(columns: list[tuple[str, str, np.ndarray]], corners: list[tuple[int, int]]) -> Image.Image:
    """A column a view, two lines of text above it; a row a corner."""
    cell = SIDE * ZOOM
    page = Image.new("RGB", (len(columns) * (cell + GAP) - GAP, 2 * LINE + len(corners) * (cell + GAP)), "white")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(13)
    for i, (name, figures, y) in enumerate(columns):
        left = i * (cell + GAP)
        for n, text in enumerate((name, figures)):
            pen.text((left + 2, n * LINE), text, "black", font)
        for j, corner in enumerate(corners):
            crop = Image.fromarray(y).crop((*corner, corner[0] + SIDE, corner[1] + SIDE))
            page.paste(crop.resize((cell, cell), Image.Resampling.NEAREST), (left, 2 * LINE + j * (cell + GAP)))
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quality", type=int, default=4)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--corner", type=int, nargs=2, action="append", help="left and top of a crop")
    parser.add_argument("--out", type=Path, default=PAGE)
    options = parser.parse_args()
    columns = views(photograph(options.picture), options.quality)
    sheet(columns, [(left, top) for left, top in options.corner or CORNERS]).save(options.out, optimize=True)
    for name, figures, _ in columns:
        print(f"{name}: {figures}")


if __name__ == "__main__":
    main()
