"""AI partners: what they may use, what they were told and when, removal requests, and data exports."""
