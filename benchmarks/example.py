"""An example picture that behaves like a photograph: a mountain lake, rendered with numpy alone.

    python -m benchmarks.example OUT.png

What makes a photograph hard to code is imitated step by step: surfaces with 1/f texture, soft shading, edges that
fall between pixels, and a camera (noise of its sensor, interpolated colours, reduction, a tone curve). The same
seed gives the same picture.
"""

import sys

import numpy as np
from numpy.typing import NDArray
from PIL import Image

HEIGHT, WIDTH = 512, 768
OVERSAMPLE = 2  # the scene is rendered at twice the size, and reduced by the camera
LIGHT = np.array([-0.55, -0.6, 0.58])  # x to the right, y down, z to the viewer

Floats = NDArray[np.float64]


def make(height: int = HEIGHT, width: int = WIDTH, seed: int = 0) -> NDArray[np.uint8]:
    """The example picture. -> [height, width, 3]"""
    rng = np.random.default_rng(seed)
    scene = landscape(rng, height * OVERSAMPLE, width * OVERSAMPLE)
    return photograph(rng, scene)


def texture(rng: np.random.Generator, height: int, width: int, slope: float, stretch: float = 1.0) -> Floats:
    """Noise with an amplitude spectrum of 1 / f**slope, mean 0, deviation 1; stretch > 1 draws it out sideways."""
    fy = np.fft.fftfreq(height)[:, None] * width
    fx = np.fft.rfftfreq(width)[None] * width * stretch
    amplitude = (fy**2 + fx**2 + 1.0) ** (-slope / 2)
    noise = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((height, width))) * amplitude, s=(height, width))
    return (noise - noise.mean()) / noise.std()


def smoothstep(x: Floats, low: float, high: float) -> Floats:
    """0 below low, 1 above high, smooth between."""
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return t * t * (3 - 2 * t)


def shade(relief: Floats, steepness: float) -> Floats:
    """Lambert's law on a height map. [H, W] -> brightness in [0, 1]"""
    dy, dx = np.gradient(relief * steepness)
    dot = (-dx * LIGHT[0] - dy * LIGHT[1] + LIGHT[2]) / np.sqrt(dx**2 + dy**2 + 1.0)
    return np.clip(dot, 0.0, 1.0)


def blend(under: Floats, over: Floats, share: Floats) -> Floats:
    """Lay one picture on another. share: [H, W] in [0, 1]"""
    return under + (over - under) * share[..., None]


def landscape(rng: np.random.Generator, h: int, w: int) -> Floats:
    """The scene in linear light: sky, three ranges of mountains, a lake that mirrors them, a meadow. -> [h, w, 3]"""
    y = np.linspace(0.0, 1.0, h)[:, None] + np.zeros((1, w))
    scene = sky(rng, y)
    for distance, top in ((1.0, 0.34), (0.55, 0.42), (0.2, 0.5)):
        scene = mountains(rng, scene, y, top, distance)
    scene = lake(rng, scene, y, shore=0.58)
    return meadow(rng, scene, y, edge=0.74)


def sky(rng: np.random.Generator, y: Floats) -> Floats:
    """Blue above, pale below, with drawn-out clouds that thin out upwards."""
    h, w = y.shape
    pale, deep = np.array([0.62, 0.70, 0.78]), np.array([0.10, 0.24, 0.52])
    scene = blend(np.broadcast_to(pale, (h, w, 3)), deep, smoothstep(-y, -0.55, 0.05))
    thickness = texture(rng, h, w, 1.9, stretch=2.5)
    light = 0.86 + 0.07 * texture(rng, h, w, 1.7, stretch=2.5)
    return blend(scene, light[..., None] * np.array([1.0, 0.97, 0.93]), 0.85 * smoothstep(thickness, 0.1, 2.2))


def mountains(rng: np.random.Generator, scene: Floats, y: Floats, top: float, distance: float) -> Floats:
    """One range: a 1/f skyline, rock and forest lit from the left, veiled by haze. distance: 0 near, 1 far."""
    h, w = y.shape
    skyline = top + 0.055 * (1.6 - distance) * texture(rng, 1, w, 1.5)[0] * (0.4 + 0.6 * distance)
    relief = texture(rng, h, w, 1.75) - 0.35 * np.abs(texture(rng, h, w, 1.6))
    light = 0.10 + 0.9 * shade(relief, 0.02 * h * (1.2 - 0.5 * distance))
    snow = smoothstep(skyline + 0.08 * relief - y, -0.10, -0.02) * distance
    forest = smoothstep(texture(rng, h, w, 1.5) - 2.5 * distance, -0.6, 0.4)[..., None]
    ground = np.array([0.27, 0.24, 0.22]) * (1 - forest) + np.array([0.07, 0.12, 0.05]) * forest
    ground = blend(ground * (1 + 0.22 * texture(rng, h, w, 0.9)[..., None]), np.array([0.9, 0.92, 0.95]), 0.8 * snow)
    haze = 0.08 + 0.6 * distance
    lit = ground * light[..., None] * (1 - haze) + np.array([0.42, 0.52, 0.64]) * haze
    return blend(scene, lit, smoothstep(y - skyline, -0.7 / h, 0.7 / h))


def lake(rng: np.random.Generator, scene: Floats, y: Floats, shore: float) -> Floats:
    """Below the shore, the scene upside down, broken by ripples that widen towards the viewer."""
    h, w = y.shape
    depth = np.clip(y - shore, 0.0, None)
    ripple = texture(rng, h, w, 1.25, stretch=8.0)
    row = np.clip((shore - depth * 1.5 + 0.16 * depth * ripple) * h, 0, h - 1).astype(np.intp)
    column = np.clip(np.arange(w)[None] + 40 * depth * ripple, 0, w - 1).astype(np.intp)
    mirror = scene[row, column] * np.array([0.52, 0.60, 0.62]) + 0.012
    return blend(scene, mirror, smoothstep(depth, 0.0, 1.5 / h))


def meadow(rng: np.random.Generator, scene: Floats, y: Floats, edge: float) -> Floats:
    """Grass in front, coarser towards the viewer, with boulders and flowers."""
    h, w = y.shape
    outline = edge + 0.03 * texture(rng, 1, w, 1.4)[0] + 0.004 * texture(rng, 1, w, 0.4)[0]
    near = smoothstep(y, edge, 1.0)
    blades = (1 - near) * texture(rng, h, w, 0.75) + near * texture(rng, h, w, 1.15, stretch=0.5)
    tone = smoothstep(texture(rng, h, w, 1.6, stretch=2.0), -1.0, 1.4)[..., None]
    grass = np.array([0.10, 0.19, 0.035]) * (1 - tone) + np.array([0.34, 0.30, 0.09]) * tone
    light = np.clip(0.62 + 0.30 * blades, 0.06, None) * (0.75 + 0.25 * shade(texture(rng, h, w, 2.0), 0.06 * h))
    share = smoothstep(y - outline, -1.5 / h, 1.5 / h)
    scene = blend(scene, grass * light[..., None], share)
    return flowers(rng, boulders(rng, scene, y, edge), y, edge)


def boulders(rng: np.random.Generator, scene: Floats, y: Floats, edge: float) -> Floats:
    """A dozen rough half-ellipsoids with a shadow on their right."""
    h, w = y.shape
    rows, columns = np.mgrid[:h, :w].astype(np.float64)
    rough = texture(rng, h, w, 1.3)
    for foot in np.sort(rng.uniform(edge + 0.03, 1.02, 12)):
        radius = h * rng.uniform(0.015, 0.05) * (0.5 + 2.2 * (foot - edge))
        u, v = (columns - rng.uniform(0, w)) / (1.35 * radius), (rows - foot * h) / radius
        scene = scene * (1 - 0.55 * np.exp(-(((u - 0.5) / 1.1) ** 2) - ((v - 0.25) / 0.45) ** 2))[..., None]
        inside = 1 - u**2 - v**2 + 0.12 * rough
        light = np.clip(u * LIGHT[0] + v * LIGHT[1] + np.sqrt(np.clip(inside, 0, None)) * LIGHT[2], 0, None)
        stone = np.array([0.36, 0.33, 0.30]) * ((0.10 + 0.9 * light) * (1 + 0.18 * rough))[..., None]
        scene = blend(scene, stone, smoothstep(inside, 0.0, 3.0 / radius) * (v < 0.35))
    return scene


def flowers(rng: np.random.Generator, scene: Floats, y: Floats, edge: float) -> Floats:
    """Small soft dots of three colours, each drawn within its own little square."""
    h, w = y.shape
    scene = scene.copy()
    colours = np.array([[0.75, 0.68, 0.10], [0.70, 0.12, 0.16], [0.72, 0.70, 0.74]])
    for _ in range(260):
        foot = rng.uniform(edge + 0.05, 0.99)
        i, j = int(foot * h), int(rng.uniform(0.01, 0.99) * w)
        radius = (1.2 + 9 * (foot - edge) * rng.uniform(0.5, 1.0)) * h / 1024
        side = int(2 * radius) + 1
        top, left = max(i - side, 0), max(j - side, 0)
        patch = scene[top : i + side + 1, left : j + side + 1]
        rows, columns = np.ogrid[top : top + patch.shape[0], left : left + patch.shape[1]]
        share = smoothstep(-np.hypot(rows - i, columns - j), -1.3 * radius, -0.6 * radius)
        patch[:] = blend(patch, colours[rng.integers(3)] * rng.uniform(0.6, 1.0), share)
    return scene


def photograph(rng: np.random.Generator, scene: Floats) -> NDArray[np.uint8]:
    """A camera. [2H, 2W, 3] linear light -> [H, W, 3]

    Lens blur, a Bayer sensor with shot noise, bilinear colours, smoothed chroma, reduction by two, the sRGB curve,
    an unsharp mask.
    """
    mask = np.zeros(scene.shape)
    mask[0::2, 0::2, 0] = mask[0::2, 1::2, 1] = mask[1::2, 0::2, 1] = mask[1::2, 1::2, 2] = 1
    light = np.clip(neighbourhood(scene) / 16, 0.0, 1.0)
    noisy = light + rng.standard_normal(scene.shape) * np.sqrt(2e-5 + 1.2e-4 * light)
    colours = neighbourhood(noisy * mask) / neighbourhood(mask)
    luma = colours.mean(2, keepdims=True)
    colours = luma + neighbourhood(neighbourhood(colours - luma)) / 256
    h, w, _ = scene.shape
    linear = np.clip(colours.reshape(h // 2, 2, w // 2, 2, 3).mean((1, 3)), 0.0, 1.0)
    curve = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    luma = curve.mean(2, keepdims=True)
    sharp = curve + 0.6 * (luma - neighbourhood(luma) / 16)
    return np.round(np.clip(sharp, 0.0, 1.0) * 255).astype(np.uint8)


def neighbourhood(x: Floats) -> Floats:
    """Sums over 3x3 places, weighted 1 2 1 both ways: a blur, and what bilinear interpolation of colours is made of."""
    x = np.pad(x, ((1, 1), (1, 1), (0, 0)), mode="reflect")
    x = x[:-2] + 2 * x[1:-1] + x[2:]
    return x[:, :-2] + 2 * x[:, 1:-1] + x[:, 2:]


if __name__ == "__main__":
    Image.fromarray(make()).save(sys.argv[1], optimize=True)
