"""Writes example.png: an original, its preview and its dream, side by side.

    python docs/figure.py

The photograph is the portrait of Grace Hopper (United States Navy, public domain) that matplotlib ships as sample data.
"""

from pathlib import Path

import matplotlib.cbook
from PIL import Image

import vlaezip

PAGE = Path(__file__).with_name("example.png")
BOX = (60, 10, 380, 410)


def main() -> None:
    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
        original = Image.open(file).convert("RGB")
    data = vlaezip.compress(original)
    views = [original, vlaezip.decompress(data, preview=True), vlaezip.decompress(data)]
    width, height = BOX[2] - BOX[0], BOX[3] - BOX[1]
    sheet = Image.new("RGB", (width * len(views), height))
    for i, view in enumerate(views):
        sheet.paste(view.crop(BOX), (i * width, 0))
    sheet.save(PAGE, optimize=True)
    print(f"{len(data)} bytes, {8 * len(data) / original.width / original.height:.3f} bits a pixel")


if __name__ == "__main__":
    main()
