"""What is named on the command line and has to be known: companies."""

from __future__ import annotations

from cdrd.enrich.printable import printable
from cdrd.enrich.problems import did_you_mean
from cdrd.errors import NotFound
from cdrd.store.database import Database
from cdrd.store.directory import load_company
from cdrd.store.reattributions import company_was_ever

_SHOWN = "See `cdrd directory show`."


async def company_must_be_known(database: Database, company: str, *, hint: str = _SHOWN) -> None:
    """A company that left the directory may have calls; one that never was in it is a slip of the pen."""
    if await company_was_ever(database, company):
        return
    in_force = await load_company(database, company)
    alike = did_you_mean(company, [one.company for one in in_force.companies])
    raise NotFound(f"there never was a company {printable(company)}{alike}", hint=hint)
