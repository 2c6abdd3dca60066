"""Options of encoding, checked before any work: whatever is wrong is one OptionError, on every door."""

import json
import operator
from dataclasses import dataclass, fields
from typing import Any

from vlaezip.device.choose import check_device, import_torch
from vlaezip.errors import OptionError, UnknownModel
from vlaezip.format.container import MAX_DRAWS
from vlaezip.model import weights
from vlaezip.search.effort import DEFAULT_EFFORT, EFFORTS, settings_tried

MAX_SEED = 2**32 - 1
QUALITIES = 8  # of the models that ship
DEFAULT_MODEL = weights.DEFAULT
DEFAULT_QUALITY = 6
DEFAULT_TEMPERATURE = 0.94
TEMPERATURE_ONE = 64  # what a file's header counts in
COLDEST, WARMEST = 1 / TEMPERATURE_ONE, 2.0


@dataclass(frozen=True, slots=True)
class Options:
    """How single pictures are compressed; api.compress says what each option is. The law: Options that exist are valid,
    alone and together, and all that they need is there. Raises OptionError.
    """

    lossless: bool = False
    quality: int | None = None
    seed: int = 0
    temperature: float | None = None
    device: str = "auto"
    strip: bool = False
    model: str = DEFAULT_MODEL
    effort: int | None = None

    def __post_init__(self) -> None:
        check_within("seed", self.seed, 0, MAX_SEED)
        check_within("effort", self.work, 0, EFFORTS - 1)
        check_temperature(self.temperature)
        check_model(self.model, self.lossless)
        if self.lossless:
            self.check_lossless()
        elif self.quality is not None:
            check_within("quality", self.quality, 1, levels(self.model))
        check_device(self.device)
        if self.work and not self.lossless:
            import_torch("effort")

    def check_lossless(self) -> None:
        """Refuse what has no meaning where every pixel is kept."""
        for name in ("quality", "temperature", "seed"):
            if getattr(self, name):
                raise OptionError(f"lossless keeps every pixel: it has no {name}")

    @property
    def work(self) -> int:
        """The effort, given or not."""
        return (DEFAULT_EFFORT if self.lossless else 0) if self.effort is None else self.effort

    @property
    def takes_long(self) -> bool:
        """Whether there is progress to hear of: a search, or more than one way to learn."""
        return self.work > 0 and (not self.lossless or len(settings_tried(self.work, 1)) > 1)

    @property
    def level(self) -> int:
        """The rounding of z in a lossy file, from 0."""
        return (DEFAULT_QUALITY if self.quality is None else self.quality) - 1

    @property
    def warmth(self) -> int:
        """The temperature as a file keeps it."""
        return round(TEMPERATURE_ONE * (DEFAULT_TEMPERATURE if self.temperature is None else self.temperature))


def options(**given: Any) -> Options:
    """Options by their names. Raises OptionError for a name that there is not."""
    known = [field.name for field in fields(Options)]
    if unknown := sorted(given.keys() - set(known)):
        raise OptionError(f"there is no option {unknown[0]!r}, only {', '.join(known)}")
    return Options(**given)


def check_within(name: str, value: Any, low: int, high: int) -> None:
    """Raise OptionError unless the value is a whole number in low..high."""
    try:
        inside = low <= operator.index(value) <= high
    except TypeError:
        raise OptionError(f"{name} is a whole number in {low}..{high}, not {value!r}") from None
    if not inside:
        raise OptionError(f"{name} {value} is outside {low}..{high}")


def check_draws(draws: int) -> None:
    check_within("draws", draws, 1, MAX_DRAWS)


def check_temperature(value: Any) -> None:
    if value is None:
        return
    try:
        inside = COLDEST <= float(value) <= WARMEST
    except (TypeError, ValueError):
        raise OptionError(f"temperature is a number in {COLDEST}..{WARMEST:g}, not {value!r}") from None
    if not inside:
        raise OptionError(f"temperature {value} is outside {COLDEST}..{WARMEST:g}")


def found(model: str) -> weights.ModelInfo:
    """An installed model by its name."""
    try:
        return weights.find(model)
    except UnknownModel as error:
        raise OptionError(str(error)) from None


def config_of(model: str, which: str) -> dict[str, Any]:
    """Configuration of a set of weights of an installed model."""
    config: dict[str, Any] = json.loads(found(model).metadata["configs"])[which]
    return config


def check_model(model: str, lossless: bool) -> None:
    """Raise OptionError unless the model codes single pictures in this way."""
    sets = found(model).sets
    if config_of(model, sets[0]).get("channels", 3) != 3:
        raise OptionError(f"model {model} takes archives only")
    if not lossless and "lossy" not in sets:
        raise OptionError(f"model {model} makes lossless files only: ask for those, or take another model")
    if lossless and "lossless" not in sets:
        raise OptionError(f"model {model} makes lossy files only: ask for those, or take another model")


def levels(model: str) -> int:
    """Qualities of a model's lossy files."""
    return int(config_of(model, "lossy")["levels"])
