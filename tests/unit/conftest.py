"""For all tests without a simulator."""

from hypothesis import settings

# how long an example takes says more about the machine than about the code
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")
