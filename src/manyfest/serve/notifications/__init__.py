"""Tells other programs by webhooks what was pushed to the registry and removed from it, in the form
of CNCF Distribution."""
