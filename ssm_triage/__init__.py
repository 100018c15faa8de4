"""Why is this host's SSM Agent broken, and what do I do about it?"""

__version__ = "0.1.0"
