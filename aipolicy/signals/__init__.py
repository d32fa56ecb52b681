"""The signals that express a policy, each with its writer, reader and merging."""
