"""The command `cdrd`."""

from __future__ import annotations

from cdrd.cli import main

if __name__ == "__main__":
    main()
