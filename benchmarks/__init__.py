"""Scripts that measure vlaezip beside other codecs. Each runs as `python -m benchmarks.NAME` and writes results/NAME.md."""
