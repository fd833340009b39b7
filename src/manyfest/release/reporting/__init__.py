"""What people and other programs are told of a release."""
