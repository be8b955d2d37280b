"""The same as of files that are followed here holds of those that are forwarded, over a line that is cut."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule
from support.shipped import Shipping
from unit.collect.test_follow_model import FollowedFiles


class ForwardedFiles(FollowedFiles):
    """One path, its rotated files, and a forwarder that is killed, restarted and cut off."""

    def __init__(self) -> None:
        super().__init__()
        self.shipping = Shipping(self.path, batch_bytes=1024)
        self.followed = self.shipping  # type: ignore[assignment]  # it looks like one

    @rule()
    def read_a_little(self) -> None:
        self.followed.take()

    @rule(
        pieces=st.integers(min_value=0, max_value=3), stored=st.integers(min_value=0, max_value=3)
    )
    def lose_the_database(self, pieces: int, stored: int) -> None:
        """What was shipped last is not stored, or is, but the answer got lost."""
        for _ in range(pieces):
            self.followed.take()
        self.shipping.line.cut = stored > 0
        self.followed.take()


TestForwardedFiles = ForwardedFiles.TestCase
TestForwardedFiles.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
