"""``aipolicy export``, with real servers that are configured as its comments say."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from aipolicy.core.policy import Preset, SitePolicy
from aipolicy.registry import Registry
from aipolicy.rendering import render
from aipolicy.signals.switches import Signals
from tests.cli.conftest import Run

AWKWARD = "https://a.example/$host?a=${b}&c={host}%7B;'`"
SIGNALS = Signals(noarchive=True, nosnippet=True, rsl=True, tdm_policy=True)
SWITCHES = ("--noarchive", "--nosnippet", "--rsl", "--tdm-policy")
SITES: dict[str, SitePolicy] = {
    "silent.example": SitePolicy(site="silent.example"),
    "no.example": SitePolicy.from_flag(True, site="no.example"),
    "no-ai.example": SitePolicy.from_preset("no-ai", site="no-ai.example", visibility="discouraged"),
    "allow.example": SitePolicy.from_preset("allow", site="allow.example"),
    "paths.example": SitePolicy(
        site="paths.example",
        path_preferences=(("/press/", SitePolicy.from_preset("no-ai").preferences),),
    ),
    "no.localhost": SitePolicy.from_preset("no-training", site="no.localhost"),
    "no-ai.localhost": SitePolicy.from_preset("no-ai", site="no-ai.localhost"),
    "allow.localhost": SitePolicy.from_preset("allow", site="allow.localhost"),
    "private.example": SitePolicy(site="private.example", visibility="private"),
    "awkward.example": SitePolicy.from_preset(
        "no-ai", site="awkward.example", tdm_policy_url=AWKWARD, license_url=AWKWARD
    ),
    **{
        name: SitePolicy.from_preset("no-ai", site=name)
        for name in ("default", "hostnames", "include", "volatile")
    },
    f"{'l' * 60}.{'o' * 60}.example": SitePolicy.from_preset("allow", site=f"{'l' * 60}.{'o' * 60}.example"),
}
Serve = Callable[[list[str]], None]


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        found: int = listener.getsockname()[1]
    return found


@pytest.fixture(params=["no-training", "unset", "no-ai"])
def default(request: pytest.FixtureRequest) -> Preset:
    """The preset of unknown hosts."""
    preset: Preset = request.param
    return preset


@pytest.fixture
def platform(aipolicy: Run, tmp_path: Path, default: Preset) -> Path:
    """Create a registry and its files."""
    with Registry(f"sqlite:///{tmp_path}/aipolicy.db") as registry:
        for policy in SITES.values():
            registry.put(policy, by="ada", hosts=[f"www.{policy.site}"] if "." in policy.site else None)
    chosen = () if default == "no-training" else ("--default", default)
    done = aipolicy("robots", "--all", "--out", "files", *chosen, *SWITCHES)
    assert done.returncode == 0, done.stderr
    for folder in (tmp_path, *tmp_path.parents[:4]):
        if folder.stat().st_mode & 0o055 != 0o055:  # a server's workers may be another user
            folder.chmod(0o755)
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "index.html").write_text("a page")
    return tmp_path


@pytest.fixture
def serve(port: int) -> Iterator[Serve]:
    started: list[subprocess.Popen[bytes]] = []

    def start(command: list[str]) -> None:
        log = Path(command[-1]).with_name("server.log").open("wb")
        with log:
            started.append(subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, cwd="/"))
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and started[-1].poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.02)
        pytest.fail(f"{command[0]} didn't start: {Path(log.name).read_text()}")

    yield start
    for server in started:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=60)


def program(name: str, package: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed: apt-get install -y {package}")
    return found


def exported(aipolicy: Run, folder: Path, server: str, default: Preset) -> tuple[Path, str]:
    """Return the exported file and the configuration in its comments."""
    file = folder / "aipolicy.conf"
    chosen = () if default == "no-training" else ("--default", default)
    done = aipolicy("export", server, "--out", str(file), "--files", f"{folder}/files", *chosen, *SWITCHES)
    assert done.returncode == 0, done.stderr
    assert f"'{' '.join(('aipolicy robots --all --out', f'{folder}/files', *chosen))}'" in file.read_text()
    usage = [line[4:] for line in file.read_text().splitlines() if line.startswith("#    ")]
    return file, "\n".join(usage)


def check(port: int, default: Preset, *, braces: bool = False) -> None:
    """Check the headers and robots.txt of each host, and the default for unknown hosts."""
    ours = {"x-robots-tag", "content-usage", "tdm-reservation", "tdm-policy", "link"}
    asked = dict(SITES)
    asked |= {f"www.{host}": policy for host, policy in SITES.items() if "." in host}
    asked["unknown.example"] = SitePolicy.from_preset(default)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        for host, policy in asked.items():
            rendering = render(policy, SIGNALS)
            for path in ("/", "/robots.txt", "/.well-known/tdmrep.json", "/missing"):
                answer = client.get(path, headers={"host": host})
                headers = [(n.lower(), v) for n, v in answer.headers.multi_items() if n.lower() in ours]
                wanted = [(n.decode(), v.decode()) for n, v in rendering.site.headers]
                if not braces:
                    wanted = [(n, v.replace("{", "%7B").replace("}", "%7D")) for n, v in wanted]
                assert sorted(headers) == sorted(wanted), (host, path, answer.status_code)
                assert answer.status_code == (404 if path == "/missing" else 200), (host, path)
                tags = [v for n, v in headers if n == "x-robots-tag"]
                assert tags == [v for n, v in wanted if n == "x-robots-tag"], "noai stands first, alone"
                if path == "/.well-known/tdmrep.json":
                    assert answer.content == (rendering.tdmrep.body if rendering.tdmrep else b"[]\n"), host
                    assert answer.headers["content-type"].startswith("application/json"), host
                if path == "/robots.txt":
                    assert answer.content == rendering.robots.body, host
                    assert answer.headers["content-type"].startswith("text/plain"), host


def audit(aipolicy: Run, port: int, default: Preset) -> None:
    """Audit the deployment with ``aipolicy check site``."""
    presets = {"no": "no-training", "no-ai": "no-ai", "allow": "allow", "nobody": default}
    for name, preset in presets.items():
        done = aipolicy(
            *("check", "site", f"http://{name}.localhost:{port}/", "--expect", preset, "--allow-private"),
            *("--delay", "0", "--fail-on", "difference", *SWITCHES),
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_nginx_serves_every_hosts_headers_and_robots_txt(
    aipolicy: Run, platform: Path, port: int, serve: Serve, default: Preset
) -> None:
    nginx = program("nginx", "nginx-light")
    file, usage = exported(aipolicy, platform, "nginx-map", default)
    temporary = "".join(
        f"{name}_temp_path {platform}/{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    configuration = platform / "nginx.conf"
    configuration.write_text(
        f"daemon off; pid {platform}/nginx.pid; error_log stderr;\nevents {{ }}\n"
        f"http {{\n{temporary}access_log off;\ninclude {file};\n"
        f"server {{ listen 127.0.0.1:{port}; root {platform}/page;\n{usage}\n}}\n}}\n"
    )
    tested = subprocess.run([nginx, "-t", "-c", configuration], capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stderr
    assert "warn" not in tested.stderr.replace('the "user" directive', "")
    serve([nginx, "-c", str(configuration)])
    check(port, default, braces=True)
    audit(aipolicy, port, default)
    capitals = httpx.get(f"http://127.0.0.1:{port}/", headers={"host": "ALLOW.example.:80"}, trust_env=False)
    assert capitals.headers["content-usage"] == "train-ai=y, ai-use=y"


def test_caddy_serves_every_hosts_headers_and_robots_txt(
    aipolicy: Run, platform: Path, port: int, serve: Serve, default: Preset
) -> None:
    caddy = program("caddy", "caddy")
    file, usage = exported(aipolicy, platform, "caddy", default)
    configuration = platform / "Caddyfile"
    configuration.write_text(
        f"{{\n\tadmin off\n\tauto_https off\n\tstorage file_system {platform}/caddy\n}}\nimport {file}\n"
        f"http://:{port} {{\n{usage}\nhandle {{\nroot * {platform}/page\nfile_server\n}}\n}}\n"
    )
    serve([caddy, "run", "--adapter", "caddyfile", "--config", str(configuration)])
    check(port, default)
    audit(aipolicy, port, default)


def test_apache_serves_every_hosts_headers_and_robots_txt(
    aipolicy: Run, platform: Path, port: int, serve: Serve, default: Preset
) -> None:
    apache = program("apache2", "apache2")
    file, usage = exported(aipolicy, platform, "apache", default)
    modules = "".join(
        f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"
        for name in ("mpm_event", "authz_core", "dir", "mime", "headers", "rewrite")
    )
    (platform / "mime.types").write_text("text/html html\n")
    configuration = platform / "httpd.conf"
    configuration.write_text(
        f"{modules}ServerName localhost\nPidFile {platform}/httpd.pid\nErrorLog {platform}/error.log\n"
        f"DefaultRuntimeDir {platform}\nTypesConfig {platform}/mime.types\nListen 127.0.0.1:{port}\n"
        f"User www-data\nGroup www-data\n<VirtualHost *>\nDocumentRoot {platform}/page\n"
        f"<Directory {platform}/page>\nRequire all granted\n</Directory>\n"
        f"Include {file}\n{usage}\n</VirtualHost>\n"
    )
    serve([apache, "-X", "-f", str(configuration)])
    check(port, default)
    audit(aipolicy, port, default)
    capitals = httpx.get(f"http://127.0.0.1:{port}/", headers={"host": "ALLOW.example.:80"}, trust_env=False)
    assert capitals.headers["content-usage"] == "train-ai=y, ai-use=y"


@pytest.mark.parametrize("default", ["no-training"], indirect=True)
def test_hosts_with_the_default_headers_are_left_out(aipolicy: Run, platform: Path) -> None:
    text = aipolicy("export", "nginx-map", "--default", "unset").stdout
    assert '"no.example"' in text
    assert '"silent.example"' not in text
    text = aipolicy("export", "nginx-map").stdout
    assert '"no.example"' not in text
    assert '"silent.example"' in text


def test_hosts_with_path_preferences_are_reported(aipolicy: Run) -> None:
    aipolicy("set", "blog.example", "--preset", "no-training", "--path", "/press/ train-ai=y")
    done = aipolicy("export", "caddy")
    assert done.returncode == 0
    assert "1 host has path preferences, which a server's configuration can't express" in done.stderr


def test_the_default_replaces_an_invalid_policy_with_a_message(aipolicy: Run, tmp_path: Path) -> None:
    aipolicy("set", "blog.example", "--preset", "unset")
    with (
        Registry(f"sqlite:///{tmp_path}/aipolicy.db") as registry,
        registry._database.writing() as connection,
    ):
        connection.exec_driver_sql("UPDATE site SET policy = '{'")
    done = aipolicy("export", "nginx-map")
    assert done.returncode == 1
    assert "the policy of 'blog.example' is invalid" in done.stderr
    assert '"blog.example"' not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "culprit"),
    [
        (["apache"], "--out"),
        (["nginx-map", "--files", "/srv/a b"], "'/srv/a b'"),
        (["nginx-map", "--files", "srv"], "absolute"),
        (["caddy", "--out", "no/such/file"], "no/such/file"),
        (["caddy", "--registry", "sqlite:///missing.db"], "missing.db"),
    ],
)
def test_invalid_options_of_export_are_errors(aipolicy: Run, arguments: list[str], culprit: str) -> None:
    aipolicy("set", "blog.example", "--preset", "unset")
    done = aipolicy("export", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert culprit in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("server", ["nginx-map", "caddy", "apache"])
def test_the_help_of_export_shows_an_example(aipolicy: Run, server: str) -> None:
    assert f"\n  aipolicy export {server}" in aipolicy("export", server, "--help").stdout
