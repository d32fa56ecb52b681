"""Text, wording and templates that the reports share."""
