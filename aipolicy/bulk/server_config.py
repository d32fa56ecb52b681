"""Configuration of nginx, Caddy and Apache that sends each host's headers without an application.

Hosts with equal headers form one set, and each set has a number. Each text explains its use in comments,
whose indented lines are configuration too.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from aipolicy.bulk.host_folder import DEFAULT, DEFAULT_TDMREP, FILES, SHARD, TDMREP
from aipolicy.core.policy import SitePolicy, preset_named
from aipolicy.core.validation import Visibility
from aipolicy.errors import AIPolicyError, PolicyError
from aipolicy.lookup.renderer import Renderer
from aipolicy.signals.header_field import Header
from aipolicy.signals.headers import as_text, headers_of
from aipolicy.signals.switches import Signals

Hosts = Iterable[tuple[str, int]]
"""Hosts with other headers than the default, and the number of their header set."""

_SAFE_PATH = re.compile(r"/[\w./+@-]*")
# These names have a special meaning as a key of nginx's map (ngx_http_map_module).
_NGINX_SPECIAL = frozenset({"default", "hostnames", "include", "volatile"})


Lines = tuple[tuple[str, str], ...]
"""Header lines: names in the spelling of their specifications, and values."""


@dataclass(frozen=True, slots=True)
class HeaderLine:
    """A header line that a site may send.

    Attributes:
        value: None if it depends on the site.
        variable: Its name in a server's configuration.
    """

    name: str
    value: str | None
    variable: str

    def value_in(self, lines: Lines) -> str:
        """Return the value of this line in a set; "" if it isn't sent."""
        return next((v for n, v in lines if n == self.name and self.value in (None, v)), "")


class HeaderSets:
    """Header sets by their number; 0 is the set of unknown hosts.

    Attributes:
        default: The preset of unknown hosts.
        hosts: Number of all hosts.
        with_paths: Number of hosts with path preferences, which a configuration can't express.
        unusable: Hosts whose policy can't be used.
    """

    def __init__(self, default: str, signals: Signals) -> None:
        self._renderer = Renderer(signals)
        self.default = preset_named(default)
        default_policy = SitePolicy.from_preset(self.default)
        self._numbers: dict[Lines, int] = {_lines(self._renderer.rendering(default_policy).site.headers): 0}
        self.lines = _header_lines(signals)
        self.hosts = self.with_paths = 0
        self.unusable: list[str] = []

    def numbered(self, texts: Iterable[tuple[str, str]]) -> Iterator[tuple[str, int]]:
        """Yield each host whose headers differ from the default, and the number of its set.

        A host whose policy can't be used has the default, and is added to ``unusable``.

        Args:
            texts: Pairs of host and policy in JSON.
        """
        for host, text in texts:
            self.hosts += 1
            try:
                rendering = self._renderer.read(text.encode())
            except (AIPolicyError, ValueError, TypeError, RecursionError):
                self.unusable.append(host)
                continue
            self.with_paths += bool(rendering.paths)
            lines = _lines(rendering.site.headers)
            number = self._numbers.setdefault(lines, len(self._numbers))
            if number:
                yield host, number

    def __iter__(self) -> Iterator[tuple[int, Lines]]:
        """Yield the number and lines of every set so far."""
        return ((number, lines) for lines, number in self._numbers.items())


def nginx(sets: HeaderSets, hosts: Hosts, files: str) -> Iterator[str]:
    """Yield lines for nginx's ``http`` block (ngx_http_map_module)."""
    path = _checked_path(files)
    yield from _comment(
        "The headers of each host. Include this in http { }, before any other map. In each server { }:",
        *(f"   add_header {line.name} ${line.variable} always;" for line in sets.lines),
        "   location = /robots.txt {",
        f"     root {path};",
        '     default_type "text/plain; charset=utf-8";',
        f"     try_files /{FILES}/$aipolicy_folder/$host /{DEFAULT} =404;",
        *(f"     add_header {line.name} ${line.variable} always;" for line in sets.lines),
        "   }",
        *_if_tdm(
            sets,
            "   location = /.well-known/tdmrep.json {",
            f"     root {path};",
            "     default_type application/json;",
            f"     try_files /{TDMREP}/$aipolicy_folder/$host /{DEFAULT_TDMREP} =404;",
            *(f"     add_header {line.name} ${line.variable} always;" for line in sets.lines),
            "   }",
        ),
        "A location with an add_header of its own inherits none: repeat them there, as in this one.",
        f"{_generator(sets, path)} writes the files.",
    )
    yield "map_hash_max_size 1048576;"
    yield "map_hash_bucket_size 512;"
    yield 'geo $aipolicy_dollar { default "$"; }  # the one way to write a dollar sign'
    yield "map $host $aipolicy_folder {"
    yield "  default _;"
    yield f'  "~{SHARD.replace("([^", "(?<aipolicy_end>[^")}" $aipolicy_end;'
    yield "}"
    yield "map $host $aipolicy_set {"
    yield "  default 0;"
    for host, number in hosts:
        yield f"  {_nginx_key(host)} {number};"
    yield "}"
    for line in sets.lines:
        yield f"map $aipolicy_set ${line.variable} {{"
        yield '  default "";'
        for number, lines in sets:
            if value := line.value_in(lines):
                yield f"  {number} {_nginx_value(value)};"
        yield "}"


def caddy(sets: HeaderSets, hosts: Hosts, files: str) -> Iterator[str]:
    """Yield the lines of a Caddyfile snippet (Caddy 2: map, vars matcher, header)."""
    path = _checked_path(files)
    yield from _comment(
        "The headers of each host. Import this file at the top of the Caddyfile, and in each site:",
        "   import aipolicy",
        "   handle /robots.txt {",
        f"     root * {path}",
        '     header Content-Type "text/plain; charset=utf-8"',
        f"     try_files /{FILES}/{{aipolicy_folder}}/{{host}} /{DEFAULT}",
        "     file_server",
        "   }",
        *_if_tdm(
            sets,
            "   handle /.well-known/tdmrep.json {",
            f"     root * {path}",
            "     header Content-Type application/json",
            f"     try_files /{TDMREP}/{{aipolicy_folder}}/{{host}} /{DEFAULT_TDMREP}",
            "     file_server",
            "   }",
        ),
        "Caddy compares hosts one after another, and as they are written: for some thousand sites. A host in",
        "capitals is answered like an unknown one.",
        f"{_generator(sets, path)} writes the files.",
    )
    yield "(aipolicy) {"
    yield "\tmap {host} {aipolicy_folder} {"
    yield f'\t\t"~{SHARD}" "${{1}}"'
    yield "\t\tdefault _"
    yield "\t}"
    yield "\tmap {host} {aipolicy_set} {"
    for host, number in hosts:
        # An exact match, except for the host "default", which is a keyword there.
        yield f"\t\t{_caddy_value(host) if host != 'default' else _caddy_value('~^default$')} {number}"
    yield "\t\tdefault 0"
    yield "\t}"
    for number, lines in sets:
        if lines:
            yield f"\t@aipolicy_{number} vars {{aipolicy_set}} {number}"
            yield f"\theader @aipolicy_{number} {{"
            for name, value in lines:
                yield f"\t\t+{name} {_caddy_value(value)}"
            yield "\t}"
    yield "}"


def apache(sets: HeaderSets, files: str, map_file: str) -> Iterator[str]:
    """Yield lines for a ``VirtualHost`` of Apache 2.4 (mod_rewrite, mod_headers) that read ``map_file``."""
    path, hosts = _checked_path(files), _checked_path(map_file)
    yield from _comment(
        "The headers of each host. Include this in each <VirtualHost>; needs mod_rewrite, mod_headers.",
        f"Behind it, for the files of {_generator(sets, path)}:",
        f'   RewriteCond %{{ENV:AIPOLICY_HOST}} "{SHARD}"',
        "   RewriteRule ^ - [E=AIPOLICY_FOLDER:%1]",
        f"   RewriteCond {path}/{FILES}/%{{ENV:AIPOLICY_FOLDER}}/%{{ENV:AIPOLICY_HOST}} -f",
        "   RewriteRule ^/robots\\.txt$ "
        f"{path}/{FILES}/%{{ENV:AIPOLICY_FOLDER}}/%{{ENV:AIPOLICY_HOST}} [L,T=text/plain]",
        f"   RewriteRule ^/robots\\.txt$ {path}/{DEFAULT} [L,T=text/plain]",
        *_if_tdm(
            sets,
            f"   RewriteCond {path}/{TDMREP}/%{{ENV:AIPOLICY_FOLDER}}/%{{ENV:AIPOLICY_HOST}} -f",
            "   RewriteRule ^/\\.well-known/tdmrep\\.json$ "
            f"{path}/{TDMREP}/%{{ENV:AIPOLICY_FOLDER}}/%{{ENV:AIPOLICY_HOST}} [L,T=application/json]",
            f"   RewriteRule ^/\\.well-known/tdmrep\\.json$ {path}/{DEFAULT_TDMREP} [L,T=application/json]",
        ),
        f'   <Directory "{path}">',
        "     Require all granted",
        "   </Directory>",
        "For a million hosts make the map a hash with httxt2dbm, and write dbm: for txt: below.",
    )
    yield "RewriteEngine on"
    yield "RewriteMap aipolicy_lower int:tolower"
    yield f'RewriteMap aipolicy "txt:{hosts}"'
    yield 'RewriteCond %{HTTP_HOST} "^(\\[[^\\]]+\\]|[^:]+?)\\.?(?::[0-9]*)?$"'
    yield "RewriteRule ^ - [E=AIPOLICY_HOST:${aipolicy_lower:%1}]"
    yield "RewriteRule ^ - [E=AIPOLICY:${aipolicy:%{ENV:AIPOLICY_HOST}|0}]"
    for number, lines in sets:
        for name, value in lines:
            condition = f"expr=%{{reqenv:AIPOLICY}} == '{number}'"
            verb = "add" if name in ("X-Robots-Tag", "Link") else "set"
            yield f'Header always {verb} {name} {_apache_value(value)} "{condition}"'


def apache_map(hosts: Hosts) -> Iterator[str]:
    """Return the lines of the RewriteMap."""
    return (f"{host} {number}" for host, number in hosts)


def _if_tdm(sets: HeaderSets, *lines: str) -> tuple[str, ...]:
    """Return ``lines``, which serve tdmrep.json, unless that signal is switched off."""
    return lines if any(line.name == "tdm-reservation" for line in sets.lines) else ()


def _generator(sets: HeaderSets, path: str) -> str:
    """Return the command that writes the files, with the default of these headers."""
    default = "" if sets.default == "no-training" else f" --default {sets.default}"
    return f"'aipolicy robots --all --out {path}{default}'"


def _comment(*lines: str) -> Iterator[str]:
    return (f"# {line}" for line in lines)


def _checked_path(path: str) -> str:
    """Return ``path`` if it needs no escape in any configuration. Raises AIPolicyError."""
    if not _SAFE_PATH.fullmatch(path):
        fix = "use an absolute path of letters, digits and ./_+@-"
        raise AIPolicyError(f"the path {path!r} can't be written in a configuration: {fix}")
    return path


def _nginx_key(host: str) -> str:
    return f"\\{host}" if host in _NGINX_SPECIAL else f'"{host}"'


def _nginx_value(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "${aipolicy_dollar}")
    return f'"{escaped}"'


def _caddy_value(value: str) -> str:
    """Quote a value: between double quotes only a double quote is escaped."""
    escaped = _without_braces(value).replace('"', '\\"')
    return f'"{escaped}"'


def _apache_value(value: str) -> str:
    """Quote a format string of mod_headers, in which %% is one %."""
    escaped = _without_braces(value).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def _without_braces(value: str) -> str:
    """Percent-encode braces, which Caddy and Apache interpret even in quotes.

    Only URLs contain braces, where RFC 3986 requires the encoding anyway.
    """
    return value.replace("{", "%7B").replace("}", "%7D")


def _lines(headers: Iterable[Header]) -> Lines:
    lines = tuple(map(as_text, headers))
    for name, value in lines:
        if not value.isprintable():
            raise PolicyError(f"the header {name} is {value!r}: use printable characters")
    return lines


def _header_lines(signals: Signals) -> tuple[HeaderLine, ...]:
    """Return every line that a site may send with these signals, in the order in which they are sent."""
    url = "https://blog.example/"
    everything = SitePolicy.from_preset(
        "no-ai", visibility=Visibility.DISCOURAGED, tdm_policy_url=url, license_url=url
    )
    found: list[HeaderLine] = []
    for name, value in _lines(headers_of(everything, everything.effective, signals)):
        before = sum(line.name == name for line in found)
        variable = "aipolicy_" + name.lower().replace("-", "_") + (f"_{before + 1}" if before else "")
        # Only X-Robots-Tag has several lines, and each of them always the same value.
        found.append(HeaderLine(name, value if name == "X-Robots-Tag" else None, variable))
    return tuple(found)
