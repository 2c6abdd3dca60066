"""Scripts that measure vlaezip beside other codecs: `python -m benchmarks.NAME` writes benchmarks/results/NAME.md."""
