"""How long a gateway takes: draws, means and the longest of each kind."""

from collections.abc import Callable, Mapping
from math import exp
from random import Random

from tests.worlds.plan import Latency

_SLOW = 15  # times the median: the other hump of a bimodal gateway
_STALL = 4.0  # seconds


def draw(latency: Latency, chance: Random, in_flight: int, now: float) -> float:
    """Return the seconds that one call takes, with so many *in_flight*."""
    return _DRAWS[latency.kind](latency, chance, in_flight, now)


def _stalled(latency: Latency, chance: Random, _: int, now: float) -> float:
    seconds = latency.middle * chance.uniform(0.8, 1.2)
    period = _STALL / max(latency.spread, 0.01)
    into = now % period
    return seconds + (_STALL - into if into < _STALL else 0.0)


_DRAWS: Mapping[str, Callable[[Latency, Random, int, float], float]] = {
    "constant": lambda latency, *_: latency.middle,
    "uniform": lambda latency, chance, *_: (
        latency.middle * chance.uniform(1 - latency.spread, 1 + latency.spread)
    ),
    "lognormal": lambda latency, chance, *_: latency.middle * chance.lognormvariate(0, latency.spread),
    "bimodal": lambda latency, chance, *_: (
        latency.middle * (_SLOW if chance.random() < latency.spread else chance.uniform(0.9, 1.1))
    ),
    "rising": lambda latency, chance, in_flight, _: (
        latency.middle * (1 + latency.spread * in_flight) * chance.uniform(0.9, 1.1)
    ),
    "stalls": _stalled,
}


def mean(latency: Latency, connections: int = 0) -> float:
    """Return the mean of *latency*, of a rising one with so many calls in flight."""
    middle, spread = latency.middle, latency.spread
    means: Mapping[str, float] = {
        "constant": middle,
        "uniform": middle,
        "lognormal": middle * exp(spread**2 / 2),
        "bimodal": middle * (1 - spread + spread * _SLOW),
        "rising": middle * (1 + spread * connections),
        "stalls": middle + spread * _STALL / 2,
    }
    return means[latency.kind]


def longest(latency: Latency) -> float:
    """Return what hardly any answer takes longer than."""
    middle, spread = latency.middle, latency.spread
    most: Mapping[str, float] = {
        "constant": middle,
        "uniform": middle * 2,
        "lognormal": middle * exp(3.5 * spread),
        "bimodal": middle * _SLOW,
        "rising": middle * (1 + spread * 100),
        "stalls": middle * 2 + _STALL,
    }
    return most[latency.kind]
