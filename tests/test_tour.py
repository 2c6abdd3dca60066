"""docs/tour.md says what the code does today."""

import importlib.util
from pathlib import Path

SCRIPT = Path(__file__).parent.parent / "docs" / "tour.py"


def test_the_tour_is_up_to_date():
    spec = importlib.util.spec_from_file_location("tour", SCRIPT)
    tour = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tour)
    assert tour.PAGE.read_text() == tour.text()
