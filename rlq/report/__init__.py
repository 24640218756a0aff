"""Reports of finished runs: tables as Markdown, LaTeX and HTML that mark differences within the noise."""
