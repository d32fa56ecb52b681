"""Text, templates and wording that the reports share."""
