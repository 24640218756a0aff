"""A report as Markdown, LaTeX and HTML."""
