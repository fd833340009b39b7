"""Who made an image: keys, and signatures that are verified with them."""
