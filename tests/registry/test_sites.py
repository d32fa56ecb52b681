"""Putting and getting: a site, its policy, its hosts."""

from dataclasses import replace

import pytest

from aipolicy.core.policy import SitePolicy
from aipolicy.core.preferences import Category, Preference, Preferences
from aipolicy.errors import HostError, HostTakenError, RegistryError, UnknownSiteError
from aipolicy.registry import Registry
from tests.registry.conftest import Clock

OPTED_OUT = SitePolicy.from_flag(True, site="blog.example")
SILENT = SitePolicy.from_flag(False, site="blog.example")
EVERYTHING = SitePolicy(
    site="blog.example",
    preferences=Preferences(train_ai=Preference.DISALLOW, search=Preference.ALLOW),
    visibility="discouraged",
    licensed=["GPTBot"],
    path_preferences={"/press/": Preferences(train_ai=Preference.ALLOW)},
    sitemaps=["https://blog.example/sitemap.xml"],
    tdm_policy_url="https://blog.example/tdm",
    license_url="https://blog.example/rsl",
    robots_base=b"User-agent: *\nDisallow: /caf\xe9/ # \xf0\x9f\x8d\xb5\n",
)


def test_a_site_is_unknown_before_its_first_policy(registry: Registry) -> None:
    assert registry.get("blog.example") is None
    assert registry.seq == 0
    assert list(registry.sites()) == []


def test_get_returns_the_policy_that_was_put(registry: Registry, clock: Clock) -> None:
    change = registry.put(EVERYTHING, by="ada")
    assert registry.get("blog.example") == EVERYTHING
    assert (change.seq, change.at, change.by) == (1, clock.now, "ada")
    assert (change.site, change.policy, change.hosts) == ("blog.example", EVERYTHING, ("blog.example",))
    assert registry.history("blog.example") == [change]


def test_get_returns_the_latest_policy(registry: Registry) -> None:
    for policy in (OPTED_OUT, SILENT, OPTED_OUT):
        registry.put(policy, by="ada")
        assert registry.get("blog.example") == policy


def test_change_is_called_with_the_current_policy(registry: Registry) -> None:
    def licensed(policy: SitePolicy) -> SitePolicy:
        return replace(policy, licensed=("GPTBot",))

    assert registry.change("Blog.example", licensed, by="ada").policy == licensed(
        SitePolicy(site="blog.example")
    )
    registry.put(OPTED_OUT, by="ada", hosts=["www.blog.example"])
    change = registry.change("www.blog.example", licensed, by="eve")
    assert (change.seq, change.by, change.policy) == (3, "eve", licensed(OPTED_OUT))
    assert change.hosts == ("blog.example", "www.blog.example")
    assert registry.change("blog.example", lambda policy: policy, by="bob", hosts=None) == change
    assert registry.change("blog.example", licensed, by="bob", hosts=[]).hosts == ("blog.example",)


def test_a_failed_change_writes_nothing(registry: Registry) -> None:
    registry.put(OPTED_OUT, by="ada")
    for to, error in ((lambda _: 1 / 0, ZeroDivisionError), (lambda _: SitePolicy(), RegistryError)):
        with pytest.raises(error):
            registry.change("blog.example", to, by="ada")  # type: ignore[arg-type]
    with pytest.raises(HostError):
        registry.change("no host", lambda policy: policy, by="ada")
    assert (registry.seq, registry.get("blog.example")) == (1, OPTED_OUT)


@pytest.mark.parametrize(
    "spelling", ["BLOG.Example", "blog.example:8443", "blog.example.", "Blog.example.:443", "blog.example:"]
)
def test_a_host_is_found_in_any_spelling(registry: Registry, spelling: str) -> None:
    registry.put(OPTED_OUT, by="ada")
    assert registry.get(spelling) == OPTED_OUT
    assert registry.hosts(spelling) == ("blog.example",)
    assert len(registry.history(spelling)) == 1


def test_an_international_name_and_its_a_labels_are_one_site(registry: Registry) -> None:
    registry.put(SitePolicy.from_flag(True, site="Bücher.example"), by="ada", hosts=["WWW.BÜCHER.example:80"])
    policy = registry.get("xn--bcher-kva.example")
    assert policy is not None
    assert policy.site == "xn--bcher-kva.example"
    assert registry.hosts("www.bücher.example") == ("xn--bcher-kva.example", "www.xn--bcher-kva.example")


def test_a_site_answers_on_all_of_its_hosts(registry: Registry) -> None:
    change = registry.put(OPTED_OUT, by="ada", hosts=["www.blog.example", "a.example", "WWW.blog.example."])
    assert change.hosts == ("blog.example", "a.example", "www.blog.example")
    for host in change.hosts:
        assert registry.get(host) == OPTED_OUT
        assert registry.hosts(host) == change.hosts


def test_without_hosts_a_put_keeps_the_hosts_of_the_site(registry: Registry) -> None:
    registry.put(OPTED_OUT, by="ada", hosts=["www.blog.example"])
    assert registry.put(SILENT, by="ada").hosts == ("blog.example", "www.blog.example")
    assert registry.get("www.blog.example") == SILENT


def test_a_host_that_is_left_out_is_removed(registry: Registry) -> None:
    registry.put(OPTED_OUT, by="ada", hosts=["old.example", "www.blog.example"])
    registry.put(OPTED_OUT, by="ada", hosts=["www.blog.example"])
    assert registry.hosts("blog.example") == ("blog.example", "www.blog.example")
    assert registry.get("old.example") is None
    registry.put(OPTED_OUT, by="ada", hosts=[])
    assert registry.hosts("blog.example") == ("blog.example",)


def test_a_host_of_another_site_is_refused(registry: Registry) -> None:
    registry.put(OPTED_OUT, by="ada", hosts=["www.blog.example"])
    with pytest.raises(
        HostTakenError, match=r"'www\.blog\.example'.*'other\.example'.*belongs to 'blog\.example'"
    ):
        registry.put(SitePolicy(site="other.example"), by="eve", hosts=["new.example", "www.blog.example"])
    assert registry.get("other.example") is None
    assert registry.get("new.example") is None
    assert registry.seq == 1


def test_the_name_of_another_site_is_refused_as_host(registry: Registry) -> None:
    registry.put(OPTED_OUT, by="ada")
    with pytest.raises(
        HostTakenError, match=r"'blog\.example'.*'other\.example'.*can't become a host of another"
    ):
        registry.put(SitePolicy(site="other.example"), by="eve", hosts=["blog.example"])


def test_a_host_of_a_site_cannot_become_a_site(registry: Registry) -> None:
    registry.put(OPTED_OUT, by="ada", hosts=["www.blog.example"])
    with pytest.raises(HostTakenError, match=r"'www\.blog\.example'.*'blog\.example'"):
        registry.put(SitePolicy(site="www.blog.example"), by="eve")
    assert registry.get("www.blog.example") == OPTED_OUT


def test_a_removed_host_can_be_put_for_another_site(registry: Registry) -> None:
    registry.put(OPTED_OUT, by="ada", hosts=["shared.example"])
    registry.put(OPTED_OUT, by="ada", hosts=[])
    other = SitePolicy(site="other.example")
    registry.put(other, by="eve", hosts=["shared.example"])
    assert registry.get("shared.example") == other
    registry.put(other, by="eve", hosts=[])
    itself = SitePolicy.from_preset("no-ai", site="shared.example")
    registry.put(itself, by="bob")
    assert registry.get("shared.example") == itself


def test_an_equal_put_writes_nothing(registry: Registry, clock: Clock) -> None:
    first = registry.put(EVERYTHING, by="ada", hosts=["www.blog.example"])
    clock.move(hours=1)
    assert registry.put(EVERYTHING, by="eve") == first
    assert registry.put(EVERYTHING, by="eve", hosts=["www.blog.example", "blog.example"]) == first
    assert registry.seq == 1
    assert registry.put(EVERYTHING, by="eve", hosts=[]).seq == 2


def test_sites_are_listed_by_name(registry: Registry) -> None:
    names = [f"blog{number}.example" for number in range(230)]
    for name in names:
        registry.put(SitePolicy.from_flag(True, site=name), by="import")
    policies = list(registry.sites())
    assert [policy.site for policy in policies] == sorted(names)
    assert all(policy.opted_out for policy in policies)


def test_sites_can_change_during_the_iteration(registry: Registry) -> None:
    for number in range(150):
        registry.put(SitePolicy(site=f"blog{number:03}.example"), by="import")
    names = []
    for policy in registry.sites():
        names.append(policy.site)
        registry.put(policy.for_site(f"a-{policy.site}"), by="import")
    assert names == [f"blog{number:03}.example" for number in range(150)]


def test_a_policy_without_a_site_is_refused(registry: Registry) -> None:
    with pytest.raises(RegistryError, match="no site"):
        registry.put(SitePolicy(), by="ada")


@pytest.mark.parametrize("by", ["", "  ", "a\nb", "a\x00", "x" * 201, None, 7])
def test_an_unprintable_author_is_refused(registry: Registry, by: object) -> None:
    with pytest.raises(RegistryError, match="by is"):
        registry.put(OPTED_OUT, by=by)  # type: ignore[arg-type]
    assert registry.put(OPTED_OUT, by="Zoë Ångström <zoe@blog.example>" + "x" * 169).seq == 1


def test_a_string_is_not_a_list_of_hosts(registry: Registry) -> None:
    with pytest.raises(RegistryError, match=r"\['www\.blog\.example'\]"):
        registry.put(OPTED_OUT, by="ada", hosts="www.blog.example")


@pytest.mark.parametrize("bad", ["", "https://blog.example/", "a b", "a..b", "blog.example:http"])
def test_an_invalid_host_is_an_error_of_every_method(registry: Registry, clock: Clock, bad: str) -> None:
    registry.put(OPTED_OUT, by="ada")
    for ask in (registry.get, registry.hosts, registry.history):
        with pytest.raises(HostError):
            ask(bad)
    with pytest.raises(HostError):
        registry.at(bad, clock.now)
    with pytest.raises(HostError):
        registry.put(OPTED_OUT, by="ada", hosts=[bad])


def test_an_unknown_site_has_no_hosts_and_no_history(registry: Registry) -> None:
    registry.put(OPTED_OUT, by="ada", hosts=["www.blog.example"])
    registry.put(OPTED_OUT, by="ada", hosts=[])
    for ask in (registry.hosts, registry.history):
        for host in ("unknown.example", "www.blog.example"):
            with pytest.raises(UnknownSiteError, match=host):
                ask(host)


def test_a_private_blog_disallows_everything(registry: Registry) -> None:
    registry.put(SitePolicy(site="blog.example", visibility="private"), by="ada")
    policy = registry.get("blog.example")
    assert policy is not None
    assert policy.effective.disallows(*Category)


def test_sites_hosts_and_changes_are_counted(registry: Registry) -> None:
    assert registry.counts() == {"sites": 0, "hosts": 0, "changes": 0}
    registry.put(OPTED_OUT, by="ada", hosts=["www.blog.example"])
    registry.put(OPTED_OUT, by="ada", hosts=["a.example", "b.example"])
    assert registry.counts() == {"sites": 1, "hosts": 3, "changes": 2}
