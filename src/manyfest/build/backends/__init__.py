"""The builders that run programs: each builds one platform, and gives an image to be taken in."""
