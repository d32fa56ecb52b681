"""Web Bot Auth: verification of signed requests (RFC 9421, draft-ietf-webbotauth-httpsig-protocol-01).

    directories = Directories(anyone=True)      # without ``anyone``: only agents of the crawler table
    verifier = Verifier(directories)
    result = verifier.verify(SignedRequest("GET", "https://blog.example/", headers))
    if result.fetch:                            # nothing else uses the network
        await directories.fetch(result.fetch)
        result = verifier.verify(request)
    result.outcome, result.reason, result.agent, result.keyid, result.label

``SignedRequest.from_target("GET", "/path?query", headers, scheme="https")`` makes a
request from a request line.
``Agents().signs_for(result.directory)`` are the product tokens
that a verified signature stands for.
"""

from aipolicy.errors import MissingExtraError

try:
    import http_message_signatures  # noqa: F401
except ImportError:
    raise MissingExtraError.for_extra(
        "verifying signatures needs http-message-signatures", "identity"
    ) from None

from aipolicy.identity.signatures.agents import Agents, SignatureAgent, signature_agent
from aipolicy.identity.signatures.directories import Directories, Directory
from aipolicy.identity.signatures.keys import Key, read_key, read_keys
from aipolicy.identity.signatures.request import SignedRequest
from aipolicy.identity.signatures.verifier import (
    KeyResult,
    KeySource,
    Rules,
    SignatureOutcome,
    SignatureResult,
    Verifier,
)

__all__ = [
    "Agents",
    "Directories",
    "Directory",
    "Key",
    "KeyResult",
    "KeySource",
    "Rules",
    "SignatureAgent",
    "SignatureOutcome",
    "SignatureResult",
    "SignedRequest",
    "Verifier",
    "read_key",
    "read_keys",
    "signature_agent",
]
