"""What `import vlaezip` gives: every public name, nothing heavy."""

import subprocess
import sys

import pytest

import vlaezip
from vlaezip import errors

ERRORS = {name for name, value in vars(errors).items() if isinstance(value, type)}


def fresh(code):
    """What a Python of its own prints."""
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_every_error_is_at_the_top():
    assert "VlaezipError" in ERRORS
    assert set(vlaezip.__all__) >= ERRORS
    assert [name for name in ERRORS if getattr(vlaezip, name) is not getattr(errors, name)] == []


def test_all_public_names_are_there_and_listed_before_they_are_used():
    assert set(vlaezip.__all__) <= set(fresh("import vlaezip; print(*dir(vlaezip))").split())
    assert set(vlaezip.__all__) <= set(fresh("from vlaezip import *; print(*dir())").split())
    assert all(callable(getattr(vlaezip, name)) for name in vlaezip.__all__ if name != "__version__")


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'vlaezip' has no attribute 'compres'"):
        vlaezip.compres  # noqa: B018


def test_nothing_heavy_is_imported_with_it():
    loaded = fresh("import sys, vlaezip, vlaezip.errors; dir(vlaezip); print(*sys.modules)").split()
    assert not {"numba", "numpy", "PIL", "torch", "click"} & set(loaded)
