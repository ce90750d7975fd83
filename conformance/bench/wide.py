"""Some 160 commands on small and on large values, the CPU time of the server for each beside the oracle's in one run.

Each data set lies in a database of its own: all kinds of values with so many elements (`--sizes`, 20 and 20,000).  So with
one size of 1,000,000 the same table tells which commands hold up the others, here against the real server.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any, Final

from conformance import servers
from conformance.bench.measure import chosen, head, report, running, show
from conformance.bench.values import load

_SIZES: Final = (20, 20_000)
_ENOUGH: Final = 0.01
"""Seconds of CPU time after which a figure is good."""
MOST: Final = 15.0
"""A ratio beyond which a command is named."""
EXCUSED: Final = ("VSIM", "PFMERGE", "PFCOUNT p p2")
"""Beginnings of those that may exceed it."""

CASES: Final = """
GET w:{any}
SET u value
SETRANGE t {half} abc
GETRANGE t {half} {most}
APPEND u2 x ; SET u2 x
STRLEN t
INCR counter
INCRBYFLOAT amount 0.37
MGET w:{any} w:{any} w:{any} w:{any} w:{any} w:{any} w:{any} w:{any} w:{any} w:{any}
MSET u 1 u3 2 u4 3 u5 4
LCS w:{any} w:{any}
EXISTS w:{any}
EXPIRE w:{any} 10000
TTL w:{any}
TYPE z
OBJECT ENCODING z
SCAN 0 COUNT 100
SCAN 0 COUNT 100 MATCH w:*7*1
SCAN 0 COUNT 100 TYPE zset
KEYS *9?
RANDOMKEY
BITCOUNT b
BITPOS empty 1
BITOP AND b3 b b2
BITOP NOT b3 b
BITFIELD b GET u8 #{any} SET i13 {any} 77 INCRBY u4 3 1
GETBIT b {any}
SETBIT b {any} 1
LPUSH l2 x ; LPOP l2
RPUSH l2 a b c d e f g h ; RPOP l2 8
LRANGE l 0 -1
LRANGE l {half} {later}
LINDEX l {half}
LINDEX l {any}
LSET l {half} m{half}
LINSERT l BEFORE m{near} x ; LREM l 1 x
LREM l 0 none
LPOS l none
LPOS l m{half}
LMOVE l l LEFT RIGHT
LTRIM l 0 -1
HSET h f{any} v
HSET h new{new} v ; HDEL h new{new}
HGET h f{any}
HMGET h f{any} f{any} f{any} f{any} f{any}
HGETALL h
HKEYS h
HVALS h
HINCRBY h2 counter 3
HINCRBYFLOAT h2 amount 0.37
HRANDFIELD h
HRANDFIELD h 10
HRANDFIELD h {half} WITHVALUES
HSCAN h 0 COUNT 100
HSCAN h 0 COUNT 100 MATCH f*[13579]*
SADD s new{new} ; SREM s new{new}
SISMEMBER s m{any}
SMISMEMBER s m{any} m{any} m{any} none
SMEMBERS s
SMEMBERS i
SRANDMEMBER s
SRANDMEMBER s 10
SRANDMEMBER s {half}
SINTER s s2
SINTERCARD 2 s s2
SUNION s s2
SDIFF s s2
SINTERSTORE s3 s s2
SUNIONSTORE s3 s s2
SDIFFSTORE s3 s s2
SSCAN s 0 COUNT 100 MATCH *5*
SMOVE s s4 m1 ; SMOVE s4 s m1
ZADD z {any} m{any}
ZADD z 1 new{new} ; ZREM z new{new}
ZINCRBY y 0.5 m{any}
ZSCORE z m{any}
ZRANK z m{any}
ZMSCORE z m{any} m{any} m{any} none
ZCOUNT z 3 {half}
ZRANGE z 0 -1
ZRANGE z 0 -1 WITHSCORES
ZRANGE y 0 -1 WITHSCORES
ZREVRANGE z 0 -1 WITHSCORES
ZRANGEBYSCORE z -inf +inf WITHSCORES
ZRANGEBYSCORE z {half} +inf LIMIT 0 10
ZRANGEBYLEX lex [m5 +
ZRANGESTORE z2 z 0 -1
ZRANDMEMBER z {half} WITHSCORES
ZUNION 2 z y WITHSCORES
ZINTER 2 z y
ZINTERCARD 2 z y
ZDIFF 2 z y
ZUNIONSTORE z2 2 z y
ZINTERSTORE z2 2 z y
ZSCAN z 0 COUNT 100
ZADD z3 1 a 2 b 3 c ; ZPOPMIN z3 3
GEOADD g 2.35 48.85 p{any}
GEODIST g p1 p2 km
GEOPOS g p{any} p{any}
GEOHASH g p{any} p{any}
GEOSEARCH g FROMLONLAT 2 48 BYRADIUS 800 km
GEOSEARCH g FROMLONLAT 2 48 BYBOX 1200 1200 km
GEOSEARCH g FROMMEMBER p3 BYRADIUS 800 km ASC COUNT 10 WITHDIST WITHCOORD
GEOSEARCHSTORE g2 g FROMLONLAT 2 48 BYRADIUS 800 km
XADD x2 MAXLEN ~ 1000 * field value
XADD x2 MAXLEN = 1000 * field value a b c d
XLEN x
XRANGE x - +
XREVRANGE x + -
XRANGE x {half} + COUNT 10
XREAD COUNT 100 STREAMS x 0
XREAD STREAMS x 0
XGROUP SETID x g2 0 ; XREADGROUP GROUP g2 c COUNT 100 STREAMS x > ; XACK x g2 1-1 2-1 3-1
XPENDING x g
XPENDING x g - + 10
XAUTOCLAIM x g d 0 0 COUNT 10
XCLAIM x g d 0 1-1 2-1
XINFO STREAM x
XINFO GROUPS x
PFADD p e{any}
PFADD sparse e{few}
PFCOUNT p
PFCOUNT p p2
PFMERGE p3 p p2
SORT n
SORT n LIMIT 0 10
SORT n ALPHA
SORT n BY w:*
SORT n BY w:* GET # GET w:*
SORT n STORE n2
SORT s ALPHA LIMIT 0 10
DUMP l
DUMP n
DUMP h
DUMP s
DUMP i
DUMP z
DUMP y
DUMP x
DUMP t
DUMP b
RESTORE r 0 <l> REPLACE
RESTORE r 0 <n> REPLACE
RESTORE r 0 <h> REPLACE
RESTORE r 0 <s> REPLACE
RESTORE r 0 <z> REPLACE
RESTORE r 0 <x> REPLACE
RESTORE r 0 <t> REPLACE
COPY l r REPLACE
COPY h r REPLACE
COPY s r REPLACE
COPY z r REPLACE
COPY x r REPLACE
RENAME l l9 ; RENAME l9 l
MEMORY USAGE z
DEBUG DIGEST-VALUE z
EVAL "for i=1,{n} do redis.call('get', KEYS[1]) end" 1 u
PUBLISH news.1 text
VSIM v ELE p3 COUNT 10
LSET l {any} mm
"""
"""What makes a value another one comes last, since one server is asked for it more often than the other."""
ALONE: Final = """
PING
INFO
INFO everything
COMMAND COUNT
COMMAND INFO get
CONFIG GET maxmemory*
CLIENT LIST
TIME
MULTI ; INCR counter ; EXEC
"""
"""What does not depend on what there is."""


def run(options: argparse.Namespace) -> dict[str, Any]:
    if sys.platform != "linux":
        print("no accounts of other processes' CPU time: left out")
        return {}
    sizes = options.sizes or ([10] if options.smoke else list(_SIZES))
    enough = 0.0 if options.smoke else _ENOUGH
    head()
    found: dict[str, list[float]] = {}
    cases = chosen(CASES, options.match)
    with running(servers.emulator_command) as ours, running(servers.oracle_command) as theirs:
        for database, size in enumerate(sizes):
            for server in (ours, theirs):
                for connection in server.connections:
                    connection("SELECT", str(database))
                load(server.connection, size, cases)
            for text in cases:
                name = f"{text} @{size}"
                found[name] = show(name, (ours, theirs), text, size, enough)
        for text in chosen(ALONE, options.match):
            found[text] = show(text, (ours, theirs), text, 1, enough)
    return report(found, MOST, EXCUSED)
