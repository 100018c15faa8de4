"""The pages: Jinja2 templates, their style sheet and their script."""
