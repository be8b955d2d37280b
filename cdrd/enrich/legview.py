"""One leg as the rules see it: what stands at its ends, and what other legs of the call tell about it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from cdrd.enrich.channels import NOT_DIALLED, is_replaced, parse_dial
from cdrd.enrich.directory import Directory
from cdrd.enrich.found import Did, Feature, Party, PartyKind
from cdrd.enrich.heard import Told
from cdrd.owners import Entry
from cdrd.records import AcctId, Attribution, CompanyId, Direction, Leg

INTERNAL: Final = Direction.INTERNAL  # a member of an enum is dear to look up before Python 3.12
OUTBOUND: Final = Direction.OUTBOUND
INBOUND: Final = Direction.INBOUND
ONNET: Final = Direction.ONNET

UNSTORED: Final = AcctId(0)
"""The acctid that stands for a leg that is not stored."""
DIALLING_APPS: Final = frozenset({"Dial", "RetryDial"})
CALLED_APPS: Final = frozenset({"AppDial", "AppQueue"})
BY_PROGRAM: Final = "AppDial2"
"""What stands as the application of a channel that a program called, until it runs another one."""
CONFERENCES: Final = frozenset({"ConfBridge", "MeetMe", "Konference"})
MAILBOXES: Final = frozenset({"VoiceMail", "MiniVM", "MinivmRecord"})
PARKING_APPS: Final = frozenset({"Park", "ParkAndAnnounce", "ParkedCall"})
LETS_IN: Final = frozenset({"DISA", "Authenticate", "VMAuthenticate"})
"""What stands in a leg of which the caller was let in, perhaps, and has not dialled on."""
NOBODY_DIALS: Final = frozenset({"", "s", "t", "i", "h", "a", "o", "e", "T", "~~s~~", "failed"})
"""Extensions of the dialplan's own."""


def is_called(leg: Leg) -> bool:
    """Whether it is the leg of a channel that Dial() or Queue() called, and not that of a pick-up code."""
    return leg.lastapp in CALLED_APPS and not leg.dst


class Origin:
    """Who made the leg happen."""

    __slots__ = ("company", "extension", "inside")

    def __init__(
        self, *, inside: bool, company: CompanyId | None = None, extension: str | None = None
    ) -> None:
        self.inside = inside
        """False for a caller from outside: the company is then that which was called."""
        self.company = company
        self.extension = extension


_UNKNOWN: Final = Origin(inside=False)


class Reached:
    """Where the leg went."""

    __slots__ = ("company", "extension", "outside", "trunk")

    def __init__(
        self,
        *,
        outside: bool,
        company: CompanyId | None = None,
        extension: str | None = None,
        trunk: str | None = None,
    ) -> None:
        self.outside = outside
        self.company = company
        self.extension = extension
        self.trunk = trunk


class LegView:
    """Facts about a leg, and the decisions as they fall: origin, reached, direction, then the rest.

    A leg alone is the usual one: what only other legs tell stands here as it is without them.
    """

    plain = True
    """A leg alone, from the party that calls to the one that was dialled; nothing below is known of it."""
    rowless = False
    """Other rows of its channel may exist that nothing ties to it: there is no uniqueid."""
    before: LegView | None = None
    """The leg before it on the same channel."""
    dialler: LegView | None = None
    """The leg that dialled the Local channel which this leg is an end of."""
    other_half: LegView | None = None
    """The leg of the other end of the Local channel."""
    through: LegView | None = None
    """The leg of the far end of the Local channel that was reached."""
    called_by: LegView | None = None
    """The leg that reached this leg's calling channel: what was called calls, or was handed on."""
    swapped = False
    """Its command is that of the caller who took its place in a conference, a queue, a mailbox."""
    joined = False
    """The channel reached had called by itself: somebody joined two callers."""
    transferrer: Party | None = None
    moved = False
    """The transfer happened right before this leg."""
    attended = False
    """dst and lastdata still say whom the transferrer had been."""
    consulting = False
    """What was called calls by itself, before an attended transfer."""
    consultation: LegView | None = None
    """The leg by which the transferrer had reached the same channel before."""
    overwritten = False
    """dst is that of the transfer that came after."""
    forwarder: Party | None = None
    parked = False
    fetched = False
    """It was parked, and somebody took it from there."""
    picked = False
    pickup_code = False
    picker: Party | None = None
    took = False
    """It reached who picked the call up."""
    answered_for: LegView | None = None
    """Of several telephones that rang, the leg of the one that answered."""

    reached: Reached | None = None
    direction: Direction | None = None
    attribution: Attribution | None = None

    _did: bool | Did | None = False
    _feature: bool | Feature | None = False
    _context: bool | Entry | None = False
    heard_did = False
    """The public number by which it came in is known from an event."""
    from_outside: bool | None = None
    """It begins outside; known once it was asked for."""
    number_outside: str | None = None
    """The number that went outside, once it was asked for; empty where it went nowhere."""
    noted = False
    """The dialplan wrote something into userfield or into columns of its own."""
    noted_number: str | None = None
    """The number that the dialplan noted in a column or in userfield."""
    noted_auth: str | None = None
    """The extension whose PIN was keyed, as the dialplan noted it."""

    told: Told | None = None
    """What channel events tell of it; None where the call has none."""

    sort = 0
    """Which rules are for it."""
    is_next = False
    """Its turn to be decided has come, or comes as soon as those that it follows from are decided."""

    def __init__(self, leg: Leg, directory: Directory) -> None:
        self.leg = leg
        self.directory = directory
        self.pbx = pbx = leg.pbx
        self.at = at = leg.calldate
        self.owners = owners = directory.on(pbx)
        self.columns = owners.columns
        self.calling = owners.party(leg.channel, at)
        self.called = owners.party(leg.dstchannel, at)
        self.answered = leg.disposition == "ANSWERED" and leg.dstchannel != ""
        """Somebody talked to somebody, if only for a moment."""
        self.origin = _UNKNOWN
        self.dialled = parse_dial(leg.lastdata) if leg.lastapp in DIALLING_APPS else NOT_DIALLED
        if is_called(leg) and leg.dstchannel.startswith("Local/"):
            self.consulting = True
            self.plain = False
        if leg.uniqueid is None:
            self.rowless = True
            self.plain = False
        if leg.extra or leg.userfield:
            self.noted = True
            columns = self.columns
            self.noted_number = self.column(columns.did) or self._mark(columns.did_mark)
            self.noted_auth = self.column(columns.auth) or self._mark(columns.auth_mark)

    @property
    def did(self) -> Did | None:
        """The public number by which it came in: what was sent, what the dialplan noted, else dst.

        Of a caller who was let in to dial on: the number that was dialled then.
        """
        if self._did is False:
            if self._is_dialled_on():
                self._did = self._dialled_did() or self._noted_did() or self._heard_did()
            else:
                found = self._heard_did() if self.told is not None else None
                self._did = found or self._noted_did() or self._dialled_did()
        return self._did  # type: ignore[return-value]  # False is gone by now

    @property
    def feature(self) -> Feature | None:
        """What dst asks for, where that is a feature code; known once the origin is decided."""
        if self._feature is False:
            dst, company = self.leg.dst, self.origin.company
            self._feature = self.owners.feature(company, dst, self.at)
        return self._feature  # type: ignore[return-value]  # False is gone by now

    def _is_dialled_on(self) -> bool:
        """Whether it is for what was dialled after DISA() had let the caller in."""
        if self.calling.kind is not PartyKind.TRUNK or not self.dialled.targets:
            return False
        if self.noted_auth is not None:
            return True
        channel = self.told.channel if self.told is not None else None
        if channel is None:
            return False
        return any(s.app == "disa" and s.at <= self.passed_until for s in channel.started)

    @property
    def let_in_by(self) -> CompanyId | None:
        """Whose number the caller had called before DISA(), as events say."""
        found = self._heard_did() if self.told is not None and self._is_dialled_on() else None
        return found.company if found is not None else None

    def _noted_did(self) -> Did | None:
        number = self.noted_number
        if not number or self._is_noted_before():
            return None
        return self.owners.did(number, self.at)

    def _dialled_did(self) -> Did | None:
        dst = self.leg.dst
        if not dst or self.attended or self.overwritten:
            return None
        found = self.owners.did(dst, self.at)
        if found is None:
            for rest in self._without_prefix(dst):
                found = found or self.owners.did(rest, self.at)
        return found

    def _is_noted_before(self) -> bool:
        """What the dialplan noted of a call stays with its channel when that is handed on."""
        before = self.before
        return self.transferrer is not None and (
            self.attended or (before is not None and before.noted_number == self.noted_number)
        )

    def _heard_did(self) -> Did | None:
        """A company's number where the channel began, or where the dialplan sent it from there."""
        if self.transferrer is not None or self.calling.kind is PartyKind.LOCAL:
            return None
        for number in self.heard_numbers():
            did = self.owners.did(number, self.at)
            if did is not None:
                self.heard_did = True
                return did
        return None

    def _without_prefix(self, number: str) -> list[str]:
        """What is left without the prefix with which a telephone asks for an outside line."""
        by = self.transferrer or self.calling
        if by.kind is PartyKind.TRUNK and not self._is_dialled_on():
            return []
        company = by.company or self.context_company
        prefixes = self.owners.outside_prefixes(company, self.at)
        return [number[len(prefix) :] for prefix in prefixes if number.startswith(prefix)]

    def heard_numbers(self) -> Iterator[str]:
        """What was called, in the order of the dialplan; nothing of a channel that was called itself."""
        channel = self.told.channel if self.told is not None else None
        if channel is None or channel.was_called:
            return
        if channel.keyed:
            yield channel.keyed
            yield from self._without_prefix(channel.keyed)
        yield from channel.numbers
        until = self.passed_until
        yield from (place.exten for place in channel.places if place.at <= until and place.exten)

    @property
    def passed_until(self) -> datetime:
        """Until when what the channel did led to this leg: the channel reached began, or the leg is over."""
        reached = self.told.reached if self.told is not None else None
        if reached is not None and reached.begun is not None:
            return reached.begun
        return self.ended + timedelta(seconds=1)

    def column(self, name: str) -> str | None:
        """What cdr_custom wrote beyond the columns of Asterisk."""
        extra = self.leg.extra
        if not extra:
            return None
        value = extra.get(name)
        return str(value) if value not in (None, "") else None

    def _mark(self, mark: str) -> str | None:
        """`01908555101` of a userfield `did:01908555101`.

        What follows an empty part is the called channel's: Asterisk joins both with a semicolon.
        """
        userfield = self.leg.userfield
        if not userfield or mark not in userfield:
            return None
        for part in userfield.split(";"):
            if part.startswith(mark):
                return part[len(mark) :].strip() or None
            if not part:
                return None
        return None

    @property
    def context(self) -> Entry | None:
        """What the directory says of the dialplan context that the leg was in."""
        if self._context is False:
            self._context = self.owners.context(self.leg.dcontext, self.at)
        return self._context  # type: ignore[return-value]  # False is gone by now

    @property
    def context_company(self) -> CompanyId | None:
        """Who owns the dialplan context that the leg was in."""
        entry = self.context
        return entry.company if entry is not None else None

    def owns(self, company: CompanyId | None, extension: str | None) -> bool:
        """Whether the extension is one of the company's."""
        if not company or not extension:
            return False
        return self.owners.owns_extension(company, extension, self.at)

    @property
    def keyed(self) -> str | None:
        """dst, where somebody can have dialled it."""
        leg = self.leg
        return None if leg.dst in NOBODY_DIALS or leg.dcontext == "park-dial" else leg.dst

    @property
    def talked(self) -> bool:
        """There was time to say something."""
        leg = self.leg
        if not self.answered or leg.billsec > 0:
            return self.answered
        return bool(leg.answerdate and leg.enddate and leg.enddate > leg.answerdate)

    @property
    def ended(self) -> datetime:
        """When it was over; from the duration where the PBX writes no end."""
        leg = self.leg
        return leg.enddate or leg.calldate + timedelta(seconds=leg.duration)

    @property
    def picks_up(self) -> bool:
        """Whether it is the row of a pick-up code, which bears the name of the telephone that rang."""
        leg = self.leg
        if self.pickup_code:
            return True
        if leg.lastapp not in CALLED_APPS or leg.dstchannel or not leg.dst:
            return False
        feature = self.owners.feature(self.calling.company, leg.dst, self.at)
        return feature is not None and feature.name == "pickup"

    @property
    def replaced(self) -> bool:
        """The channel reached is none of those that were dialled."""
        return is_replaced(self.dialled, self.called.base)

    def take_the_call(self) -> None:
        """Who picked the call up was reached, instead of the telephone that rang."""
        self.picked = self.took = True
        dialler = self.dialler
        if dialler is not None and dialler.through is not None and dialler.through.picked:
            dialler.through = self
