"""The Upstash Redis REST API: HTTP, JSON and server-sent events over the same data as the RESP port.

What this API does otherwise than Redis lives in this package, and in ``Session.upstash``, which scripting looks at.
Source: https://upstash.com/docs/redis/features/restapi
"""
