"""Sheets of pictures as in the VLAE paper: originals beside what z keeps of them (figures 1, 3), and samples (2, 4)."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vlaezip.codec import archive, block
from vlaezip.coding.logistic import Ints
from vlaezip.coding.tables import PRECISION
from vlaezip.model import local_ar
from vlaezip.model.local_ar import LocalAR, Scene
from vlaezip.model.vlae import Shape, Vlae
from vlaezip.paper import lossy_code

GAP, PAPER = 2, 144  # between pictures of a sheet: pixels, and their level, neither paper's nor ink's


def drawn(net: LocalAR, scene: Scene, rng: np.random.Generator) -> Ints:
    """A sample of every picture of a scene."""
    count = scene.base.size
    return local_ar.sample(net, scene, rng.integers(0, 1 << PRECISION, count, np.uint32))


def decoded(net: Vlae, z: Ints, shape: Shape, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Samples of p(x|z): uint8 [B, H, W, C] in 0..255."""
    return (drawn(net.pixel, net.pixel_scene(z, shape), rng) * net.config.gain).astype(np.uint8)


def reconstruct(net: Vlae, x: Ints, seed: int = 0, search: bool = False) -> tuple[NDArray[np.uint8], float]:
    """Pictures [B, H, W, C] from the z of the lossy code alone; and its bits a picture. search: lossy_code.searched."""
    net = lossy_code.coarse(net)
    z = lossy_code.searched(net, x) if search else block.first_latent(net, x)
    bits = local_ar.encode_intervals(net.prior, net.prior_scene(z.shape[:3], block.FIRST_LEVEL), z).bits
    return decoded(net, z, x.shape[:3], np.random.default_rng(seed)), bits / len(x)


def gather(net: Vlae, images: Sequence[tuple[str, Image.Image]]) -> Ints:
    """Pictures of one size as the net sees them: int32 [N, H, W, C]. Raises ImageError."""
    found = archive.gather(images)
    return archive.adapt(net.config, found.mode, found.samples).astype(np.int32)


def adapt(net: Vlae, pictures: NDArray[np.uint8]) -> Ints:
    """gather() of pictures [N, H, W, C] of a set: of 0 and 1, or in colour. Raises ImageError."""
    return archive.adapt(net.config, "1" if pictures.shape[3] == 1 else "RGB", pictures).astype(np.int32)


def sample(net: Vlae, count: int, height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Pictures of z drawn from p(z)."""
    rng = np.random.default_rng(seed)
    scene = net.prior_scene(block.latent_shape((count, height, width), net.config.stride), None)
    return decoded(net, drawn(net.prior, scene, rng), (count, height, width), rng)


def pairs(net: Vlae, x: Ints, shown: NDArray[np.uint8], columns: int = 8) -> Image.Image:
    """A sheet of originals, each with what z keeps of it on its right, nearer than its neighbours."""
    originals = (x * net.config.gain).astype(np.uint8)
    line = np.full((*x.shape[:2], GAP // 2, x.shape[3]), PAPER, np.uint8)
    return sheet(list(np.concatenate([originals, line, shown], 2)), columns)


def sheet(pictures: Sequence[NDArray[np.uint8]], columns: int) -> Image.Image:
    """Pictures [H, W, C] of one size, row by row."""
    h, w, c = pictures[0].shape
    rows = math.ceil(len(pictures) / columns)
    page = np.full((rows * (h + GAP) + GAP, columns * (w + GAP) + GAP, c), PAPER, np.uint8)
    for number, picture in enumerate(pictures):
        top, left = (GAP + n * (side + GAP) for n, side in zip(divmod(number, columns), (h, w), strict=True))
        page[top : top + h, left : left + w] = picture
    return Image.fromarray(page[..., 0] if c == 1 else page)


def enlarged(page: Image.Image, zoom: int) -> Image.Image:
    """Every pixel as a square of zoom x zoom."""
    return page.resize((zoom * page.width, zoom * page.height), Image.Resampling.NEAREST)
