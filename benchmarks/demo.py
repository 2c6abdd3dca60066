"""A tour in one minute: an example picture, compressed and decompressed both ways, beside PNG, WebP and JPEG XL.

python -m benchmarks.demo [--picture FILE] [--out FOLDER]
"""

import argparse
import os
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import vlaezip
from benchmarks import example
from benchmarks.lib import metrics, peers, pictures
from benchmarks.lib.report import Table

OUT = Path("build/demo")
NAMES = {"PNG": "PNG, optimised", "WebP": "WebP, lossless", "JPEG XL 9": "JPEG XL, lossless, effort 9"}

Pixels = NDArray[np.uint8]


class Result(NamedTuple):
    """One way through one codec."""

    name: str
    size: int
    encode_seconds: float
    decode_seconds: float
    picture: Pixels


def lossless(x: Pixels, out: Path) -> list[Result]:
    """All lossless codecs, every picture compared bit for bit."""
    codecs = {NAMES[codec]: peers.LOSSLESS[codec] for codec in NAMES} | {"vlaezip, lossless": peers.VLAEZIP["vlaezip"]}
    results = []
    for name, peer in codecs.items():
        data, encode_seconds = pictures.timed(peer.encode, x)
        back, decode_seconds = pictures.timed(peer.decode, data)
        results.append(Result(name, len(data), encode_seconds, decode_seconds, back))
        if not np.array_equal(back, x):
            raise SystemExit(f"{name} did not come back bit for bit")
    (out / "lossless.vlz").write_bytes(data)
    return results


def lossy(x: Pixels, out: Path) -> list[Result]:
    """The lossy file, rendered both ways."""
    data, encode_seconds = pictures.timed(vlaezip.compress, Image.fromarray(x))
    (out / "lossy.vlz").write_bytes(data)
    results = []
    for name in ("dream", "preview"):
        image, seconds = pictures.timed(vlaezip.decompress, data, preview=name == "preview")
        image.save(out / f"{name}.png")
        results.append(Result(f"vlaezip, lossy, {name}", len(data), encode_seconds, seconds, np.asarray(image)))
    return results


def row(result: Result, x: Pixels, png_size: int) -> list[object]:
    """A line of the table."""
    same = np.array_equal(result.picture, x)
    likeness = "bit for bit" if same else f"{metrics.psnr(x, result.picture):.1f} dB"
    rate, share = 8 * result.size / x.shape[0] / x.shape[1], png_size / result.size
    return [result.name, result.size, rate, share, result.encode_seconds, result.decode_seconds, likeness]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picture", type=Path, help="a picture of your own")
    parser.add_argument("--out", type=Path, default=OUT, help="folder for what is made (default: %(default)s)")
    options = parser.parse_args()
    x = np.asarray(Image.open(options.picture).convert("RGB")) if options.picture else example.make()
    options.out.mkdir(parents=True, exist_ok=True)
    Image.fromarray(x).save(options.out / "original.png", optimize=True)
    print("Compiling and loading the model ...", flush=True)
    warm = pictures.crop({"": x})
    lossless(warm, options.out)
    lossy(warm, options.out)
    results = [*lossless(x, options.out), *lossy(x, options.out)]
    columns = ["codec", "bytes", "bits per pixel", "PNG / size", "encode s", "decode s", "decoded"]
    print(Table("", columns, [row(r, x, results[0].size) for r in results], 2).markdown())
    command = "vlaezip" if shutil.which("vlaezip") else os.path.relpath(Path(sys.executable).with_name("vlaezip"))
    print(f"The pictures and files are in {options.out}. The same by hand:\n")
    print(f"    {command} compress {options.out}/original.png --lossless -o picture.vlz")
    print(f"    {command} decompress picture.vlz -o back.png")


if __name__ == "__main__":
    main()
