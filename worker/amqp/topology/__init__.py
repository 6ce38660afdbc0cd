"""Exchanges, queues and bindings: as values, declared, and looked at."""
