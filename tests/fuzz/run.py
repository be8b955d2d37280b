"""Every target for a bounded time, and what came of it: `python -m fuzz.run [TARGET ...]`, FUZZ_SECONDS each.

What breaks a decoder is kept in var/fuzz; `python -m fuzz.harness TARGET FILE` runs it again.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from fuzz.targets import TARGETS

FOUND = Path("var") / "fuzz"
_EXECUTIONS = re.compile(r"^stat::number_of_executed_units: *(\d+)", re.MULTILINE)
_COVERAGE = re.compile(r" cov: (\d+) ft: (\d+)")


def main() -> int:
    """0 when nothing was found."""
    names = sys.argv[1:] or list(TARGETS)
    FOUND.mkdir(parents=True, exist_ok=True)
    print(f"{'target':<18} {'executions':>10} {'branches':>8} {'features':>8}")
    broken = [name for name in names if not _survives(name, os.environ.get("FUZZ_SECONDS", "60"))]
    for name in broken:
        print(f"{name}: broken; see {FOUND / name}-*")
    return bool(broken)


def _survives(name: str, seconds: str) -> bool:
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(TARGETS[name]().seeds()):
            Path(corpus, str(number)).write_bytes(seed)
        done = subprocess.run(
            [
                sys.executable, "-m", "fuzz.harness", name, corpus,
                f"-max_total_time={seconds}", "-max_len=3000", "-len_control=0", "-timeout=10",
                "-rss_limit_mb=1024", "-print_final_stats=1", f"-artifact_prefix={FOUND / name}-",
            ],
            capture_output=True,
            check=False,
        )  # fmt: skip
    said = (done.stdout + done.stderr).decode(errors="replace")
    (FOUND / f"{name}.log").write_text(said, encoding="utf-8")
    executions = _EXECUTIONS.findall(said) or ["?"]
    coverage = _COVERAGE.findall(said) or [("?", "?")]
    print(f"{name:<18} {executions[-1]:>10} {coverage[-1][0]:>8} {coverage[-1][1]:>8}", flush=True)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
