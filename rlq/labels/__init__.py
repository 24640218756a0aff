"""Labels besides identity and clothes: read, make and check poses, genders and parsing masks."""
