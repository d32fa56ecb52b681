"""Header sets as configuration of nginx, Caddy and Apache, for what they serve without an application.

Each text says how it is used, in comments whose indented lines are the configuration itself.
"""

import re
from collections.abc import Iterable, Iterator

from aipolicy.bulk.folder_layout import FILES, SHARD, TDMREP
from aipolicy.bulk.header_sets import HeaderSets
from aipolicy.bulk.host_folder import DEFAULT, DEFAULT_TDMREP
from aipolicy.errors import AIPolicyError

Hosts = Iterable[tuple[str, int]]
"""Hosts that are not the default's, and the number of their header set."""

_SAFE_PATH = re.compile(r"/[\w./+@-]*")
# With these names a key of nginx's map would be something else (ngx_http_map_module).
_NGINX_SPECIAL = frozenset({"default", "hostnames", "include", "volatile"})


def nginx(sets: HeaderSets, hosts: Hosts, files: str) -> Iterator[str]:
    """Lines for nginx's ``http`` block (ngx_http_map_module)."""
    path = _checked_path(files)
    yield from _comment(
        "Which host sends which headers. Include this in http { }, before any other map. In each server { }:",
        *(f"   add_header {slot.name} ${slot.variable} always;" for slot in sets.slots),
        "   location = /robots.txt {",
        f"     root {path};",
        '     default_type "text/plain; charset=utf-8";',
        f"     try_files /{FILES}/$aipolicy_folder/$host /{DEFAULT} =404;",
        *(f"     add_header {slot.name} ${slot.variable} always;" for slot in sets.slots),
        "   }",
        *_if_tdm(
            sets,
            "   location = /.well-known/tdmrep.json {",
            f"     root {path};",
            "     default_type application/json;",
            f"     try_files /{TDMREP}/$aipolicy_folder/$host /{DEFAULT_TDMREP} =404;",
            *(f"     add_header {slot.name} ${slot.variable} always;" for slot in sets.slots),
            "   }",
        ),
        "A location with an add_header of its own inherits none: repeat them there, as in this one.",
        f"'aipolicy robots --all --out {path}' writes the files.",
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
    for slot in sets.slots:
        yield f"map $aipolicy_set ${slot.variable} {{"
        yield '  default "";'
        for number, lines in sets:
            if value := slot.of(lines):
                yield f"  {number} {_nginx_value(value)};"
        yield "}"


def caddy(sets: HeaderSets, hosts: Hosts, files: str) -> Iterator[str]:
    """A Caddyfile snippet (Caddy 2: map, vars matcher, header)."""
    path = _checked_path(files)
    yield from _comment(
        "Which host sends which headers. Import this file at the top of the Caddyfile, and in each site:",
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
        f"'aipolicy robots --all --out {path}' writes the files.",
    )
    yield "(aipolicy) {"
    yield "\tmap {host} {aipolicy_folder} {"
    yield f'\t\t"~{SHARD}" "${{1}}"'
    yield "\t\tdefault _"
    yield "\t}"
    yield "\tmap {host} {aipolicy_set} {"
    for host, number in hosts:
        # Exactly, but a host whose name means something else there.
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
    """Lines for a ``VirtualHost`` of Apache 2.4 (mod_rewrite, mod_headers), once the map is written."""
    path, hosts = _checked_path(files), _checked_path(map_file)
    yield from _comment(
        "Which host sends which headers. Include this in each <VirtualHost>; needs mod_rewrite, mod_headers.",
        "Behind it, for the files of 'aipolicy robots --all':",
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
    """The text of the RewriteMap."""
    return (f"{host} {number}" for host, number in hosts)


def _if_tdm(sets: HeaderSets, *lines: str) -> tuple[str, ...]:
    """Lines that serve tdmrep.json; none where the switch is off."""
    return lines if any(slot.name == "tdm-reservation" for slot in sets.slots) else ()


def _comment(*lines: str) -> Iterator[str]:
    return (f"# {line}" for line in lines)


def _checked_path(path: str) -> str:
    """A path that every configuration takes as it is. Raises AIPolicyError."""
    if not _SAFE_PATH.fullmatch(path):
        fix = "give an absolute one of letters, digits and ./_+@-"
        raise AIPolicyError(f"the path {path!r} can't stand in a configuration: {fix}")
    return path


def _nginx_key(host: str) -> str:
    return f"\\{host}" if host in _NGINX_SPECIAL else f'"{host}"'


def _nginx_value(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "${aipolicy_dollar}")
    return f'"{escaped}"'


def _caddy_value(value: str) -> str:
    """Between double quotes only a quote is escaped."""
    escaped = _without_braces(value).replace('"', '\\"')
    return f'"{escaped}"'


def _apache_value(value: str) -> str:
    """A format string of mod_headers (%% is one %), between double quotes."""
    escaped = _without_braces(value).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def _without_braces(value: str) -> str:
    """Braces mean something to Caddy and Apache however they are quoted; in a URL (RFC 3986) they are to be
    percent-encoded anyway, and elsewhere there are none."""
    return value.replace("{", "%7B").replace("}", "%7D")
