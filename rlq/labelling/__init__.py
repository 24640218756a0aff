"""The coarse labels of a data set, made and looked at: what rlq pose, gender and parsing do."""
