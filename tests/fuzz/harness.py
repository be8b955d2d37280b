"""One target under the coverage-guided fuzzer: `python -m fuzz.harness TARGET [options of libFuzzer]`."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["cdrd.decode"]):
    from fuzz.targets import TARGETS


def main() -> None:
    """Until something breaks, or as long as libFuzzer is told to."""
    name = sys.argv.pop(1)
    atheris.Setup(sys.argv, TARGETS[name]().check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
