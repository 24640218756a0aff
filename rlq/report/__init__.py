"""Pages of numbers: Markdown, LaTeX and HTML tables with what is noise beside what is not."""
