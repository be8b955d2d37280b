"""What the fault tests share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.postgres import own_server


@pytest.fixture
def server_of_its_own() -> Iterator[tuple[Any, str]]:
    """A server that nobody else uses, and the DSN of its empty database."""
    with own_server() as server:
        yield server
