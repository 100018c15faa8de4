"""A Windows host for tests and the demo: WinRM as the wire shows it, and behind it recorded answers.

It speaks WS-Management as recordings of real hosts do (MIT-licensed, of pypsrp and WinRMSharp), with their
logins, limits and odd ways.  It imitates no PowerShell: a script that it was not given an answer for fails,
and loudly.
"""
