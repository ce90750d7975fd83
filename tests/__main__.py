"""``python -m tests``: format, lint, types, then every test, the conformance suite among them."""

import subprocess
import sys

STEPS = (
    ("ruff", "format", "--check", "."),
    ("ruff", "check", "."),
    ("mypy",),
    ("pytest", "-q"),
)


def main() -> int:
    for step in STEPS:
        print("$ " + " ".join(step), flush=True)
        status = subprocess.call([sys.executable, "-m", *step])
        if status:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
