"""The story of a call, also where the rules have none to tell."""

from __future__ import annotations

import re
from typing import Any

from support.legs import leg

from cdrd.cli.whole_call import CallStory, WholeCall, tell_call
from cdrd.records import AcctId, Attribution, UnattributedReason


def story(**changes: Any) -> CallStory:
    """A call of one leg, which has no row as a call."""
    one = leg("1.0", acctid=AcctId(1), pbx="hq", **changes)
    return CallStory(WholeCall([one], ()), {}, None, None)


def test_a_call_that_a_rule_fails_on_says_so_and_where() -> None:
    [line] = tell_call(story(lastdata=None))

    assert re.fullmatch(r"A rule fails on this call: \w+Error\(.+\) \(\w+\.py:\d+ .+\)", line)


def test_a_call_without_a_row_waits_or_only_its_legs_are_decided() -> None:
    waiting = story()
    fault = Attribution(AcctId(1), reason=UnattributedReason.FAULT)

    assert "  not decided yet: it waits for the enrich stage" in tell_call(waiting)
    decided = waiting._replace(decided={AcctId(1): fault})
    assert "  not decided as a call: only its legs are" in tell_call(decided)
