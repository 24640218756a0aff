"""A local page on which a person says the gender of everybody in a data set, key by key."""
