"""Commands that read or write a million elements, the CPU time of the server for each beside the oracle's in one run.

They hold up everybody, here as in Redis.  A case that takes elements away works on a copy, which does not count.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any, Final

from conformance import servers
from conformance.bench.measure import chosen, head, report, running, show
from conformance.bench.values import load

_SIZE: Final = 1_000_000
_ENOUGH: Final = 0.01
"""Seconds of CPU time after which a figure is good."""
MOST: Final = 8.0
"""A ratio beyond which a command is named."""

CASES: Final = """
SORT n
SORT n DESC LIMIT 0 10
SORT l ALPHA
SORT n STORE r
SORT s ALPHA STORE r
SORT n BY w:* LIMIT 0 10
SORT n BY nosort GET # GET w:*
LRANGE l 0 -1
LRANGE l {half} {later}
LINDEX l {half}
LINDEX l {any}
LSET l {half} m{half}
LSET l {any} mm
COPY l r REPLACE ; RPUSH r x ;; LSET r {half} x
COPY l r REPLACE ; LINSERT r BEFORE m0 x ;; LINSERT r BEFORE m{half} x
COPY l r REPLACE ; LPUSH r m1 ;; LREM r 0 m1
LREM l 0 none
LPOS l m{half}
LPOS l none
LPOS l none RANK -1
COPY l r REPLACE ; RPUSH r x ;; LTRIM r {near} -{near}
COPY l r REPLACE ; RPUSH r x ;; LPOP r {half}
COPY l r REPLACE ; RPUSH r x ;; RPOP r {half}
HGETALL h
HKEYS h
HVALS h
HRANDFIELD h {half}
HRANDFIELD h {half} WITHVALUES
HRANDFIELD h -{half} WITHVALUES
HSCAN h 0 COUNT {n}
HSCAN h 0 COUNT {n} MATCH *99* NOVALUES
SMEMBERS s
SMEMBERS i
SRANDMEMBER s {half}
SRANDMEMBER s -{half}
COPY s r REPLACE ;; SPOP r {near}
COPY i r REPLACE ;; SPOP r {near}
COPY s r REPLACE ;; SPOP r {most}
SUNION s s2
SINTER s s2
SDIFF s s2
SUNIONSTORE r s s2
SINTERSTORE r s s2
SDIFFSTORE r s s2
SUNIONSTORE r i
SINTERCARD 2 s s2
SINTER s i
SSCAN s 0 COUNT {n}
ZRANGE z 0 -1
ZRANGE z 0 -1 REV
ZRANGE z 0 -1 WITHSCORES
ZRANGE y 0 -1 WITHSCORES
ZRANGEBYSCORE z -inf +inf
ZRANGEBYSCORE y 100 900 WITHSCORES
ZRANGEBYLEX lex - +
ZCOUNT z 3 {half}
ZRANDMEMBER z {half} WITHSCORES
ZSCAN z 0 COUNT {n}
ZUNION 2 z y WITHSCORES
ZINTER 2 z y
ZINTERCARD 2 z y
ZDIFF 2 z s2
ZUNIONSTORE r 1 z
ZUNIONSTORE r 2 z y
ZINTERSTORE r 2 z y WEIGHTS 2 3
ZDIFFSTORE r 2 z s2
ZRANGESTORE r z 0 -1
ZRANGESTORE r y 0 -1
COPY z r REPLACE ;; ZREMRANGEBYRANK r 0 {half}
COPY z r REPLACE ;; ZREMRANGEBYSCORE r 3 {half}
COPY lex r REPLACE ;; ZREMRANGEBYLEX r [m [m5
COPY z r REPLACE ;; ZPOPMIN r {half}
GEOSEARCH g FROMLONLAT 2 48 BYRADIUS 30000 km
GEOSEARCH g FROMLONLAT 2 48 BYRADIUS 3000 km ASC COUNT 100
GEOSEARCH g FROMLONLAT 2 48 BYRADIUS 30000 km WITHCOORD WITHDIST
GEOSEARCH g FROMLONLAT 2 48 BYRADIUS 3000 km WITHHASH DESC
GEOSEARCH g FROMLONLAT 2 48 BYBOX 30000 10000 km
GEORADIUS g 2 48 3000 km
GEOSEARCHSTORE r g FROMLONLAT 2 48 BYRADIUS 30000 km
GEOSEARCHSTORE r g FROMLONLAT 2 48 BYBOX 30000 10000 km STOREDIST
XRANGE x - +
XREVRANGE x + -
XREAD STREAMS x 0
XREAD COUNT {half} STREAMS x 0
COPY x r REPLACE ;; XTRIM r MAXLEN {half}
COPY x r REPLACE ; XGROUP CREATE r a 0 ;; XREADGROUP GROUP a c COUNT {half} STREAMS r >
COPY x r REPLACE ; XGROUP CREATE r a 0 ;; XREADGROUP GROUP a c COUNT {half} NOACK STREAMS r >
XPENDING pel g - + {half}
XREADGROUP GROUP g c COUNT {half} STREAMS pel 0
XAUTOCLAIM pel g d 0 0 COUNT {half}
XAUTOCLAIM pel g d 0 0 COUNT {half} JUSTID
XINFO STREAM pel FULL COUNT {half}
COPY pel r REPLACE ;; XGROUP DELCONSUMER r g c
COPY pel r REPLACE ;; XGROUP DESTROY r g
DUMP pel
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
RESTORE r 0 <i> REPLACE
RESTORE r 0 <z> REPLACE
RESTORE r 0 <y> REPLACE
RESTORE r 0 <x> REPLACE
RESTORE r 0 <t> REPLACE
RESTORE r 0 <b> REPLACE
COPY l r REPLACE
COPY h r REPLACE
COPY s r REPLACE
COPY z r REPLACE
COPY x r REPLACE
COPY l r REPLACE ;; DEL r
COPY h r REPLACE ;; DEL r
COPY s r REPLACE ;; DEL r
COPY z r REPLACE ;; DEL r
COPY x r REPLACE ;; DEL r
MEMORY USAGE z SAMPLES 0
MEMORY USAGE h SAMPLES 0
MEMORY USAGE l SAMPLES 0
BITCOUNT b
BITCOUNT b 1 -2
BITPOS empty 1
BITOP AND r b b2
BITOP NOT r b
GETRANGE t 0 -1
GETRANGE t {half} {most}
SETRANGE t {half} abc
STRLEN t
LCS one other
LCS one other IDX
PFCOUNT p
EVAL "return redis.call('lrange', KEYS[1], 0, -1)" 1 l
EVAL "return #redis.call('hgetall', KEYS[1])" 1 h
EVAL "local n=0 for i, v in ipairs(redis.call('smembers', KEYS[1])) do n=n+#v end return n" 1 s
EVAL "for i=1,{n} do redis.call('get', KEYS[1]) end" 1 u
EVAL "for i=1,{n} do redis.call('incr', KEYS[1]) end" 1 counter
EVAL "local c='0' repeat c=redis.call('scan', c, 'COUNT', 1000)[1] until c=='0'" 0
KEYS *
KEYS *99*
SCAN 0 COUNT {n}
SCAN 0 COUNT {n} MATCH *99* TYPE string
EVAL "for i=0,{n}-1 do redis.call('pexpire', 'w:'..i, 100000000) end" 0
"""


def run(options: argparse.Namespace) -> dict[str, Any]:
    if sys.platform != "linux":
        print("no accounts of other processes' CPU time: left out")
        return {}
    size = options.sizes[0] if options.sizes else 10 if options.smoke else _SIZE
    cases = chosen(CASES, options.match)
    with running(servers.emulator_command) as ours, running(servers.oracle_command) as theirs:
        for server in (ours, theirs):
            load(server.connection, size, cases)
        enough = 0.0 if options.smoke else _ENOUGH
        head()
        found = {case: show(case, (ours, theirs), case, size, enough) for case in cases}
    return report(found, MOST)
