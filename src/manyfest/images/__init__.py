"""What is done with images, wherever they lie: look at them, choose platforms, edit indexes, find
what refers to them, copy many, remove."""
