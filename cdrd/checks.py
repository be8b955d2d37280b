"""What is wrong with settings beyond their form: everything that starting with them would stumble over."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from itertools import combinations
from pathlib import PurePath

from cdrd.collect.carriers import check_carriers
from cdrd.collect.stage import check_source
from cdrd.enrich.companies import load_companies
from cdrd.errors import CdrdError, SettingsError
from cdrd.serve.address import networks
from cdrd.serve.stage import check_serve
from cdrd.settings import ServeSettings, Settings
from cdrd.source_settings import SourceSettings

_GLOB = re.compile(r"[*?[]")
_EVERYTHING = ("collect", "enrich", "serve")


def check_settings(
    settings: Settings,
    *,
    roles: Collection[str] = _EVERYTHING,
    running: ServeSettings | None = None,
) -> None:
    """Raises SettingsError with every problem that a process of these roles would have.

    `running` are the settings of a server that goes on until these replace them.
    """
    problems: list[str] = []
    for check in _checks(settings, roles, running):
        try:
            check()
        except SettingsError as error:
            problems += error.problems
        except CdrdError as error:
            problems.append(str(error))
    if problems:
        raise SettingsError(problems)


def _checks(
    settings: Settings, roles: Collection[str], running: ServeSettings | None
) -> Iterator[Callable[[], object]]:
    if "collect" in roles:
        yield partial(_check_paths, [source for source in settings.sources if source.path])
        carriers = {source.carrier for source in settings.sources if source.carrier}
        yield partial(check_carriers, settings.collect.carriers, carriers)
        files = [
            source
            for source in settings.sources
            if source.way in {"path", "drop", "forward"} and not source.carrier
        ]
        yield from (partial(check_source, source) for source in files)
    if "enrich" in roles and settings.enrich.companies is not None:
        yield partial(load_companies, settings.enrich.companies)
    if "serve" in roles:
        yield partial(networks, settings.serve.trusted_proxies)
        yield partial(check_serve, settings.serve, running=running)


def _check_paths(sources: Sequence[SourceSettings]) -> None:
    """What two sources follow is stored twice, or read twice for nothing."""
    problems = [
        f"sources: {one.name} and {other.name} both follow {one.path}: a file belongs to one source"
        for one, other in combinations(sources, 2)
        if _is_among(one.path, other.path) or _is_among(other.path, one.path)
    ]
    if problems:
        raise SettingsError(problems)


def _is_among(path: str, pattern: str) -> bool:
    return path == pattern or (_GLOB.search(pattern) is not None and PurePath(path).match(pattern))
