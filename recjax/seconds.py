"""How many seconds things take, and how many nanoseconds a second."""

MINUTE, HOUR, DAY = 60, 3_600, 86_400
SECOND_NS = 10**9
"""Prepared times are whole nanoseconds since 1970, in UTC."""
