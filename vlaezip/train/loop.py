"""Training that resumes: optimiser, schedule, soft free bits, moving average, checkpoints, log."""

import csv
import math
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from vlaezip.device.window import pad
from vlaezip.errors import ModelError
from vlaezip.model.window_kinds import MID_LEVEL
from vlaezip.train import sets
from vlaezip.train.data import Crops, find, load
from vlaezip.train.nets import Terms, lossless_terms, lossy, residual_bits, rounded_latent, seams
from vlaezip.train.optimisers import OPTIMISERS
from vlaezip.train.presets import PRESETS, Recipe

LOG_EVERY, SAVE_EVERY, BITS_EVERY = 100, 500, 50
CLIP = 0.5
HALF_UNTIL = 0.95  # part of the run in bfloat16; the rest sharpens in float32
PIXEL_CROP = 64  # side of the part of a lossy crop on which p(x|z) is trained
PIXELS_EVERY = 4  # steps of which one trains p(x|z) of a lossy net
SEAMS = 1.0  # weight of the seams between places of z against the squared error
FREEZE_FROM = 0.85  # part of a lossy run after which z stays as it is (nets.lossy)
VALID, BATCH = 2000, 100  # pictures of a set that are held out, and looked at together
FIELDS = ["step", "seconds", "pixels", "kl", "preview_psnr", "gamma", "held_out"]


def learning_rate(recipe: Recipe, step: int) -> float:
    """A short warm-up, a part of the run at the full rate if the recipe asks for one, then a cosine to zero."""
    done = max(step / recipe.steps - recipe.stable, 0) / (1 - recipe.stable)
    return recipe.rate * min(1.0, (step + 1) / 100) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


def soft_free_bits(gamma: float, kl: float, target: float) -> float:
    """Weight of the KL, moved by 10 % so that KL stays just above its target (VLAE, appendix C)."""
    if kl > 1.05 * target:
        return min(gamma * 1.1, 4.0)
    return max(gamma / 1.1, 0.05) if kl < target else gamma


def disturbance(shape: tuple[int, ...], rng: np.random.Generator) -> Tensor:
    """Noise for the windows of p(x|z): an offset and grain of random strength, on a quarter of the pictures.

    As little as keeps dreams from straying: a net that learns to distrust its window makes texture too smooth.
    """
    b = shape[0]
    on = rng.random((b, 1, 1, 1)) < 0.25
    grain = rng.normal(size=shape) * rng.uniform(0, 3, (b, 1, 1, 1))
    offset = rng.normal(size=(b, 1, 1, 3)) * rng.uniform(0, 6, (b, 1, 1, 1))
    return torch.from_numpy((grain + offset) * on).float()


class Trainer:
    """One run of one preset. State lives in `folder`: checkpoint.pt and log.csv. start: float weights to begin with."""

    def __init__(
        self,
        preset: str | Recipe,
        data: Path,
        folder: Path,
        device: str,
        seed: int = 0,
        start: Path | None = None,
    ) -> None:
        self.recipe = PRESETS[preset] if isinstance(preset, str) else preset
        self.folder, self.device = folder, device
        torch.manual_seed(seed)
        self.open(data, seed)
        self.rng = np.random.default_rng(seed)
        self.net = self.recipe.net(self.recipe.config).to(device)
        self.average = self.recipe.net(self.recipe.config).to(device)
        if start is not None:
            self.net.load_state_dict(load_file(start))
        self.average.load_state_dict(self.net.state_dict())
        if self.recipe.dream:
            self.net.requires_grad_(False)
            self.net.pixel.requires_grad_(True)
            self.net.synthesis.out.requires_grad_(True)  # its features learn; p(x|z) has no gradient of the preview
        self.optimiser = OPTIMISERS[self.recipe.optimiser](self.net)
        self.step, self.gamma, self.seconds = 0, 1.0, 0.0
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / "checkpoint.pt").exists():
            self.resume()

    def open(self, data: Path, seed: int) -> None:
        """The pictures to learn from, and those held out, which a final run learns from too."""
        recipe = self.recipe
        self.crops: Crops | sets.Draws
        window, kind = recipe.config.pixel.window, recipe.config.pixel.kind
        if recipe.data:
            found = sets.load(recipe.data, data)
            seen = np.concatenate([found.train, found.valid]) if recipe.final else found.train
            self.crops = sets.Draws(seen, found.grey, window, kind.fill, seed, recipe.data == "cifar10")
            self.valid = sets.drawn_once(found.valid[:VALID], found.grey)
        else:
            train, held = find(data)
            augmented = recipe.dream or not recipe.lambdas
            self.crops = Crops(train + held if recipe.final else train, recipe.crop, window, seed, augmented)
            self.held = [load(p)[:256, :256] for p in held[::4]]

    @property
    def options(self) -> dict[str, str]:
        """The recipe's fields as a checkpoint keeps them; the sizes of the net are those of its weights."""
        return {f.name: str(getattr(self.recipe, f.name)) for f in fields(Recipe) if f.name != "config"}

    def resume(self) -> None:
        """Go on from the checkpoint. Raises ModelError if it was made with other options."""
        path = self.folder / "checkpoint.pt"
        state = torch.load(path, map_location=self.device, weights_only=True)
        options = self.options
        made = state.get("options", {"optimiser": "adam"})  # all that is known of old ones
        if other := [f"{k} {v}, not {options[k]}" for k, v in made.items() if options.get(k, v) != v]:
            raise ModelError(f"{path} is of a run with {'; '.join(other)}")
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.gamma, self.seconds = state["step"], state["gamma"], state["seconds"]
        self.crops.rng = np.random.default_rng(self.step)
        self.rng = np.random.default_rng(self.step)

    def save(self) -> None:
        state = {
            "net": self.net.state_dict(), "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(), "step": self.step, "gamma": self.gamma, "seconds": self.seconds,
            "options": self.options,
        }  # fmt: skip
        beside = self.folder / "checkpoint.new"
        torch.save(state, beside)
        beside.replace(self.folder / "checkpoint.pt")

    @property
    def half(self) -> bool:
        """Whether products are in bfloat16: not where they are emulated, nor at the end."""
        quick = self.device != "cpu" or torch.cpu._is_avx512_bf16_supported()
        return quick and self.step < HALF_UNTIL * self.recipe.steps

    def terms(self) -> tuple[Terms, Tensor]:
        """The terms of one batch, and the loss in bits per channel value."""
        recipe = self.recipe
        x, padded = (t.to(self.device) for t in self.crops.draw(recipe.batch))
        with torch.autocast(self.device, torch.bfloat16, enabled=self.half):
            if recipe.dream:
                return self.dream_terms(x)
            if recipe.lambdas:
                return self.lossy_terms(x)
            terms = lossless_terms(self.net, x, padded)
            beta = recipe.beta * (min(1.0, self.step / (recipe.warm * recipe.steps)) if recipe.warm else 1.0)
            asked = beta * self.gamma * terms.kl.clamp(min=recipe.free)
            loss = terms.pixels + asked + recipe.preview_weight * terms.preview_mse.mean()
            return terms, loss

    def lossy_terms(self, x: Tensor) -> tuple[Terms, Tensor]:
        """terms() of a lossy net: every picture at a level of its own."""
        recipe, levels = self.recipe, len(self.recipe.lambdas)
        level = torch.from_numpy(self.rng.permutation(max(len(x), levels))[: len(x)] % levels).to(self.device)
        made = lossy(self.net, x, level, frozen=self.step >= FREEZE_FROM * recipe.steps)
        weight = torch.tensor(recipe.lambdas, device=self.device)[level]
        error = made.mse + SEAMS * seams(x.permute(0, 3, 1, 2), made.preview, recipe.config.stride)
        loss = 0.05 * ((made.rate + weight * error) / weight.sqrt()).mean()
        pixels = torch.tensor(math.nan)
        if self.step % PIXELS_EVERY == 0:
            pixels = self.residual_terms(x, made.preview, made.features)
            loss = loss + 0.1 * pixels
        return Terms(pixels, made.rate.mean() / 3, made.mse), loss

    def dream_terms(self, x: Tensor) -> tuple[Terms, Tensor]:
        """terms() of p(x|z) and its features alone, every picture at a level of its own."""
        level = torch.from_numpy(self.rng.permutation(len(x)) % len(self.recipe.lambdas)).to(self.device)
        preview, features = self.net.synthesis(rounded_latent(self.net, x, level), level)
        pixels = self.residual_terms(x, preview, features)
        return Terms(pixels, torch.zeros(()), (x.permute(0, 3, 1, 2) - preview).square().mean((1, 2, 3))), pixels

    def residual_terms(self, x: Tensor, preview: Tensor, features: Tensor) -> Tensor:
        """-log2 p(x|z), bits per channel value of a disturbed part of the crops."""
        side = min(PIXEL_CROP, self.recipe.crop)
        start = int(self.rng.integers(0, self.recipe.crop - side + 1))
        noise = disturbance((len(x), side, side, 3), self.rng).to(self.device)
        return residual_bits(self.net, x, preview, features, slice(start, start + side), noise).mean()

    def run(self, minutes: float, checks: int = 2000) -> Iterator[dict[str, float | str]]:
        """Train until the schedule or the time ends; yields a row of the log now and then."""
        start = time.monotonic()
        mean: dict[str, float] = {}
        before = self.seconds
        while self.step < self.recipe.steps and time.monotonic() - start < 60 * minutes:
            for group in self.optimiser.param_groups:
                group["lr"] = learning_rate(self.recipe, self.step)
            terms, loss = self.terms()
            self.optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.net.parameters(), CLIP)
            self.optimiser.step()
            self.step += 1
            self.blend()
            now = {"pixels": terms.pixels.item(), "kl": terms.kl.item(), "mse": terms.preview_mse.mean().item()}
            mean |= {k: 0.99 * mean.get(k, v) + 0.01 * v for k, v in now.items() if not math.isnan(v)}
            if self.recipe.rate_target and self.step % BITS_EVERY == 0:
                self.gamma = soft_free_bits(self.gamma, mean["kl"], self.recipe.rate_target)
            self.seconds = before + time.monotonic() - start
            if self.step % LOG_EVERY == 0:
                row = {
                    "step": self.step, "seconds": round(self.seconds), "pixels": round(mean["pixels"], 4),
                    "kl": round(mean["kl"], 5), "preview_psnr": round(10 * math.log10(65025 / mean["mse"]), 2),
                    "gamma": round(self.gamma, 4),
                    "held_out": round(self.held_out(), 4) if self.step % checks == 0 else "",
                }  # fmt: skip
                self.log(row)
                yield row
            if self.step % SAVE_EVERY == 0:
                self.save()
        self.save()

    @torch.no_grad()
    def blend(self) -> None:
        """Polyak average of the weights, faster at the start; without one, the weights themselves."""
        keep = min(self.recipe.average, 1 - 10 / (10 + self.step))
        for a, b in zip(self.average.parameters(), self.net.parameters(), strict=True):
            a.lerp_(b, 1 - keep)

    @torch.no_grad()
    def held_out(self) -> float:
        """On held-out pictures: bits per channel value, -log2 p(x|z) + KL; of z alone what a lossy run minimises, of a
        dream p(x|z) alone.
        """
        if self.recipe.data:
            return self.held_out_set()
        total = []
        side = 2 * self.recipe.config.stride
        for picture in self.held:
            h, w = (n // side * side for n in picture.shape[:2])
            x = torch.from_numpy(picture[:h, :w].copy())[None].float().to(self.device)
            for number, weight in enumerate(self.recipe.lambdas):
                level = torch.tensor([number], device=self.device)
                if self.recipe.dream:
                    preview, features = self.average.synthesis(rounded_latent(self.average, x, level), level)
                    bits = residual_bits(self.average, x, preview, features, slice(None), torch.zeros_like(x))
                    total.append(bits.mean().item())
                    continue
                made = lossy(self.average, x, level, frozen=True)
                total.append((made.rate + weight * made.mse).item() / math.sqrt(weight))
            if not self.recipe.lambdas:
                terms = lossless_terms(self.average, x, pad(x, self.recipe.config.pixel.window, MID_LEVEL))
                total.append((terms.pixels + terms.kl).item())
        return float(np.mean(total))

    def held_out_set(self) -> float:
        """held_out() of a set of small pictures."""
        total, c = 0.0, self.recipe.config.pixel
        for start in range(0, len(self.valid), BATCH):
            x, padded = sets.batch(self.valid[start : start + BATCH], c.window, c.kind.fill)
            terms = lossless_terms(self.average, x.to(self.device), padded.to(self.device))
            total += len(x) * (terms.pixels + terms.kl).item()
        return total / len(self.valid)

    def log(self, row: dict[str, float | str]) -> None:
        path = self.folder / "log.csv"
        fresh = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.DictWriter(file, FIELDS)
            if fresh:
                writer.writeheader()
            writer.writerow(row)
