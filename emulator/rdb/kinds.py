"""The numbers by which payloads and RDB files tell what a value is and how it is written.

Those that Redis 8.2 writes no more are read.  Source: the RDB file format, version 12.
"""

from __future__ import annotations

from typing import Final

STRING: Final = 0
LIST: Final = 1
SET: Final = 2
ZSET_TEXTUAL: Final = 3
HASH: Final = 4
ZSET: Final = 5
MODULE: Final = 7
HASH_ZIPMAP: Final = 9
LIST_ZIPLIST: Final = 10
SET_INTSET: Final = 11
ZSET_ZIPLIST: Final = 12
HASH_ZIPLIST: Final = 13
LIST_OF_ZIPLISTS: Final = 14
STREAM_1: Final = 15
HASH_LISTPACK: Final = 16
ZSET_LISTPACK: Final = 17
LIST_OF_LISTPACKS: Final = 18
STREAM_2: Final = 19
SET_LISTPACK: Final = 20
STREAM_3: Final = 21
HASH_EXPIRING_DRAFT: Final = 22
HASH_LISTPACK_EXPIRING_DRAFT: Final = 23
HASH_EXPIRING: Final = 24
HASH_LISTPACK_EXPIRING: Final = 25

HASH_OF_VALKEY: Final = 0x100 | 22
STREAM_4: Final = 0x100 | 26
"""What only others write: Valkey 9, whose 22 is another one, and Redis 8.6.  No byte of a payload stands for them."""

WITH_DEADLINES: Final = 12
"""The version of the format from which on fields of hashes may expire."""
WITH_MESSAGES: Final = 13
"""The version of the format of Redis 8.6, whose streams are of kind `STREAM_4`."""

PLAIN_NODE: Final = 1
PACKED_NODE: Final = 2
"""The nodes of a list: one value, or a listpack."""
