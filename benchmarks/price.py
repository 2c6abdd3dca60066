"""Real bits against the model's: lossless files at effort 0, of one block, and of many that are chained by bits-back.

    python -m benchmarks.price --data DIR [--limit N]

The estimate is -log2 p(x|z) - log2 p(z) of every block, and of chained ones + log2 q(z|x): the sum of -ELBO. The
must is 0.5 % + 64 bytes a file.
"""

from unittest import mock

import numpy as np
from PIL import Image

import vlaezip
from benchmarks.lib import pictures, report
from vlaezip import api
from vlaezip.codec import block
from vlaezip.coding import ans
from vlaezip.coding.logistic import intervals
from vlaezip.format.tiles import split
from vlaezip.model import local_ar, weights
from vlaezip.model.vlae import Vlae

SMALL_TILE = 256  # cuts a Kodak picture into six blocks


def latent_bits(model: Vlae, x: np.ndarray, z: np.ndarray) -> float:
    """-log2 q(z|x) on the fine grid."""
    steps, q = model.steps(None), block.posterior(model, x)
    grid = steps.grid(z.size // z.shape[3], tuple(range(z.shape[3])))
    return local_ar.Intervals(*intervals(q.mixture(), grid, z.reshape(-1)), np.array([0, z.size])).bits


def estimate(model: Vlae, pixels: np.ndarray, side: int, lanes: int) -> tuple[float, float]:
    """Bits of a picture by the model, and those of them that came back from q."""
    message, total, refund = ans.empty(lanes), 0.0, 0.0
    for number, tile in enumerate(split(pixels.shape[0], pixels.shape[1], side)):
        x = pixels[tile.slices][None].astype(np.int32)
        shape = x.shape[:3]
        if number:
            message, z = block.posterior_codec(model, block.posterior(model, x)).pop(ans.whiten(message, number))
            refund += latent_bits(model, x, z)
        else:
            z = block.first_latent(model, x)
        scenes = (
            (model.pixel, model.pixel_scene(z, shape), x),
            (model.prior, model.prior_scene(z.shape[:3], None if number else block.FIRST_LEVEL), z),
        )
        for net, scene, values in scenes:
            found = local_ar.encode_intervals(net, scene, values)
            message, total = ans.push(message, *found), total + found.bits
    return total - refund, refund


def row(name: str, model: Vlae, pixels: np.ndarray, side: int) -> list[object]:
    with mock.patch.object(api, "TILE", side):
        size = len(vlaezip.compress(Image.fromarray(pixels), lossless=True, effort=0))
    bits, refund = estimate(model, pixels, side, api.lanes(pixels.shape[0] * pixels.shape[1]))
    excess = size - bits / 8
    return [name, side, bits / 8, refund / 8, size, excess, f"{100 * excess / (bits / 8):+.3f} %"]


def main() -> None:
    options = pictures.arguments(__doc__).parse_args()
    pictures.use_threads(options.threads)
    model = weights.load(weights.find(weights.DEFAULT).path, "lossless")
    found = pictures.load(options.data, options.limit)
    rows = [row(name, model, x, side) for side in (api.TILE, SMALL_TILE) for name, x in found.items()]
    columns = ("picture", "tile", "estimate, bytes", "refunded", "file, bytes", "excess", "share")
    report.publish("price", "Real size against the model's estimate", [report.Table("", columns, rows, 1)])


if __name__ == "__main__":
    main()
