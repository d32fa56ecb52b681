"""Tests of the conformance test: with crawlers that disobey on purpose, and with real ones."""
