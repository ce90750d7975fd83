"""The algorithms of @upstash/ratelimit as its documentation tells them, to compare its answers with.

Each takes the moments of calls (milliseconds) and gives success, what remains and when it is reset, for each of them.
"""

import math


def fixed_window(moments, tokens, window):
    used = {}
    for moment in moments:
        bucket = moment // window
        used[bucket] = used.get(bucket, 0) + 1
        yield used[bucket] <= tokens, max(0, tokens - used[bucket]), (bucket + 1) * window


def cached_fixed_window(moments, tokens, window):
    """What remains goes below zero."""
    used = {}
    for moment in moments:
        bucket = moment // window
        used[bucket] = used.get(bucket, 0) + 1
        yield used[bucket] <= tokens, tokens - used[bucket], (bucket + 1) * window


def sliding_window(moments, tokens, window):
    """The calls of the window before count by the share of it that is still within reach."""
    taken = {}
    for moment in moments:
        bucket = moment // window
        before = math.floor((1 - moment % window / window) * taken.get(bucket - 1, 0))
        own = taken.get(bucket, 0)
        allowed = before + own < tokens
        if allowed:
            taken[bucket] = own + 1
        yield allowed, tokens - before - own - 1 if allowed else 0, (bucket + 1) * window


def token_bucket(moments, rate, interval, most):
    """A full bucket in the beginning, refilled at whole intervals since then; one that must be full again begins anew."""
    tokens, refilled, full = most, moments[0], moments[0]
    for moment in moments:
        if moment >= full:
            tokens, refilled = most, moment
        refills = (moment - refilled) // interval
        tokens = min(most, tokens + refills * rate)
        refilled += refills * interval
        allowed = tokens > 0
        if allowed:
            tokens -= 1
            full = moment + math.ceil((most - tokens) / rate) * interval
        yield allowed, tokens, refilled + interval
