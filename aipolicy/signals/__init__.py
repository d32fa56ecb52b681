"""The signals that a policy is expressed in: how each is written, read and merged."""
