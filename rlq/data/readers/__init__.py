"""One reader per data set layout, and the listing of folders and tables that they share."""
