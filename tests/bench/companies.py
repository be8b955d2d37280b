"""The two companies of the captured calls, and as many others beside them as are wanted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

STATIONS = 20
"""Extensions and numbers of each company that is only there to make the directory large."""


def companies(others: int) -> dict[str, Any]:
    """What companies.yaml says, as data."""
    listed: dict[str, Any] = {
        "acme": {
            "name": "Acme",
            "contexts": ["acme-*"],
            "endpoints": ["PJSIP/acme-{ext}"],
            "extensions": ["101-110"],
            "dids": ["01908555100-01908555199"],
            "outside_prefixes": ["9"],
        },
        "globex": {
            "name": "Globex",
            "account_codes": ["globex", "globex-{ext}"],
            "contexts": ["globex-*"],
            "endpoints": ["PJSIP/globex-{ext}"],
            "extensions": ["101-102", "201-210"],
            "dids": ["02079460200-02079460299"],
            "outside_prefixes": ["9"],
        },
    }
    listed["default"] = {"name": "Whoever is nobody's", "default": "true"}
    listed |= {f"company{number}": _other(number) for number in range(others)}
    return {
        "zone": "Europe/London",
        "trust_account_codes": "true",
        "dialling": {
            "country_code": "44",
            "national_prefix": "0",
            "international_prefix": "00",
        },
        "trunks": ["PJSIP/trunk-alpha", "PJSIP/trunk-beta"],
        "companies": listed,
    }


def _other(number: int) -> dict[str, Any]:
    first = 3_000_000_000 + number * STATIONS
    return {
        "contexts": [f"company{number}-internal"],
        "endpoints": [f"PJSIP/company{number}-{{ext}}"],
        "extensions": [f"101-{100 + STATIONS}"],
        "dids": [f"0{first}", f"0{first + 1}-0{first + STATIONS - 1}"],
    }


def write_companies(path: Path, others: int) -> Path:
    """JSON is YAML."""
    path.write_text(json.dumps(companies(others), indent=1))
    return path
