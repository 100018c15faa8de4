"""What is looked at on a host, as data, and the one script that it compiles into."""
