"""The three headers of a signature, read: bounded, and each signature attributed to its agent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import http_sf

from aipolicy.identity.signatures.agents import SignatureAgent, signature_agent
from aipolicy.identity.signatures.request import SignedRequest

TAG = "web-bot-auth"

# What strangers send is read in the event loop: with these bounds a request costs a few milliseconds at most.
_LONGEST = 2048  # octets of a header, all its lines together
_MOST_LABELS = 8
_MOST_SIGNATURES = 4  # with our tag
_MOST_COMPONENTS = 16
_SHOWN = 64  # characters of a label
_KINDS = frozenset({"directory", "jwks_uri", "cimd"})  # drafts up to WG -00

Params = Mapping[str, Any]
Components = tuple[tuple[str, Params], ...]


class FieldError(ValueError):
    """Headers, or a signature, that can't be valid; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One signature: what Signature-Input says of it, and its ``value`` in Signature.

    ``trouble`` is why it can't be valid, whatever its key; None: it may be.
    """

    label: str
    components: Components = ()
    params: Params = field(default_factory=dict)
    value: bytes = b""
    trouble: str | None = None

    @property
    def shown(self) -> str:
        """The label, short enough to be told."""
        return self.label[:_SHOWN]

    def sound(self) -> None:
        """Raises FieldError where it can't be valid, whatever its key."""
        if self.trouble is not None:
            raise FieldError(self.trouble)

    def alone(self) -> tuple[tuple[str, str], ...]:
        """The lines that announce it, without any other signature."""
        announced: Any = {self.label: (list(self.components), dict(self.params))}
        return (
            ("Signature-Input", http_sf.ser(announced)),
            ("Signature", http_sf.ser({self.label: (self.value, {})})),
        )


def claims(request: SignedRequest, tag: str = TAG) -> tuple[Claim, ...]:
    """The signatures with that tag; none: the request is unsigned. Raises FieldError.

    Others than the client may have signed, too: what is wrong with one signature is that one's ``trouble``.
    Raised is only what leaves none to be read.
    """
    inputs, signatures = _bounded(request, "signature-input"), _bounded(request, "signature")
    if inputs is None:
        return ()
    found, values = _dictionary("Signature-Input", inputs), _dictionary("Signature", signatures or "")
    ours = [label for label, member in found.items() if _has_tag(member, tag)]
    if len(ours) > _MOST_SIGNATURES:
        raise FieldError(f"there are {len(ours)} signatures: at most {_MOST_SIGNATURES} are checked")
    return tuple(_claim(label, found[label], values.get(label, (None,))[0]) for label in ours)


def attributed(request: SignedRequest, claim: Claim) -> tuple[SignatureAgent, str]:
    """The agent that a signature is attributed to, and its ``type``. Raises FieldError.

    Only a member that the signature covers: that of its own label, or the only one. (The drafts' own vectors
    name the member otherwise than the signature.) A signature that covers the whole header covers each.
    """
    text = _bounded(request, "signature-agent")
    if text is None:
        raise FieldError("there is no Signature-Agent header")
    covered = [params for name, params in claim.components if name == "signature-agent"]
    keys = [params["key"] for params in covered if "key" in params and params.keys() <= {"key", "sf"}]
    whole = any(params.keys() <= {"sf"} for params in covered)
    members = _agent_members(text)
    if members is None:  # the older form, one string
        if not whole:
            raise FieldError("the signature does not cover Signature-Agent")
        value, params = _item(text)
    else:
        candidates = keys or (list(members) if whole else [])
        if not candidates:
            raise FieldError("the signature does not cover its member of Signature-Agent")
        key = claim.label if claim.label in candidates else candidates[0]
        if key != claim.label and len(candidates) > 1:
            raise FieldError("which of the members of Signature-Agent is the signature's can't be told")
        if key not in members:
            raise FieldError("Signature-Agent lacks the member that the signature covers")
        value, params = members[key]
    kind = params.get("type", "directory")
    if params.keys() - {"type"} or str(kind) not in _KINDS:
        raise FieldError("the signature's member of Signature-Agent has parameters, and is ignored")
    if not isinstance(value, str):
        raise FieldError("the signature's member of Signature-Agent is no string")
    try:
        return signature_agent(value, str(kind)), str(kind)
    except ValueError as error:
        raise FieldError(str(error)) from None


def _bounded(request: SignedRequest, name: str) -> str | None:
    text = request.field(name)
    if text is not None and len(text) > _LONGEST:
        raise FieldError(f"{name.title()} is longer than {_LONGEST} characters")
    return text


def _dictionary(name: str, text: str) -> dict[str, Any]:
    def refuse(key: str, context: str) -> None:
        if context == "dictionary":
            raise FieldError(f"{name} has {key} twice")

    try:
        # An ASCII codec: what else there is can't be in a structured field (RFC 9651 §4.2).
        found: Any = http_sf.parse(text.encode("ascii"), tltype="dictionary", on_duplicate_key=refuse)
    except FieldError:
        raise
    except (ValueError, OverflowError, OSError):
        raise FieldError(f"{name} can't be read") from None
    if len(found) > _MOST_LABELS:
        raise FieldError(f"{name} has {len(found)} members: at most {_MOST_LABELS} are read")
    members: dict[str, Any] = found
    return members


def _agent_members(text: str) -> dict[str, Any] | None:
    """The members of the dictionary form; None where it is a string, which begins with a quote (§5.2.1)."""
    return None if text.startswith('"') else _dictionary("Signature-Agent", text)


def _item(text: str) -> tuple[Any, Params]:
    try:
        read: Any = http_sf.parse(text.encode("ascii"), tltype="item")
    except (ValueError, OverflowError, OSError):
        raise FieldError("Signature-Agent can't be read") from None
    value, params = read
    return value, params


def _has_tag(member: Any, tag: str) -> bool:
    return isinstance(member[1].get("tag"), str) and member[1]["tag"] == tag


def _claim(label: str, member: Any, value: Any) -> Claim:
    items, params = member
    if not isinstance(value, bytes):
        return Claim(label, trouble="Signature has no value for what Signature-Input announces")
    if not isinstance(items, list):
        return Claim(label, trouble="Signature-Input lists no components for it")
    if len(items) > _MOST_COMPONENTS:
        return Claim(
            label, trouble=f"it covers {len(items)} components: at most {_MOST_COMPONENTS} are checked"
        )
    if not all(isinstance(name, str) for name, _ in items):
        return Claim(label, trouble="it covers what is no component's name")
    return Claim(label, tuple(items), params, value)
