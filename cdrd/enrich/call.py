"""A call: its legs in the order of time, each knowing what the others tell about it.

CDRs have no words for transfers, forwards, pick-ups and parking. They are seen in what several legs say
together, and only where that can mean one thing:

- A leg follows an answered one on the same channel. Dial() ends the caller's channel when the called party
  hangs up (but for its options g and F), so the called party has handed the caller on.
- The channel reached is none of those that Dial() names: somebody took the place of the party dialled.
  If that party had talked, it made an attended transfer; if not, and a telephone took its place, the call
  was picked up; else the telephone had answered "moved" (302).
- What was called begins to call: it consults before an attended transfer (lastapp is AppDial, and a
  Local channel is dialled), or its caller handed it on.
- The second half of a Local channel runs through the dialplan for whoever dialled the first half.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from cdrd.enrich.channels import channel_number, other_half
from cdrd.enrich.directory import Directory
from cdrd.enrich.found import Party, PartyKind
from cdrd.enrich.heard import Heard
from cdrd.enrich.legview import CALLED_APPS, CONFERENCES, PARKING_APPS, LegView, is_called
from cdrd.enrich.told import correct, listen
from cdrd.records import Leg

MOST_HOPS: Final = 20
"""Local channels in a row that are followed; a longer row is a loop, or somebody's joke."""

_ENDING_APPS: Final = frozenset({"", "Hangup", "Busy", "Congestion", "Return", "NoOp"})
_GOES_ON: Final = frozenset("gFe")
"""Options of Dial() with which the caller's channel goes on after the called party hung up."""
_GOES_ON_CALLED: Final = "F"
"""The option with which the party called goes on after the caller hung up."""
_TELEPHONES: Final = frozenset({PartyKind.STATION, PartyKind.UNLISTED})


def view_call(
    legs: Sequence[Leg], directory: Directory, heard: Heard | None = None
) -> list[LegView]:
    """The views of all legs of a call, linked, in the order of time."""
    if heard is not None and not heard.channels:
        heard = None
    if len(legs) == 1 and heard is None:
        return [view_leg(legs[0], directory)]
    views = [LegView(leg, directory) for leg in legs]
    views.sort(key=_in_time)
    if heard is not None:
        listen(views, heard)
    _link(views)
    if heard is not None:
        correct(views, heard)
    return views


def view_leg(leg: Leg, directory: Directory) -> LegView:
    """The view of a leg that is a call by itself: most are."""
    view = LegView(leg, directory)
    if view.replaced and not view.rowless:
        view.plain = False
        _took_the_place(view, [], None)
    return view


def _in_time(view: LegView) -> tuple[object, ...]:
    """Start, then the order in which Asterisk made records and channels.

    The rest only tells apart what happened in one second, so that the order of arrival decides nothing.
    """
    leg = view.leg
    sequence = leg.sequence if leg.sequence is not None else -1
    reached = leg.dstchannel
    called = (not reached, channel_number(reached), reached)
    command = (leg.channel, leg.lastapp, leg.lastdata, leg.dst, leg.dcontext)
    return (leg.calldate, sequence, view.ended, called, command, leg.acctid or 0)


def _link(views: list[LegView]) -> None:
    channels: dict[tuple[str, str], list[LegView]] = {}
    reached: dict[str, list[LegView]] = {}
    for view in views:
        leg = view.leg
        view.plain = False
        channels.setdefault((leg.uniqueid or "", leg.channel), []).append(view)
        if leg.dstchannel:
            reached.setdefault(leg.dstchannel, []).append(view)
    _joined_with_dialled(views, reached)
    _link_locals(views, reached)
    for view in views:
        _called_and_calling(view, reached.get(view.leg.channel, ()))
    _callers_joined(views)
    for chain in channels.values():
        _follow(chain)
    for view in views:
        _handed_on_by_dialler(view)
        if view.attended:
            view.consultation = _consultation(view, reached.get(view.leg.dstchannel, ()))
        if view.pickup_code:
            _picked_up(view, reached.get(view.leg.channel, ()), channels)


def _joined_with_dialled(views: list[LegView], reached: dict[str, list[LegView]]) -> None:
    """Who was joined with a Local channel that somebody else's Dial() had called consults nobody there."""
    for view in views:
        if view.consulting:
            others = reached[view.leg.dstchannel]
            view.consulting = not any(v.dialled.targets and not v.replaced for v in others)


def _link_locals(views: list[LegView], reached: dict[str, list[LegView]]) -> None:
    """Each end of a Local channel learns who dialled it, and of its other end."""
    halves = [(view, other) for view in views if (other := other_half(view.leg.channel))]
    ends = {view.leg.channel: view for view, _ in reversed(halves)}
    for view, other in halves:
        is_dialled = other.endswith(";2")
        diallers = reached.get(view.leg.channel if is_dialled else other, ())
        view.dialler = _dialler(view, diallers)
        view.other_half = ends.get(other)
        if not is_dialled:
            for dialler in diallers:
                through = dialler.through
                if through is None or (view.answered and not through.answered):
                    dialler.through = view
    for view, _ in halves:
        if _endless(view):
            view.dialler = None


def _dialler(view: LegView, diallers: Sequence[LegView]) -> LegView | None:
    """Of several the one that consults."""
    for dialler in diallers:
        if dialler.consulting and dialler.leg.channel != view.leg.dstchannel:
            return dialler
    return diallers[0] if diallers else None


def _endless(view: LegView) -> bool:
    hop: LegView | None = view
    for _ in range(MOST_HOPS):
        if hop is None:
            return False
        hop = hop.dialler
    return hop is not None


def _called_and_calling(view: LegView, reached_by: Sequence[LegView]) -> None:
    """A channel that was called has a leg of its own: pick-up, consultation, or its caller handed it on."""
    leg = view.leg
    first = next((other for other in reached_by if other is not view), None)
    if first is None or view.calling.kind is PartyKind.LOCAL:
        return
    if first.at <= view.at and _in_time(first) < _in_time(view):
        view.called_by = first
    if leg.lastapp in CONFERENCES or leg.lastapp in PARKING_APPS or leg.dst == "h":
        return
    if leg.lastapp in CALLED_APPS and not leg.dstchannel:
        view.pickup_code = bool(leg.dst)
        view.consulting = not leg.dst
    elif _GOES_ON_CALLED in first.dialled.options:
        return
    elif not view.consulting and first.answered and view.at >= first.ended:
        view.transferrer = first.calling
        view.moved = True
        view.attended = is_called(leg)


def _callers_joined(views: list[LegView]) -> None:
    """A trunk's channel that called in by itself is nobody that was dialled."""
    outside = [view for view in views if view.called.kind is PartyKind.TRUNK]
    if not outside:
        return
    callers = {v.leg.channel for v in views if v.called_by is None and v.leg.lastapp != "AppDial"}
    for view in outside:
        view.joined = view.leg.dstchannel in callers


def _follow(chain: list[LegView]) -> None:
    """The legs of one channel, one after the other."""
    talking: LegView | None = None
    for at, view in enumerate(chain):
        view.before = before = chain[at - 1] if at else None
        view.rowless &= len(chain) == 1
        if view.leg.lastapp == "Park" or (
            before is not None and before.parked and not before.answered
        ):
            view.parked = True
            talking = view if view.answered else talking
            continue
        if before is not None and before.consulting and view.leg.lastapp == "AppDial":
            view.consulting = True
            view.transferrer, view.moved, view.attended = before.transferrer, False, False
        elif before is not None and view.transferrer is None:
            view.transferrer = before.transferrer
        if view.replaced:
            _took_the_place(view, chain, talking)
        elif talking is not None and _follows(view, talking):
            elsewhere = view.called.base != talking.called.base
            _handed_on(view, talking, attended=elsewhere and _same_command(view, talking))
        if view.answered and not view.consulting and not rang_behind(view):
            talking = view
    _answered_for(chain)
    _fetched(chain)


def _consultation(view: LegView, others: Sequence[LegView]) -> LegView | None:
    """The leg by which the transferrer had reached the same channel."""
    by = view.transferrer.base if view.transferrer is not None else ""
    asked = (o for o in others if not o.attended and o.calling.base == by)
    return next(asked, None)


def _handed_on_by_dialler(view: LegView) -> None:
    """The first half of a Local channel calls nobody, unless whoever had dialled it hands it on."""
    dialler = view.dialler
    if dialler is None or not view.leg.dstchannel or not view.leg.channel.endswith(";1"):
        return
    if dialler.consulting or view.at >= dialler.ended:
        view.transferrer, view.moved = dialler.calling, True
        view.attended = is_called(view.leg)


def _fetched(chain: list[LegView]) -> None:
    """Asterisk repeats the Dial() before the parking on the leg to who fetched the call."""
    parked = [view for view in chain if view.parked]
    if any(view.replaced for view in parked):
        for view in parked:
            view.fetched = True


def _took_the_place(view: LegView, chain: list[LegView], talking: LegView | None) -> None:
    """The leg to the party that was dialled tells how somebody else came to its place."""
    if talking and talking.forwarder and _leads_to(talking, view.leg.dstchannel):
        view.forwarder = talking.forwarder  # the Local channel between them is optimised away
        return
    bases = {target.base for target in view.dialled.targets}
    rung = [
        leg for leg in chain if leg is not view and leg.called.base in bases and leg.at <= view.at
    ]
    last = rung[-1] if rung else None
    took_over = last is None or not last.talked or (talking is not None and talking.parked)
    if talking is not None and took_over and _same_command(view, talking):
        last = talking  # a telephone that had picked it up, or fetched it from parking
    if last is not None and last.talked:
        _joined_with_another(view, last, talking)
    elif last is None and talking is not None and talking.called.base == view.called.base:
        _handed_on(view, talking, attended=False)  # who was dialled was away: it came back
    elif view.called.kind in _TELEPHONES:
        for leg in (view, *rung):
            leg.picked = True
    else:
        view.forwarder = _sent_on_by(view, bases)


def _joined_with_another(view: LegView, last: LegView, talking: LegView | None) -> None:
    """Who was dialled, `last`, made an attended transfer; or whom the caller was joined with since then."""
    if view.through is not None and view.through.dialler is view:
        view.consulting = True  # the caller itself, by a feature code
    elif talking is None or not talking.attended or not _same_command(view, talking):
        _handed_on(view, last, attended=True)
    elif far_leg(talking).leg.dstchannel == view.leg.dstchannel:
        view.attended = True  # the same party, without a Local channel between
    else:
        _handed_on(view, talking, attended=True)


def _sent_on_by(view: LegView, bases: Iterable[str]) -> Party | None:
    """Of several that rang one was forwarded: their company is known where they have the same."""
    parties = [view.owners.party_of_base(base, view.at) for base in bases]
    if len(parties) == 1:
        return parties[0]
    companies = {party.company for party in parties}
    return Party(PartyKind.STATION, company=companies.pop()) if len(companies) == 1 else None


def _same_command(view: LegView, other: LegView) -> bool:
    one, two = view.leg, other.leg
    return (one.lastapp, one.lastdata) == (two.lastapp, two.lastdata)


def _follows(view: LegView, talking: LegView) -> bool:
    """Whether there can only be this leg because the party that was talked to handed the caller on."""
    if view.at < talking.ended or talking.called.kind is PartyKind.TRUNK or view.leg.dst == "h":
        return False
    if _leads_to(talking, view.leg.dstchannel):
        return False  # the Local channel between them is optimised away
    if {view.leg.lastapp, talking.leg.lastapp} & CONFERENCES:
        return False
    if _GOES_ON & set(talking.dialled.options):
        return False
    if _same_command(view, talking):
        return view.answered and talking.talked
    return bool(view.leg.dstchannel) or view.leg.lastapp not in _ENDING_APPS


def _handed_on(view: LegView, talking: LegView, *, attended: bool) -> None:
    behind = talking.through.called if talking.through else talking.called
    view.transferrer = behind if behind.kind in _TELEPHONES else talking.called
    view.moved = True
    view.attended = attended
    dst = talking.leg.dst
    if not attended and dst and (dst.endswith(view.leg.dst) or dst == view.called.extension):
        talking.overwritten = True


def _answered_for(chain: list[LegView]) -> None:
    """Telephones that rang together were rung by one Dial() with several targets."""
    group = [view for view in chain if len(view.dialled.targets) > 1]
    answered = {view.leg.lastdata: view for view in group if view.answered and not view.replaced}
    for view in group:
        view.answered_for = answered.get(view.leg.lastdata)


def _picked_up(
    code: LegView,
    rung: Sequence[LegView],
    channels: dict[tuple[str, str], list[LegView]],
) -> None:
    """The row of the pick-up code bears the name of the telephone that rang; who picked up is in
    the caller's next leg.
    """
    code.picked = True
    for ringing in rung:
        ringing.picked = True
        chain = channels[ringing.leg.uniqueid or "", ringing.leg.channel]
        for view in chain:
            if view is not ringing and view.answered and view.at >= ringing.ended:
                view.take_the_call()
                view.transferrer = view.before.transferrer if view.before is not None else None
                view.moved, view.attended = False, False
                code.picker = view.called
                break


def far_leg(view: LegView) -> LegView:
    """The leg that reached somebody, through Local channels if need be."""
    hop = view
    for _ in range(MOST_HOPS):
        if hop.called.kind is not PartyKind.LOCAL or hop.through is None:
            break
        hop = hop.through
    return hop


def _leads_to(view: LegView, channel: str) -> bool:
    """Whether the leg reached the channel, through Local channels if need be."""
    hop: LegView | None = view
    for _ in range(MOST_HOPS):
        if hop is None or not channel:
            return False
        if hop.leg.dstchannel == channel:
            return True
        hop = hop.through if hop.called.kind is PartyKind.LOCAL else None
    return False


def rang_behind(view: LegView) -> bool:
    """Whether the dialplan answered behind a Local channel, and whom it called there did not."""
    far = far_leg(view)
    return far is not view and far.leg.dstchannel != "" and not far.answered


def gone_on_from(view: LegView) -> LegView | None:
    """Of a leg to the outside, the one before to an extension, a queue, a group, where nobody answered.

    Both are of one dialplan extension; trunks that failed may be between them. Within the company that made
    the leg before, it has to be for a telephone that rang alone: a group's caller goes on calling.
    """
    leg = view.before
    if leg is None or view.called.kind is not PartyKind.TRUNK:
        return None
    while leg is not None and leg.leg.dst == view.leg.dst and not leg.answered:
        if leg.called.kind is not PartyKind.TRUNK:
            return leg if rang_alone(leg) or _is_for_another(leg) else None
        leg = leg.before
    return None


def rang_alone(leg: LegView) -> bool:
    """Whether it rang where it had been dialled, and nowhere else; known once the leg is decided."""
    extension = leg.reached.extension if leg.reached is not None else None
    if extension is None or leg.called.kind not in _TELEPHONES or len(leg.dialled.targets) != 1:
        return False
    return extension == leg.leg.dst or leg.owners.did(leg.leg.dst, leg.at) is not None


def _is_for_another(leg: LegView) -> bool:
    """Whether it was in the dialplan of another company than the one that made it, and reached that."""
    company = leg.reached.company if leg.reached is not None else None
    return company is not None and leg.origin.company != company == leg.context_company
