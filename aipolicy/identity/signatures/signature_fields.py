"""Parser of the Signature-Input, Signature and Signature-Agent headers, with limits on their size."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import http_sf

from aipolicy.identity.signatures.agents import SignatureAgent, signature_agent
from aipolicy.identity.signatures.request import SignedRequest

TAG = "web-bot-auth"

# The headers are parsed in the event loop. With these limits a request takes a few milliseconds at most.
_MAX_CHARACTERS = 2048  # of a header, all its lines together
_MAX_LABELS = 8
_MAX_SIGNATURES = 4  # with the tag of Web Bot Auth
_MAX_COMPONENTS = 16
_MAX_SHOWN = 64  # characters of a label in a message
_KINDS = frozenset({"directory", "jwks_uri", "cimd"})  # in drafts up to WG -00

Params = Mapping[str, Any]
Components = tuple[tuple[str, Params], ...]


class FieldError(ValueError):
    """Invalid headers, or an invalid signature; the message is the reason."""


@dataclass(frozen=True, slots=True)
class SignatureClaim:
    """One signature that was not verified yet.

    Attributes:
        label: Its label.
        components: The components that it covers, each with its parameters.
        params: Its parameters in Signature-Input.
        value: Its bytes in Signature.
        error: The reason if it is invalid with any key, or None.
    """

    label: str
    components: Components = ()
    params: Params = field(default_factory=dict)
    value: bytes = b""
    error: str | None = None

    @property
    def short_label(self) -> str:
        """The label, cut for messages."""
        return self.label[:_MAX_SHOWN]

    def check(self) -> None:
        """Raise FieldError if the signature is invalid with any key."""
        if self.error is not None:
            raise FieldError(self.error)

    def header_lines(self) -> tuple[tuple[str, str], ...]:
        """Return the Signature-Input and Signature lines of this signature alone."""
        signature_input: Any = {self.label: (list(self.components), dict(self.params))}
        return (
            ("Signature-Input", http_sf.ser(signature_input)),
            ("Signature", http_sf.ser({self.label: (self.value, {})})),
        )


def read_claims(request: SignedRequest) -> tuple[SignatureClaim, ...]:
    """Return the request's Web Bot Auth signatures, none if it is unsigned.

    A proxy may have signed the request too, so an error in one signature is only in that one's ``error``.

    Raises:
        FieldError: No signature can be read.
    """
    inputs, signatures = _header(request, "signature-input"), _header(request, "signature")
    if inputs is None:
        return ()
    found, values = _dictionary("Signature-Input", inputs), _dictionary("Signature", signatures or "")
    labels = [label for label, (_, params) in found.items() if _is_string(params.get("tag"), TAG)]
    if len(labels) > _MAX_SIGNATURES:
        raise FieldError(f"there are {len(labels)} signatures: at most {_MAX_SIGNATURES} are checked")
    return tuple(_claim(label, found[label], values.get(label, (None,))[0]) for label in labels)


def attributed_agent(request: SignedRequest, claim: SignatureClaim) -> tuple[SignatureAgent, str]:
    """Return the agent that a signature names, and the agent's ``type``.

    The agent is the member of Signature-Agent that the signature covers: the one with the signature's label,
    or the only one. (The drafts' own test vectors use different labels.) A signature that covers the whole
    header covers every member.

    Raises:
        FieldError: There is no such member, or it is ambiguous.
    """
    text = _header(request, "signature-agent")
    if text is None:
        raise FieldError("there is no Signature-Agent header")
    covered = [params for name, params in claim.components if name == "signature-agent"]
    keys = [params["key"] for params in covered if "key" in params and params.keys() <= {"key", "sf"}]
    covers_header = any(params.keys() <= {"sf"} for params in covered)
    members = _agent_members(text)
    if members is None:  # the older form, one string
        if not covers_header:
            raise FieldError("the signature does not cover Signature-Agent")
        value, params = _item(text)
    else:
        candidates = keys or (list(members) if covers_header else [])
        if not candidates:
            raise FieldError("the signature does not cover its member of Signature-Agent")
        key = claim.label if claim.label in candidates else candidates[0]
        if key != claim.label and len(candidates) > 1:
            raise FieldError("the signature covers several members of Signature-Agent, none with its label")
        if key not in members:
            raise FieldError("Signature-Agent lacks the member that the signature covers")
        value, params = members[key]
    kind = params.get("type", "directory")
    if params.keys() - {"type"} or str(kind) not in _KINDS:
        raise FieldError("the signature's member of Signature-Agent has unsupported parameters")
    if not isinstance(value, str):
        raise FieldError("the signature's member of Signature-Agent is not a string")
    try:
        return signature_agent(value, str(kind)), str(kind)
    except ValueError as error:
        raise FieldError(str(error)) from None


def _header(request: SignedRequest, name: str) -> str | None:
    text = request.field(name)
    if text is not None and len(text) > _MAX_CHARACTERS:
        raise FieldError(f"{name.title()} is longer than {_MAX_CHARACTERS} characters")
    return text


def _dictionary(name: str, text: str) -> dict[str, Any]:
    def refuse(key: str, context: str) -> None:
        if context == "dictionary":
            raise FieldError(f"{name} has {key} twice")

    try:
        # Other characters are invalid in a structured field (RFC 9651 §4.2).
        found: Any = http_sf.parse(text.encode("ascii"), tltype="dictionary", on_duplicate_key=refuse)
    except FieldError:
        raise
    except (ValueError, OverflowError, OSError):
        raise FieldError(f"{name} can't be read") from None
    if len(found) > _MAX_LABELS:
        raise FieldError(f"{name} has {len(found)} members: at most {_MAX_LABELS} are read")
    members: dict[str, Any] = found
    return members


def _agent_members(text: str) -> dict[str, Any] | None:
    """Return the members of the dictionary form; None for a string, which begins with a quote (§5.2.1)."""
    return None if text.startswith('"') else _dictionary("Signature-Agent", text)


def _item(text: str) -> tuple[Any, Params]:
    try:
        read: Any = http_sf.parse(text.encode("ascii"), tltype="item")
    except (ValueError, OverflowError, OSError):
        raise FieldError("Signature-Agent can't be read") from None
    value, params = read
    return value, params


def _is_string(value: Any, text: str) -> bool:
    return isinstance(value, str) and value == text  # a token is not a string (RFC 9651 §3.3)


def _claim(label: str, member: Any, value: Any) -> SignatureClaim:
    items, params = member
    if not isinstance(value, bytes):
        return SignatureClaim(label, error="Signature has no value with the label of this Signature-Input")
    if not isinstance(items, list):
        return SignatureClaim(label, error="Signature-Input lists no components for it")
    if len(items) > _MAX_COMPONENTS:
        return SignatureClaim(
            label, error=f"it covers {len(items)} components: at most {_MAX_COMPONENTS} are checked"
        )
    if not all(isinstance(name, str) for name, _ in items):
        return SignatureClaim(label, error="it covers a component without a valid name")
    return SignatureClaim(label, tuple(items), params, value)
