"""How properties are searched."""

from hypothesis import settings

# A busy machine is slow, not wrong: pytest's own limit catches what hangs.
settings.register_profile("schemas", deadline=None)
settings.load_profile("schemas")
