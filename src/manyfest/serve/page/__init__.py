"""The registry's page for people: :mod:`.facts` says what there is, :mod:`.endpoints` shows it."""
