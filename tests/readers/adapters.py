"""Parsers of robots.txt that this project did not write, behind one interface.

Every reader is given the bytes as served and asks with a bare product token, as a crawler does. Where a
library has a loader of its own, that loader reads the bytes (from a ``data:`` URL): the decoding and the
splitting into lines are then the library's and not ours.
"""

import base64
import urllib.robotparser
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Protocol

from gpyrobotstxt import robots_cc as gpyrobotstxt
from gpyrobotstxt.robotstxtparser import RobotsTxtParser
from protego import Protego
from robots import RobotsParser

# The two that are compiled are not built for every version of Python.
try:
    import robotstxt as fast_robotstxt
except ModuleNotFoundError:
    fast_robotstxt = None
try:
    from jwm.robotstxt import googlebot as jwm_robotstxt
except ModuleNotFoundError:
    jwm_robotstxt = None

ORIGIN = "https://blog.example"
_FILES = 32  # parsed files each reader remembers


class Reader(Protocol):
    """One parser: may the crawler with this product token fetch this path?"""

    name: str

    def allowed(self, robots_txt: bytes, token: str, path: str) -> bool: ...


def _data_url(robots_txt: bytes) -> str:
    return "data:text/plain;base64," + base64.b64encode(robots_txt).decode("ascii")


class ProtegoReader:
    """Scrapy's parser, decoding as Scrapy did until it learnt to skip a byte order mark."""

    name = "protego"

    @staticmethod
    @lru_cache(_FILES)
    def _parse(robots_txt: bytes) -> Protego:
        return Protego.parse(robots_txt.decode("utf-8", "ignore"))

    def allowed(self, robots_txt: bytes, token: str, path: str) -> bool:
        return bool(self._parse(robots_txt).can_fetch(ORIGIN + path, token))


class StdlibReader:
    """CPython's own; which of its two parsers this is depends on the patch level (see STDLIB_IS_RFC9309)."""

    name = "urllib.robotparser"

    @staticmethod
    @lru_cache(_FILES)
    def _parse(robots_txt: bytes) -> urllib.robotparser.RobotFileParser:
        parser = urllib.robotparser.RobotFileParser(_data_url(robots_txt))
        parser.read()
        return parser

    def allowed(self, robots_txt: bytes, token: str, path: str) -> bool:
        return self._parse(robots_txt).can_fetch(token, ORIGIN + path)


class RobotspyReader:
    """robotspy: written after RFC 9309, tolerant of its authors' own list of slips."""

    name = "robotspy"

    @staticmethod
    @lru_cache(_FILES)
    def _parse(robots_txt: bytes) -> RobotsParser:
        return RobotsParser.from_uri(_data_url(robots_txt))

    def allowed(self, robots_txt: bytes, token: str, path: str) -> bool:
        return self._parse(robots_txt).can_fetch(token, ORIGIN + path)


class _Recorder:
    """Keeps the calls that a parse makes, so that one parse serves every question about a file."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args: self.calls.append((name, args))


class GpyReader:
    """gpyrobotstxt: a port of Google's parser to Python."""

    name = "gpyrobotstxt"

    @staticmethod
    @lru_cache(_FILES)
    def _parse(robots_txt: bytes) -> tuple[tuple[str, tuple[Any, ...]], ...]:
        recorder = _Recorder()
        RobotsTxtParser(robots_txt, recorder).parse()
        return tuple(recorder.calls)

    def allowed(self, robots_txt: bytes, token: str, path: str) -> bool:
        matcher = gpyrobotstxt.RobotsMatcher()
        matcher.init_user_agents_and_path([token], gpyrobotstxt.get_path_params_query(ORIGIN + path))
        for name, args in self._parse(robots_txt):
            getattr(matcher, name)(*args)
        return not matcher.disallow()


class FastReader:
    """fast-robotstxt: a C++ fork of Google's parser that also normalises URLs; it takes text only."""

    name = "fast-robotstxt"

    def allowed(self, robots_txt: bytes, token: str, path: str) -> bool:
        with fast_robotstxt.RobotsMatcher() as matcher:
            return bool(matcher.is_allowed(robots_txt.decode("utf-8", "replace"), token, ORIGIN + path))


class JwmReader:
    """jwm.robotstxt: Google's own C++, bound as it is."""

    name = "jwm-robotstxt"

    def allowed(self, robots_txt: bytes, token: str, path: str) -> bool:
        matcher = jwm_robotstxt.RobotsMatcher()
        return bool(matcher.AllowedByRobots(robots_txt, [token], ORIGIN + path))


_COMPILED: tuple[tuple[Any, Reader], ...] = ((jwm_robotstxt, JwmReader()), (fast_robotstxt, FastReader()))

READERS: tuple[Reader, ...] = (
    *(reader for module, reader in _COMPILED if module),
    GpyReader(),
    ProtegoReader(),
    RobotspyReader(),
    StdlibReader(),
)
"""Those that are here."""

STDLIB_IS_RFC9309: bool = not StdlibReader().allowed(b"User-agent: *\nAllow: /\nDisallow: /p\n", "Any", "/p")
"""The rewritten standard library lets the longest match win; the old one, the first."""


def _here(*names: str) -> frozenset[str]:
    return frozenset(reader.name for reader in READERS if reader.name in names)


JWM, FAST, GPY = _here("jwm-robotstxt"), _here("fast-robotstxt"), _here("gpyrobotstxt")
PROTEGO, SPY, STDLIB = _here("protego"), _here("robotspy"), _here("urllib.robotparser")
GOOGLE: frozenset[str] = JWM | FAST | GPY
OLD, NEW = (_here(), STDLIB) if STDLIB_IS_RFC9309 else (STDLIB, _here())

GOOGLE_STYLE: frozenset[str] = GOOGLE | SPY
"""Readers that cut a product token at the first character outside [A-Za-z_-]."""
