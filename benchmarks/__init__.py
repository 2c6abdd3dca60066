"""Scripts that measure vlaezip beside other codecs: `python -m benchmarks.NAME` writes benchmarks/results/NAME.md.

What several of them use is in lib.
"""
