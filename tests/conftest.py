"""Property tests try the same examples everywhere, and may take their time: the first call of a kernel compiles it."""

from hypothesis import settings

settings.register_profile("vlaezip", deadline=None, derandomize=True, database=None)
settings.load_profile("vlaezip")
