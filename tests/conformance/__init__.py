"""The conformance test for crawlers, tried on crawlers that disobey on purpose and on real ones."""
