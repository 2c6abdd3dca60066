"""A whole test set as one archive and as one file a picture, beside other codecs and the exact model's own bound.

python -m benchmarks.archives --data FOLDER --set mnist-static [--count N] [--several 1,8]

FOLDER has the sets as vlaezip/train/sets.py reads them. Every file is decoded and compared.
"""

import argparse
import bz2
import lzma
from io import BytesIO
from pathlib import Path
from statistics import mean

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

import vlaezip
from benchmarks.lib import pictures, report
from benchmarks.lib.report import Table
from benchmarks.price import latent_bits
from vlaezip.codec import archive
from vlaezip.codec import block as codec
from vlaezip.coding.quantiles import quantiles
from vlaezip.coding.tables import PRECISION
from vlaezip.model import local_ar, weights
from vlaezip.model.vlae import Vlae
from vlaezip.train import sets

Pixels = NDArray[np.uint8]
SINGLE = 1000  # pictures that are also compressed one by one
PUBLISHED = {  # bits per dimension; what each paper says of its own codes
    "mnist-static": [
        ("BB-ANS (Townsend et al. 2019), its files", 0.19), ("VLAE (Chen et al. 2017), its bound", 0.1454),
    ],
    "cifar10": [
        ("Bit-Swap (Kingma et al. 2019)", 3.78), ("HiLLoC (Townsend et al. 2020)", 3.56),
        ("IDF (Hoogeboom et al. 2019)", 3.34), ("VLAE (Chen et al. 2017), its bound", 2.95),
    ],
}  # fmt: skip


def images(x: Pixels) -> list[tuple[str, Image.Image]]:
    """Pictures [N, H, W, C] under their numbers: of 0 and 1 as mode 1."""
    width = len(str(len(x) - 1))
    planes = x[..., 0].astype(bool) if x.shape[3] == 1 else x
    return [(f"{n:0{width}}", Image.fromarray(p)) for n, p in enumerate(planes)]


def bound(net: Vlae, x: Pixels, seed: int) -> float:
    """-ELBO of the integer model in bits, of one draw of z from the grid that the archive uses."""
    total, rng = 0.0, np.random.default_rng(seed)
    for start in range(0, len(x), archive.BLOCK):
        block = x[start : start + archive.BLOCK].astype(np.int32)
        z = drawn_latent(net, block, rng)
        shape = block.shape[:3]
        total += local_ar.encode_intervals(net.prior, net.prior_scene(z.shape[:3], None), z).bits
        total += local_ar.encode_intervals(net.pixel, net.pixel_scene(z, shape), block).bits
        total -= latent_bits(net, block, z)
    return total


def drawn_latent(net: Vlae, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """z from q(z|x), on the fine grid."""
    q, steps = codec.posterior(net, x), net.steps(None)
    grid = steps.grid(q.mean.size // q.mean.shape[3], tuple(range(q.mean.shape[3])))
    targets = rng.integers(0, 1 << PRECISION, q.mean.size, np.uint32)
    return quantiles(q.mixture(), grid, targets).reshape(q.mean.shape)


def mosaic(x: Pixels) -> Pixels:
    """All pictures in one, as square as they go; the rest is left out."""
    n, h, w, c = x.shape
    side = int(np.sqrt(n))
    return np.ascontiguousarray(
        x[: side * side].reshape(side, side, h, w, c).swapaxes(1, 2).reshape(side * h, side * w, c)
    )


def packed(x: Pixels) -> bytes:
    """Samples of one bit in bytes, others as they are."""
    return (np.packbits(x.reshape(len(x), -1), axis=1) if x.max() < 2 else x).tobytes()


def as_image(x: Pixels) -> Image.Image:
    return Image.fromarray(x[..., 0].astype(bool) if x.shape[2] == 1 else x)


def pillow(image: Image.Image, kind: str, **options: object) -> int:
    out = BytesIO()
    image.save(out, kind, **options)
    return len(out.getvalue())


def codecs(x: Pixels) -> dict[str, int]:
    """Bytes of one picture [H, W, C] in each codec."""
    image = as_image(x)
    plain = np.asarray(image.convert("L")) if x.shape[2] == 1 else x
    return {
        "PNG": pillow(image, "PNG", optimize=True),
        "WebP": pillow(image.convert("RGB"), "WEBP", lossless=True, method=6, quality=100),
        "JPEG XL 9": len(imagecodecs.jpegxl_encode(plain, lossless=True, effort=9, numthreads=1)),
    }


def archived(x: Pixels, model: str, several: int) -> list[object]:
    """A row of the table: all pictures as one archive, of so many draws of z."""
    named = images(x)
    data, encode_seconds = pictures.timed(vlaezip.compress_archive, named, model=model, draws=several)
    back, decode_seconds = pictures.timed(vlaezip.decompress_archive, data)
    same = all(a[0] == b[0] and a[1].tobytes() == b[1].tobytes() for a, b in zip(named, back, strict=True))
    if not same:
        raise SystemExit("a picture did not come back bit for bit")
    label = "vlaezip, one archive" + (f", {several} draws of z" if several > 1 else "")
    return [label, len(x), len(data), 8 * len(data) / x.size, encode_seconds, decode_seconds]


def rows(x: Pixels, model: str, draws: int, several: list[int]) -> list[list[object]]:
    values = x[0].size
    net = weights.load(weights.find(model).path, "lossless")
    least = [bound(net, x, seed) for seed in range(draws)]
    few = x[:SINGLE]
    singles = sum(len(vlaezip.compress_archive([n], model=model)) for n in images(few))
    found = [
        archived(x, model, 1),
        ["-ELBO of its exact model", len(x), round(mean(least) / 8), mean(least) / (len(x) * values), None, None],
        *(archived(x, model, count) for count in several),
        ["vlaezip, a file each", len(few), singles, 8 * singles / (len(few) * values), None, None],
    ]
    each = [codecs(p) for p in few]
    for name in each[0]:
        size = sum(e[name] for e in each)
        found.append([f"{name}, a file each", len(few), size, 8 * size / (len(few) * values), None, None])
    whole = mosaic(x)
    for name, size in codecs(whole).items():
        found.append([f"{name}, a mosaic", whole.size // values, size, 8 * size / whole.size, None, None])
    raw = packed(x)
    for name, size in (
        ("bz2", len(bz2.compress(raw, 9))),
        ("lzma", len(lzma.compress(raw, preset=9 | lzma.PRESET_EXTREME))),
    ):
        found.append([f"{name} of the samples", len(x), size, 8 * size / (len(x) * values), None, None])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--set", default="mnist-static", choices=list(sets.LOADERS))
    parser.add_argument("--count", type=int, help="take only the first so many pictures")
    parser.add_argument("--draws", type=int, default=4, help="of z for the bound (default: %(default)s)")
    parser.add_argument("--several", default="8", help="archives of so many draws, too (default: %(default)s)")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    pictures.use_threads(options.threads)
    found = sets.load(options.set, options.data)
    x = sets.drawn_once(found.test, found.grey)[: options.count]
    vlaezip.compress_archive(images(x[:64]), model=options.set)
    table = rows(x, options.set, options.draws, [int(n) for n in options.several.split(",") if n])
    table += [[name, None, None, rate, None, None] for name, rate in PUBLISHED.get(options.set, [])]
    excess = 100 * (table[0][2] / table[1][2] - 1)  # type: ignore[operator]
    note = (
        f"The archive is {excess:+.3f} % from the bound, the mean of {options.draws} draws. bpd: bits per dimension. "
        "PNG and WebP as Pillow writes them."
    )
    columns = ["code", "pictures", "bytes", "bpd", "encode s", "decode s"]
    report.publish(f"archive-{options.set}", f"The test set of {options.set}", [Table("", columns, table, 4, note)])


if __name__ == "__main__":
    main()
