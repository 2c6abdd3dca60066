"""Property tests try the same examples everywhere, and may take their time: the first call of a kernel compiles it.

The nets of tests are small: torch's threads would wait for each other most of the time, on busy cores for minutes.
"""

import torch
from hypothesis import settings

settings.register_profile("vlaezip", deadline=None, derandomize=True, database=None)
settings.load_profile("vlaezip")
torch.set_num_threads(1)
