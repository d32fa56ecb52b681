"""Access logs checked against the policies in force at each request."""
