"""Evidence: what a file's content says about the generations, and where else these are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import NamedTuple

from cdrd.collect.compressed import OpenContent, is_compressed, open_content
from cdrd.collect.disk import DiskFile
from cdrd.collect.generations import Generation
from cdrd.collect.identity import HEAD_BYTES, Likeness, contained, likeness
from cdrd.collect.openfiles import OpenFiles
from cdrd.collect.survey import Survey
from cdrd.collect.tracks import Track
from cdrd.collect.verdicts import Home, Verdict, of_path, of_rotated


class Judged(NamedTuple):
    """What is done with a file, and as which generation."""

    verdict: Verdict
    generation: Generation | None = None


class Place(NamedTuple):
    """Where the content of a generation is."""

    home: Home
    track: Track | None = None
    file: DiskFile | None = None


class Candidate(NamedTuple):
    """A generation that a file may be."""

    generation: Generation
    likeness: Likeness
    place: Place

    @property
    def rank(self) -> tuple[bool, bool, int]:
        """The best evidence is the greatest: everything stored is in it, in the same inode, and much."""
        return (
            self.likeness is Likeness.SAME,
            self.place.home is Home.HERE,
            self.generation.position.offset,
        )


class Whereabouts:
    """A look around from one open file that is not known yet."""

    def __init__(self, survey: Survey, path: DiskFile | None, files: OpenFiles) -> None:
        self._survey = survey
        self._path = path
        self._files = files

    def of_path(
        self, content: OpenContent, alike: Iterable[Generation], *, settled: bool
    ) -> Judged:
        """What the file at the followed path is."""
        best = self._best(content, alike, at_path=True)
        if best is None:
            return Judged(Verdict.NEW)
        verdict = of_path(best.likeness, best.place.home, settled=settled)
        if verdict is Verdict.GOES_ON and best.place.home is Home.NOWHERE and self._survey.unknown:
            verdict = Verdict.WAIT  # one of those may be it
        return Judged(verdict, best.generation)

    def of_rotated(
        self, content: OpenContent, alike: Iterable[Generation], *, settled: bool
    ) -> Judged:
        """What a rotated file is."""
        if not content.read(0, 1) and content.is_whole():
            return Judged(Verdict.COPY)  # nothing, compressed: that is how every file begins
        best = self._best(content, alike, at_path=False)
        if best is None:
            return self._unknown(content, settled=settled)
        if best.likeness is Likeness.SHORTER and best.place.home not in (Home.HERE, Home.NOWHERE):
            if _is_copy(content, best.place):
                return Judged(Verdict.COPY)
            return self._unknown(content, settled=settled)
        longer = _is_longer(content, best)
        verdict = of_rotated(best.likeness, best.place.home, settled=settled, longer=longer)
        return Judged(verdict, best.generation)

    def _best(
        self, content: OpenContent, alike: Iterable[Generation], *, at_path: bool
    ) -> Candidate | None:
        found = [
            Candidate(generation, _likeness(content, generation, place, at_path=at_path), place)
            for generation in alike
            for place in [self._place(generation, content)]
        ]
        return max(
            (candidate for candidate in found if candidate.likeness is not Likeness.OTHER),
            key=lambda candidate: candidate.rank,
            default=None,
        )

    def _place(self, generation: Generation, content: OpenContent) -> Place:
        track = self._files.reading(generation)
        if track is not None and _is_still(track):
            return self._place_of(track)
        physical = generation.position.physical
        if physical == content.status().physical:
            return Place(Home.HERE)
        if self._path is not None and physical == self._path.physical:
            # a file that is followed at the path is a generation of its own
            at_path = self._files.live is None and _holds(self._path, generation)
            return Place(Home.PATH, None, self._path) if at_path else Place(Home.NOWHERE)
        file = self._survey.files.get(physical)
        if file is not None and _holds(file, generation):
            return Place(Home.ROTATED, None, file)
        return Place(Home.NOWHERE)

    def _place_of(self, track: Track) -> Place:
        file = track.content.status()
        if track is self._files.live:
            return Place(Home.PATH, track, file)
        if file.links == 0:
            return Place(Home.REMOVED, track, file)
        seen = file.physical in self._survey.files
        return Place(Home.ROTATED if seen else Home.ELSEWHERE, track, file)

    def _unknown(self, content: OpenContent, *, settled: bool) -> Judged:
        """A rotated file that begins like no generation: a new one, if it is not just a copy."""
        file = content.status()
        for other in self._others(file):
            if _is_beginning_of(content, other):
                return Judged(Verdict.COPY, self._read_in(other))
        was_copy_of = self._survey.copies.get(file.key)
        if was_copy_of is not None and file.size <= was_copy_of.position.offset:
            # too short for the checksum of its beginning; but it was seen to be a copy
            away = self._place(was_copy_of, content).home in (Home.HERE, Home.NOWHERE)
            return Judged(Verdict.ENDED if away else Verdict.COPY, was_copy_of)
        return Judged(Verdict.NEW if settled or _is_enough(content) else Verdict.WAIT)

    def _read_in(self, file: DiskFile) -> Generation | None:
        return next(
            (track.generation for track in self._files if track.physical == file.physical), None
        )

    def _others(self, file: DiskFile) -> Iterator[DiskFile]:
        others = [*self._survey.files.values(), *filter(None, [self._path])]
        for other in others:
            if other.physical != file.physical and not self._survey.is_put_aside(other):
                yield other


def _likeness(
    content: OpenContent, generation: Generation, place: Place, *, at_path: bool
) -> Likeness:
    if generation.position.offset or place.track is None:
        return likeness(content, generation.position)
    # nothing of it is stored: that both begin with the same few bytes says little
    there = place.track.content
    same = contained(there, content) if at_path else contained(content, there)
    return Likeness.SAME if same else Likeness.OTHER


def _is_still(track: Track) -> bool:
    """Whether an open file is what is read from it: it may have been truncated since."""
    if track.compressed:
        return True
    return likeness(track.content, track.generation.position) is Likeness.SAME


def _holds(file: DiskFile, generation: Generation) -> bool:
    if generation.is_done_with(file):
        return True
    try:
        with closing(open_content(file.path)) as content:
            return likeness(content, generation.position) is Likeness.SAME
    except FileNotFoundError:
        return False
    except OSError:
        return True  # it can't be read now; the inode is all there is to go by


def _is_beginning_of(content: OpenContent, file: DiskFile) -> bool:
    if is_compressed(file.path):
        return False
    try:
        with closing(open_content(file.path)) as other:
            return contained(content, other)
    except OSError:
        return False


def _is_enough(content: OpenContent) -> bool:
    """Whether a file can't turn out to be a copy in the making: then it would be known as one by now."""
    if is_compressed(content.path):
        return content.is_whole()
    return content.length() >= HEAD_BYTES


def _is_copy(content: OpenContent, place: Place) -> bool:
    """Whether one of the two is how the other begins."""
    if place.track is not None:
        other = place.track.content
        return contained(content, other) or contained(other, content)
    if place.file is None:
        return False
    with closing(open_content(place.file.path)) as other:
        return contained(content, other) or contained(other, content)


def _is_longer(content: OpenContent, best: Candidate) -> bool:
    file = best.place.file
    if file is None or is_compressed(file.path) or is_compressed(content.path):
        return False
    return content.status().size > max(file.size, best.generation.position.offset)
