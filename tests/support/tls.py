"""Certificates of the tests' own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def certificate_in(folder: Path) -> Path:
    """A certificate for 127.0.0.1 and, beside it, its key."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return folder / "certificate.pem"
