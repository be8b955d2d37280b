"""One leg as the rules see it: what stands at its ends, and what other legs of the call tell about it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from cdrd.enrich.channels import NOT_DIALLED, Dialled, channel_base, parse_dial
from cdrd.enrich.directory import Columns, Did, Directory, Party
from cdrd.records import Attribution, CompanyId, Direction, Leg

DIALLING_APPS = frozenset({"Dial", "RetryDial"})
CONFERENCES = frozenset({"ConfBridge", "MeetMe", "Konference"})
PARKING_APPS = frozenset({"Park", "ParkAndAnnounce", "ParkedCall"})
_NAMED_TECHS = frozenset({"PJSIP", "SIP", "SCCP"})
"""Where the channel has the name that was dialled; that of a DAHDI group or an IAX2 host need not."""
_NOBODY_DIALS = frozenset({"", "s", "t", "i", "h", "a", "o", "e", "T", "~~s~~", "failed"})
"""Extensions of the dialplan's own."""


class Origin(NamedTuple):
    """Who made the leg happen."""

    inside: bool
    """False for a caller from outside: the company is then that which was called."""
    company: CompanyId | None = None
    extension: str | None = None


class Reached(NamedTuple):
    """Where the leg went."""

    outside: bool
    company: CompanyId | None = None
    extension: str | None = None
    trunk: str | None = None


class LegView:
    """Facts about a leg, and the decisions as they fall: origin, reached, direction, then the rest."""

    __slots__ = (
        "_did",
        "answered_for",
        "at",
        "attended",
        "attribution",
        "before",
        "called",
        "calling",
        "columns",
        "consultation",
        "consulting",
        "dialled",
        "dialler",
        "direction",
        "directory",
        "forwarder",
        "leg",
        "moved",
        "origin",
        "other_half",
        "overwritten",
        "parked",
        "pbx",
        "picked",
        "picker",
        "pickup_code",
        "reached",
        "through",
        "transferrer",
    )

    def __init__(self, leg: Leg, directory: Directory) -> None:
        self.leg = leg
        self.directory = directory
        self.pbx = leg.pbx
        self.at = leg.calldate
        self.columns: Columns = directory.columns(leg.pbx)
        self.calling: Party = directory.party(leg.pbx, leg.channel, leg.calldate)
        self.called: Party = directory.party(leg.pbx, leg.dstchannel, leg.calldate)
        self.dialled: Dialled = (
            parse_dial(leg.lastdata) if leg.lastapp in DIALLING_APPS else NOT_DIALLED
        )
        self._did: bool | Did | None = False
        self._no_links()
        self.origin: Origin = _UNDECIDED
        self.reached: Reached | None = None
        self.direction: Direction | None = None
        self.attribution: Attribution | None = None

    def _no_links(self) -> None:
        """What a leg alone knows of others."""
        self.before: LegView | None = None
        """The leg before it on the same channel."""
        self.dialler: LegView | None = None
        """The leg that dialled the Local channel which this leg is an end of."""
        self.other_half: LegView | None = None
        """The leg of the other end of the Local channel."""
        self.through: LegView | None = None
        """The leg of the far end of the Local channel that was reached."""
        self.transferrer: Party | None = None
        self.moved = False
        """The transfer happened right before this leg."""
        self.attended = False
        """dst and lastdata still say whom the transferrer had been."""
        self.consulting = False
        """What was called calls by itself, before an attended transfer."""
        self.consultation: LegView | None = None
        """The leg by which the transferrer had reached the same channel before."""
        self.overwritten = False
        """dst is that of the transfer that came after."""
        self.forwarder: Party | None = None
        self.parked = False
        self.picked = False
        self.pickup_code = False
        self.picker: Party | None = None
        self.answered_for: LegView | None = None
        """Of several telephones that rang, the leg of the one that answered."""

    @property
    def did(self) -> Did | None:
        """The public number by which it came in: what the dialplan noted, else dst."""
        if self._did is False:
            noted = self.noted_number
            found = self.directory.did(self.pbx, noted, self.at) if noted else None
            if found is None and self.leg.dst:
                found = self.directory.did(self.pbx, self.leg.dst, self.at)
            self._did = found
        return self._did  # type: ignore[return-value]  # False is gone by now

    @property
    def noted_number(self) -> str | None:
        """The number that the dialplan noted in a column or in userfield."""
        return self.column(self.columns.did) or self.mark(self.columns.did_mark)

    @property
    def noted_auth(self) -> str | None:
        """The extension whose PIN was keyed, as the dialplan noted it."""
        return self.column(self.columns.auth) or self.mark(self.columns.auth_mark)

    def column(self, name: str) -> str | None:
        """What cdr_custom wrote beyond the columns of Asterisk."""
        extra = self.leg.extra
        if not extra:
            return None
        value = extra.get(name)
        return str(value) if value not in (None, "") else None

    def mark(self, mark: str) -> str | None:
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
    def context_company(self) -> CompanyId | None:
        """Who owns the dialplan context that the leg was in."""
        entry = self.directory.context(self.pbx, self.leg.dcontext, self.at)
        return entry.company if entry else None

    def owns(self, company: CompanyId | None, extension: str | None) -> bool:
        """Whether the extension is one of the company's."""
        if not company or not extension:
            return False
        return self.directory.owns_extension(self.pbx, company, extension, self.at)

    @property
    def keyed(self) -> str | None:
        """dst, where somebody can have dialled it."""
        leg = self.leg
        return None if leg.dst in _NOBODY_DIALS or leg.dcontext == "park-dial" else leg.dst

    @property
    def answered(self) -> bool:
        """Somebody talked to somebody, if only for a moment."""
        return self.leg.disposition == "ANSWERED" and self.leg.dstchannel != ""

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
    def replaced(self) -> bool:
        """The channel reached is none of those that were dialled."""
        dialled = self.dialled
        if not dialled.targets or not dialled.complete or not self.leg.dstchannel:
            return False
        if any(target.base.partition("/")[0] not in _NAMED_TECHS for target in dialled.targets):
            return False
        reached = channel_base(self.leg.dstchannel)
        return all(target.base != reached for target in dialled.targets)


_UNDECIDED = Origin(inside=False)
