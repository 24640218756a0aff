"""Labels beside the pictures: poses, genders and parsing masks, read, made and looked at."""
