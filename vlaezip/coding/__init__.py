from pathlib import Path

from vlaezip import stale

stale.drop(Path(__file__).parents[1])
