"""``python -m tests``: format, lint, types, then every test, the conformance suite among them.

With ``--quick`` only what needs no other program and no seconds: the types against models, and commands against what we
expect of them.  It leaves out the cases that are played beside a real server (``python -m conformance --group hash`` plays
those of a group), clients of other languages, processes, command lines, the gateway of the REST API and what is built.
"""

import os
import sys
from subprocess import call

CHECKS = (
    ("ruff", "format", "--check", "."),
    ("ruff", "check", "."),
    ("mypy",),
)
WORKERS = 3 * (os.cpu_count() or 1)
"""Three times as many as there are cores, since many tests wait for servers, or for time to pass in them."""
TESTS = ("pytest", "-q", "-n", str(WORKERS), "--dist", "worksteal")
QUICK = ("-m", "not slow")


def main(arguments: list[str]) -> int:
    quick = arguments == ["--quick"]
    if arguments and not quick:
        print(__doc__, file=sys.stderr)
        return 2
    environment = dict(os.environ)
    # hundreds of servers are started, which nobody compiles anew each time
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    for step in (*CHECKS, TESTS + QUICK if quick else TESTS):
        print("$ " + " ".join(step), flush=True)
        status = call([sys.executable, "-m", *step], env=environment)
        if status:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
