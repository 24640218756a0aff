"""One reader per data set layout, and what readers share: listings of folders and tables."""
