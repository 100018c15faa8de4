"""What a sweep costs, measured beside the OpenSSH client doing the same."""
