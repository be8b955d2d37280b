"""What the channel events tell of each leg: they say outright what the legs only let one infer.

The legs are linked by themselves first. Where an event says who transferred, picked up, parked or sent on,
that replaces what was inferred; where no event says so, the inference stays, for sites choose which events
they write.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from cdrd.enrich.channels import LONGEST_LASTDATA, channel_base, parse_dial, unmasked
from cdrd.enrich.found import Party
from cdrd.enrich.heard import Channel, Forward, Heard, Parking, Pickup, Told, Transfer
from cdrd.enrich.legview import DIALLING_APPS, LegView

_PARKS = timedelta(seconds=2)
"""A blind transfer to the extension that parks and the parking are told of by two channels, in any order."""
_SECOND = timedelta(seconds=1)
_MOVED = 23
"""The hang-up cause of a telephone that sent the call on (302)."""

_Chains = Mapping[str, Sequence[LegView]]


def listen(views: Sequence[LegView], heard: Heard) -> None:
    """Before the legs are linked: each learns of its channels, and what Dial() was told in full."""
    for view in views:
        leg = view.leg
        channel = heard.channel(leg.channel, leg.uniqueid)
        reached = heard.channel(leg.dstchannel) if leg.dstchannel else None
        view.told = Told(channel, reached)
        view.plain = False
        if channel is not None and len(leg.lastdata.encode(errors="replace")) >= LONGEST_LASTDATA:
            whole = _whole_data(channel, view)
            view.dialled = parse_dial(whole) if whole else view.dialled


def _whole_data(channel: Channel, view: LegView) -> str:
    leg = view.leg
    if leg.lastapp not in DIALLING_APPS:
        return ""
    app, cut = leg.lastapp.lower(), leg.lastdata.rstrip("\ufffd")
    found = (s.data for s in channel.started if s.app == app and s.data.startswith(cut))
    return next(found, "")


def correct(views: Sequence[LegView], heard: Heard) -> None:
    """After the legs are linked: what events say takes the place of what was inferred."""
    chains: dict[str, list[LegView]] = {}
    for view in views:
        chains.setdefault(unmasked(view.leg.channel), []).append(view)
    for chain in chains.values():
        _moved_by_program(chain)
        _not_handed_on(chain)
        _not_picked_up(chain)
    moves: list[Transfer | Parking] = [*heard.transfers, *heard.parkings]
    for move in sorted(moves, key=lambda move: move.at):
        if isinstance(move, Parking):
            _park(move, chains, heard)
        elif _parking_of(move, heard) is None:
            _transfer(move, chains, heard)
    for pickup in heard.pickups:
        _pick_up(pickup, chains)
    for forward in heard.forwards:
        _forward(forward, chains, heard)


def _moved_by_program(chain: Sequence[LegView]) -> None:
    """Where a program moves a caller to is written over dst, too: Dial() had begun elsewhere."""
    for view in chain:
        channel = view.told.channel if view.told is not None else None
        reached = view.told.reached if view.told is not None else None
        if channel is None or reached is None or reached.begun is None or not view.dialled.targets:
            continue
        dst, called = view.leg.dst, reached.begun
        came = next((place.at for place in channel.places if place.exten == dst), called)
        if came > called and any(s.app == "dial" and s.at <= called for s in channel.started):
            view.overwritten = True


def _not_handed_on(chain: Sequence[LegView]) -> None:
    """Whoever hung up by itself has handed nobody on: the dialplan went on with the caller."""
    hung_up: Party | None = None
    for view in chain:
        before = view.before
        if view.moved and not view.attended and before is not None:
            talked_to = before.told.reached if before.told else None
            went = talked_to is not None and talked_to.hung_up_by == talked_to.name
            hung_up = view.transferrer if went else None
        if hung_up is not None and view.transferrer is hung_up:
            view.transferrer, view.moved = None, False


def _not_picked_up(chain: Sequence[LegView]) -> None:
    """A telephone that was called picks nothing up: where the one dialled first was away, it was the next."""
    for view in chain:
        reached = view.told.reached if view.told is not None else None
        if view.replaced and reached is not None and reached.was_called:
            view.picked = False


def _following(chain: Sequence[LegView], move: Transfer | Parking, left: str) -> list[LegView]:
    """The legs of a channel after it was moved on; `left` is the channel that it had called, if it had.

    Times of legs are whole seconds, cut off, so that what stands before in the order decides as well. The
    leg to a consulted Local channel begins with the consultation.
    """
    talked = [n for n, view in enumerate(chain) if left and unmasked(view.leg.dstchannel) == left]
    last = max(talked, default=-1)
    target = move.target if isinstance(move, Transfer) else ""
    since = move.at.replace(microsecond=0)
    return [
        view
        for view in chain[last + 1 :]
        if view.at >= since or (target and unmasked(view.leg.dstchannel) == target)
    ]


def _transfer(transfer: Transfer, chains: _Chains, heard: Heard) -> None:
    consultation = _consultation(transfer, chains)
    if consultation is not None and transfer.second == transfer.by:
        consultation.transferrer, consultation.moved, consultation.attended = None, False, False
        consultation.consulting = True
    for name in transfer.transferees:
        chain = chains.get(name, ())
        talking = _talking(chain, transfer)
        for number, view in enumerate(_following(chain, transfer, transfer.by)):
            _moved_on(view, transfer, talking)
            view.moved = number == 0
            view.consultation = consultation or view.consultation
            if view.told is not None and transfer.second not in ("", transfer.by):
                view.told.second = heard.channel(transfer.second)
    for view in (
        chains.get(transfer.second, ()) if transfer.attended and not transfer.target else ()
    ):
        view.swapped = True
    for view in chains.get(transfer.target, ()) if transfer.target else ():
        if unmasked(view.leg.dstchannel) in transfer.transferees:
            _moved_on(view, transfer, None)
            view.moved = True
            view.consultation = consultation or view.consultation


def _talking(chain: Sequence[LegView], transfer: Transfer) -> LegView | None:
    """The leg to the transferrer, whose dst may be where a blind transfer went."""
    talking = [view for view in chain if unmasked(view.leg.dstchannel) == transfer.by]
    if not talking:
        return None
    if not transfer.attended and talking[-1].leg.dst == transfer.exten != "":
        talking[-1].overwritten = True
    return talking[-1]


def _moved_on(view: LegView, transfer: Transfer, talking: LegView | None) -> None:
    told = view.told
    if told is not None:
        told.transfer, told.parking, told.parked_by = transfer, None, None
    view.transferrer = view.owners.party(transfer.by, view.at)
    view.forwarder = None
    view.parked = False
    same = talking is None or view.leg.lastdata == talking.leg.lastdata
    view.attended = transfer.attended and same


def _consultation(transfer: Transfer, chains: _Chains) -> LegView | None:
    """The leg by which the transferrer had reached whom the call was handed to."""
    legs = chains.get(transfer.second, ())
    return next((v for v in legs if unmasked(v.leg.dstchannel) == transfer.target), None)


def _parking_of(transfer: Transfer, heard: Heard) -> Parking | None:
    if transfer.attended:
        return None
    return next(
        (
            parking
            for parking in heard.parkings
            if parking.channel in transfer.transferees and abs(parking.at - transfer.at) <= _PARKS
            if parking.until is None or transfer.at < parking.until
        ),
        None,
    )


def _park(parking: Parking, chains: _Chains, heard: Heard) -> None:
    chain = chains.get(parking.channel, ())
    parker = channel_base(f"{parking.parker}-0")
    talking = [v.leg.dstchannel for v in chain if v.called.base == parker and v.at <= parking.at]
    by = next((t for t in heard.transfers if _parking_of(t, heard) is parking), None)
    for view in _following(chain, parking, unmasked(talking[-1]) if talking else ""):
        view.parked = True
        view.transferrer, view.moved, view.attended = None, False, False
        if view.told is not None:
            view.told.transfer, view.told.parking, view.told.parked_by = None, parking, by


def _pick_up(pickup: Pickup, chains: _Chains) -> None:
    """Every leg that rang with the call, the row of the code, and the leg to who took it."""
    for chain in chains.values():
        rang = next((v for v in chain if unmasked(v.leg.dstchannel) == pickup.rang), None)
        if rang is not None:
            _picked_from(chain, rang, pickup)
    for view in (*chains.get(pickup.rang, ()), *chains.get(pickup.by, ())):
        if not view.leg.dstchannel and view.leg.dst and view.at <= pickup.at:
            _picked(view, pickup)
            if unmasked(view.leg.channel) == pickup.rang:
                view.pickup_code, view.consulting = True, False
                view.picker = view.owners.party(pickup.by, view.at)


def _picked_from(chain: Sequence[LegView], rang: LegView, pickup: Pickup) -> None:
    for view in chain:
        if unmasked(view.leg.dstchannel) == pickup.by:
            _picked(view, pickup)
            view.take_the_call()
            if view.moved and (view.told is None or view.told.transfer is None):
                view.transferrer = view.before.transferrer if view.before is not None else None
                view.moved, view.attended = False, False
        elif view is rang or _rang_together(view, rang):
            _picked(view, pickup)


def _rang_together(view: LegView, rang: LegView) -> bool:
    if abs(view.at - rang.at) > _SECOND:
        return False
    return (view.leg.lastapp, view.leg.lastdata) == (rang.leg.lastapp, rang.leg.lastdata)


def _picked(view: LegView, pickup: Pickup) -> None:
    view.picked = True
    if view.told is not None:
        view.told.pickup = pickup


def _forward(forward: Forward, chains: _Chains, heard: Heard) -> None:
    """The leg to where the call was sent on, which began while the telephone that sent it was rung."""
    chain = chains.get(forward.caller, ())
    sent = f"Local/{forward.number}@"
    for view in chain:
        later = heard.channel(view.leg.dstchannel)
        begun = later.begun if later is not None else None
        if view.called.base.startswith(sent) and (begun is None or begun <= forward.at + _SECOND):
            view.forwarder = _sent_by(forward, view, chain, heard) or view.forwarder
            if view.told is not None and view.forwarder is not None:
                view.told.forward = forward


def _sent_by(
    forward: Forward, view: LegView, chain: Sequence[LegView], heard: Heard
) -> Party | None:
    """Of the telephones that were rung: the one that hung up with the cause of a 302, with that number."""
    rung = [v.called for v in chain if _sent_on(heard.channel(v.leg.dstchannel), forward)]
    named = [party for party in rung if forward.by and party.extension == forward.by]
    if named or len(rung) == 1:
        return (named or rung)[0]
    dialled = [view.owners.party_of_base(target.base, view.at) for target in view.dialled.targets]
    named = [party for party in dialled if forward.by and party.extension == forward.by]
    return (named or dialled)[0] if named or len(dialled) == 1 else None


def _sent_on(channel: Channel | None, forward: Forward) -> bool:
    if channel is None or channel.cause != _MOVED or channel.ended is None:
        return False
    return abs(channel.ended - forward.at) <= _SECOND
