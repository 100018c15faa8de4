"""One module a verb.  Each imports what it needs when it is called, so that ``--help`` stays quick."""
