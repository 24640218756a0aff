"""A local page on which a user labels the people of a data set male or female with single keys."""
