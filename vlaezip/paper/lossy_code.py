"""The lossy code of small pictures: z alone, in coarse cells, chosen for its rate and for the pixels that it explains.

The twin of search/latent.py for nets whose pictures come from p(x|z): the distortion is -log2 p(x|z), and a z that
explains the pixels badly is moved to the cell on the other side of its posterior's mean.
"""

from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vlaezip.codec import block
from vlaezip.coding.logistic import Ints
from vlaezip.coding.tables import PRECISION
from vlaezip.model import local_ar
from vlaezip.model.local_ar import LocalAR, Scene
from vlaezip.model.vlae import Vlae
from vlaezip.model.wavefront import wavefront

WIDER = 1.25  # cells against those that cost what bits-back would
PRICE = 2.0  # of a bit of z, in bits of pixels


def coarse(model: Vlae) -> Vlae:
    """The model, with the wider cells of this code."""
    return replace(model, rounding=np.rint(WIDER * model.rounding).astype(np.int32))


def bits_each(net: LocalAR, scene: Scene, x: Ints) -> NDArray[np.float64]:
    """What the model says that each picture of a scene costs: [B]."""
    b, h, w, _ = x.shape
    found = local_ar.encode_intervals(net, scene, x)
    order, bounds = wavefront(b, h, w)
    sizes = [len(channels) for _, channels, _ in local_ar.groups(net.config, scene.grey)]
    whose = np.concatenate([np.repeat(order[a:e] // (h * w), n) for a, e in pairwise(bounds) for n in sizes])
    return np.bincount(whose, PRECISION - np.log2(found.freqs), b).astype(np.float64)


def cost(model: Vlae, x: Ints, z: Ints) -> NDArray[np.float64]:
    """Bits of pixels and, at their price, of z, for each picture."""
    rate = bits_each(model.prior, model.prior_scene(z.shape[:3], block.FIRST_LEVEL), z)
    return bits_each(model.pixel, model.pixel_scene(z, x.shape[:3]), x) + PRICE * rate


def searched(model: Vlae, x: Ints) -> Ints:
    """z of pictures [B, H, W, C] in the cells of a coarse() model: one look at each value, each picture by itself."""
    q, steps = block.posterior(model, x), model.steps(block.FIRST_LEVEL)
    z = q.round(steps)
    least = cost(model, x, z)
    for place in np.ndindex(z.shape[1:]):
        at = (slice(None), *place)
        step = steps.step[place[2]]
        tried = z.copy()
        tried[at] += np.where(q.mean[at] > 16 * z[at], step, -step)
        now = cost(model, x, tried)
        better = now < least
        z[better], least = tried[better], np.minimum(now, least)
    return z
