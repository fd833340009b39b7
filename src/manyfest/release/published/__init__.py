"""Which release is out, and the way back to an earlier one."""
