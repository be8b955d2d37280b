"""How numbers are written at a site: one number as +44 1908 555101, 01908555101 or 555101 is one number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_NOISE: Final = str.maketrans("", "", " ().")
_SHORTEST: Final = 2
_LONGEST: Final = 32


def cleaned(number: str) -> str:
    """A number as people write it, without spaces, dots and brackets."""
    return number if number.isalnum() else number.translate(_NOISE)


def is_number(text: str) -> bool:
    """Digits, perhaps after a plus: something that can be dialled over a trunk."""
    digits = text.removeprefix("+")
    return _SHORTEST <= len(digits) <= _LONGEST and digits.isdigit() and digits.isascii()


class Dialling:
    """A dialling profile; every part may be empty, and with all empty numbers stay as they are."""

    def __init__(self, profile: Mapping[str, Any]) -> None:
        self.country_code = str(profile.get("country_code") or "")
        self._own = "+" + self.country_code
        self.national_prefix = str(profile.get("national_prefix") or "")
        self.international_prefix = str(profile.get("international_prefix") or "")
        self.area_code = str(profile.get("area_code") or "")
        """As people write it, with the national prefix."""
        digits = str(profile.get("local_digits") or "")
        self.local_digits = frozenset(int(n) for n in digits.split(",") if n.strip())
        """Lengths of local numbers, which get the area code in front."""
        self.national_digits = int(profile.get("national_digits") or 0)
        """Length of a number without the national prefix, where all have one (10 in North America)."""

    def e164(self, number: str) -> str | None:
        """`+` and the country code, or None where the number is not a public one (or is not known to be)."""
        international = self._international(number)
        if international:
            return international
        national = self._national(number)
        return self._own + national if national else None

    def _international(self, number: str) -> str:
        """With a plus, what begins with that or with the prefix for it; else empty."""
        if number.startswith("+"):
            return number
        prefix = self.international_prefix
        return "+" + number[len(prefix) :] if prefix and number.startswith(prefix) else ""

    def _national(self, number: str) -> str:
        """What follows the country code; empty where that, or the number, is no public one."""
        if not self.country_code:
            return ""
        rest = number.removeprefix(self.national_prefix)
        if rest != number and len(rest) == (self.national_digits or len(rest)):
            return rest
        if len(number) == self.national_digits:
            return number
        if self.area_code and len(number) in self.local_digits:
            return self.area_code.removeprefix(self.national_prefix) + number
        return ""

    def written(self, number: str) -> str:
        """The number in full, as it is dialled here: national where it can be, else international."""
        if not ((number.isdigit() or number.lstrip("+").isdigit()) and number.isascii()):
            return number
        international = self._international(number)
        if not international:
            national = self._national(number)
            return self.national_prefix + national if national else number
        if self.country_code and international.startswith(self._own):
            return self.national_prefix + international[len(self._own) :]
        if self.international_prefix:
            return self.international_prefix + international[1:]
        return international

    def is_public(self, number: str) -> bool:
        """Whether it is a number of the public network, by its form alone; short codes are not."""
        if not is_number(number):
            return False
        if len(number) > _LONGEST_EXTENSION or number.startswith("+"):
            return True
        return bool(self.country_code and self.area_code) and len(number) in self.local_digits


_LONGEST_EXTENSION: Final = 6
"""What is longer than this is no extension, unless a company lists it as one."""


def dialling_of(*profiles: Mapping[str, Any]) -> Dialling:
    """A profile from the keys of companies.yaml; a later mapping overrides an earlier one key by key."""
    keys: dict[str, Any] = {}
    for profile in profiles:
        keys.update(profile)
    return Dialling(keys)
