"""The agent's own logs: grammar, signatures, episodes."""
