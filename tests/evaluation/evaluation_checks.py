"""What the tests of lives share."""

import msgspec

_TIMELESS = ("cycles", "average_reward", "bits_per_percept", "curve", "diagnostics", "percept_hash")


def same(one, other):
    """Whether two results, or their plain values, are equal bit for bit in everything but times."""
    one, other = msgspec.to_builtins(one), msgspec.to_builtins(other)
    return all(one[name] == other[name] for name in _TIMELESS)
