"""The foundation of all rooms: settings and their files, errors, console, processes, files, seeds, text."""
