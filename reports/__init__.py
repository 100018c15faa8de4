"""From a diagnosis to something a person or a program reads."""
