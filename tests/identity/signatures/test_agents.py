"""The URL that identifies a signer, and its crawlers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aipolicy.core.crawlers import CRAWLERS
from aipolicy.identity.signatures import Agents, signature_agent

WELL_KNOWN = "/.well-known/http-message-signatures-directory"


@pytest.mark.parametrize(
    ("text", "url", "directory"),
    [
        ("https://you.com", "https://you.com", f"https://you.com{WELL_KNOWN}"),
        ("https://you.com/", "https://you.com", f"https://you.com{WELL_KNOWN}"),
        ("https://YOU.com:443", "https://you.com", f"https://you.com{WELL_KNOWN}"),
        ("https://you.com:8443", "https://you.com:8443", f"https://you.com:8443{WELL_KNOWN}"),
        (f"https://you.com{WELL_KNOWN}", f"https://you.com{WELL_KNOWN}", f"https://you.com{WELL_KNOWN}"),
        ("https://you.com/a/./b/../k%7e%2fx", "https://you.com/a/k~%2Fx", "https://you.com/a/k~%2Fx"),
        ("https://you.com/../..", "https://you.com", f"https://you.com{WELL_KNOWN}"),
        ("https://you.com/a/..", "https://you.com", f"https://you.com{WELL_KNOWN}"),
        ("https://you.com/k?v=2", "https://you.com/k", "https://you.com/k?v=2"),
        ("https://you.com?v", "https://you.com", "https://you.com/?v"),
        ("https://[2001:db8::1]/k", "https://[2001:db8::1]/k", "https://[2001:db8::1]/k"),
    ],
)
def test_an_agent_has_a_url_and_a_directory(text: str, url: str, directory: str) -> None:
    agent = signature_agent(text)
    assert (agent.url, agent.directory) == (url, directory)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "you.com",
        "http://you.com",
        "ftp://you.com",
        "data:,{}",
        "https://",
        "https:///k",
        "https://you.com#a",
        "https://user@you.com",
        "https://user:secret@you.com/",
        "https://you.com:",
        "https://you.com:x",
        "https://you.com:99999",
        "https://you.com/%",
        "https://you.com/%zz",
        "https://you com/",
        "https://you.com/\n",
        "https://yoü.com/",
        "https://%79ou.com/",
        "https://[::1",
        "https://-/",
        "https://you.com/" + "a" * 2048,
    ],
)
def test_an_agent_needs_an_https_url(text: str) -> None:
    with pytest.raises(ValueError, match="signature agent"):
        signature_agent(text)


@given(st.text(max_size=60) | st.text("https:/.?#@[]%a1", max_size=30).map(lambda text: f"https://a{text}"))
def test_any_text_is_an_agent_or_an_error(text: str) -> None:
    try:
        agent = signature_agent(text)
    except ValueError:
        return
    assert agent.url.startswith("https://")
    assert "?" not in agent.url
    assert signature_agent(agent.directory).directory == agent.directory


@pytest.mark.parametrize(
    ("token", "agent"),
    [
        ("YouBot", "https://you.com"),
        ("Google-Agent", "https://agent.bot.goog"),
        ("Manus-User", "https://api.manus.im"),
        (
            "CloudflareBrowserRenderingCrawler",
            "https://web-bot-auth.cloudflare-browser-rendering-085.workers.dev",
        ),
        ("DuckAssistBot", "https://assistbot.duckduckgo.com"),
    ],
)
def test_the_table_has_the_signing_crawlers(token: str, agent: str) -> None:
    agents = Agents()
    found = agents.agent_of(token)
    assert found is not None
    assert found.url == agent
    assert agents.signs_for(found.directory) == {token}


def test_the_form_of_the_url_does_not_matter() -> None:
    agents = Agents()
    for text in ("https://you.com", f"https://you.com{WELL_KNOWN}", "https://YOU.com:443/"):
        assert agents.knows(signature_agent(text).directory)
    for text in ("https://you.com/keys", f"https://you.com{WELL_KNOWN}?a", "https://evil.you.com"):
        assert not agents.knows(signature_agent(text).directory)


def test_training_crawlers_do_not_sign() -> None:
    """This holds for the signing crawlers known in November 2026."""
    assert {c.product_token for c in CRAWLERS if c.web_bot_auth} & {
        "GPTBot",
        "ClaudeBot",
        "Googlebot",
    } == set()


def test_a_platform_can_add_agents() -> None:
    agents = Agents({"https://chatgpt.com": ["ChatGPT-User", "gptbot"], "https://a.example/k": "YouBot"})
    assert agents.signs_for(f"https://chatgpt.com{WELL_KNOWN}") == {"ChatGPT-User", "GPTBot"}
    assert agents.signs_for("https://a.example/k") == {"YouBot"}
    assert agents.signs_for(f"https://you.com{WELL_KNOWN}") == {"YouBot"}
    assert agents.signs_for("https://stranger.example/k") == frozenset()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"http://a.example": "YouBot"}, "'http://a.example': the signature agent is not an https URL"),
        ({"https://a.example": "NoBot"}, "product token 'NoBot' is not in the crawler table"),
    ],
)
def test_an_invalid_mapping_names_the_invalid_value(more: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Agents(more)
