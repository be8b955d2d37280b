"""The columns of cel_custom, as the settings name them.

A column is named as cel_custom.conf names it. Three vocabularies are in use and all are understood: that
of `fields =` (name, num, ani, eventextra…), that of old mappings (`${CALLERID(name)}`, `${CHANNEL(exten)}`)
and that of the database backends (cid_name, acctcode, extra…). What stands in parentheses behind
`eventtime` says how it is printed; that is seen anyway. `-` or `_` is a column that is not wanted, and any
other name is kept in `extra`. eventtime may be there more than once: what is not ambiguous is believed.
`eventtime:unquoted` says that the mapping quotes nothing: then a newline in a caller's name can forge a
record.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from cdrd.decode.cel_event import KNOWN, REQUIRED
from cdrd.errors import SettingsError

SAMPLE = (
    "eventtype",
    "eventtime",
    "eventtime(double)",
    "userdeftype",
    "name",
    "num",
    "ani",
    "rdnis",
    "dnid",
    "exten",
    "context",
    "channame",
    "appname",
    "appdata",
    "amaflags",
    "accountcode",
    "peeraccount",
    "uniqueid",
    "linkedid",
    "userfield",
    "peer",
    "eventextra",
)
"""What to paste as `fields =`: everything there is, and the time without ambiguity."""

UNQUOTED = "eventtime:unquoted"
_IGNORED = ("-", "_")
_ALIASES = {
    "usereventname": "userdeftype",
    "name": "cid_name",
    "num": "cid_num",
    "ani": "cid_ani",
    "rdnis": "cid_rdnis",
    "dnid": "cid_dnid",
    "cidname": "cid_name",
    "cidnum": "cid_num",
    "cidani": "cid_ani",
    "cidrdnis": "cid_rdnis",
    "ciddnid": "cid_dnid",
    "acctcode": "accountcode",
    "peeracct": "peeraccount",
    "bridgepeer": "peer",
    "eventextra": "extra",
    "channel": "channame",
}
_FUNCTION = re.compile(r"(?:CALLERID|CHANNEL)\((\w+)\)", re.IGNORECASE)


def field_name(column: str) -> str:
    """The field of a CelEvent that a column is, or the column's own name."""
    function = _FUNCTION.fullmatch(column.strip("${}"))
    name = function[1] if function else column.strip("${}")
    if name.lower().startswith("eventtime"):
        return "eventtime"
    name = _ALIASES.get(name.lower(), name)
    return name.lower() if name.lower() in KNOWN else name


def fields_of_columns(columns: Sequence[str]) -> tuple[str, ...]:
    """The field of each column, empty where it is not wanted. SettingsError lists what is wrong."""
    fields = tuple("" if name in _IGNORED else field_name(name) for name in columns)
    counted = Counter(name for name in fields if name and name != "eventtime")
    problems = [f"columns: {name} is there {n} times" for name, n in counted.items() if n > 1]
    problems += [f"columns: {name} is missing" for name in REQUIRED if name not in fields]
    if problems:
        raise SettingsError(problems, hint="name the columns as cel_custom.conf lists them")
    return fields
