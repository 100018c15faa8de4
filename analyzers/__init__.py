"""From evidence to a diagnosis: facts, logs, causes, and the verdict on one host."""
