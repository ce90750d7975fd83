"""What ``--help`` prints."""

from emulator.config.edition import REDIS_8_2

USAGE = f"""\
redis-cli {REDIS_8_2.version}, from redis-emulator

Usage: redis-cli [OPTIONS] [cmd [arg [arg ...]]]

Without a command it reads lines: from a terminal with a prompt, else from standard input, each answered as it comes.

Where the server is
  -h <host>          The host (127.0.0.1).          -p <port>   The port (6379).
  -s <socket>        A unix socket instead.         -n <db>     The database (0).
  -u <uri>           redis://user:password@host:port/db, or rediss:// for TLS.
  -t <seconds>       How long to wait for a connection (as long as the system does).
  -4, -6             By IPv4 or IPv6 only.
  -2, -3             Speak RESP2 or RESP3.
  -c                 Follow MOVED and ASK to other nodes of a cluster.

Who you are
  -a, --pass <word>  The password; --user <name> the user. REDISCLI_AUTH in the environment is safer.
  --askpass          Ask for the password.
  --no-auth-warning  Do not tell that -a is not safe.

TLS
  --tls              Speak TLS. The certificate is verified with those of the system, or
  --cacert <file>    with this one,                 --cacertdir <dir>  or those in here,
  --insecure         or not at all.                 --sni <host>       The server's name.
  --cert <file>      A certificate of ours,         --key <file>       and its key.
  --tls-ciphers <list>

What is printed
  --raw, --no-raw    Bare bytes (if nobody looks on), or what people read (on a terminal).
  --csv, --json, --quoted-json
  -d <delimiter>     Between the elements of a raw reply (\\n).
  -D <delimiter>     Between raw replies (\\n).
  --show-pushes <yn> Print what comes out of turn on RESP3 (on a terminal).
  -e                 An error ends the program with status 1.

How a command is run
  -r <times>         Repeat it, for ever with -1;   -i <seconds>   and wait in between.
  -x                 Standard input is its last argument.
  -X <tag>           Standard input takes the place of the argument <tag>.
  --quoted-input     Arguments may be quoted, as in "\\x00".
  --eval <file> [key ...] , [arg ...]   Run a Lua script.

Instead of a command
  --scan             List keys.                     --pattern, --quoted-pattern <glob>, --count <n>
  --bigkeys          The largest keys by elements.  --memkeys      By memory; --memkeys-samples <n>
  --hotkeys          Those used most, with an LFU policy.
  --stat             A line of figures every second, or every -i seconds.
  --latency          How long PING takes.           --latency-history   In spans of 15 or -i seconds.
  --pipe             Send standard input as it is.  --pipe-timeout <seconds>   30, or 0 for ever.
  --rdb <file>       The data into an RDB file.     --functions-rdb <file>     The functions alone; - is standard output.

  --verbose          Taken for the sake of scripts. --help, --version

Not there: --cluster, --replica, --ldb, --latency-dist, --intrinsic-latency, --lru-test, --keystats.
"""
