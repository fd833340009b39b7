"""The steps from one form of the tables to the next. Alembic finds and runs them."""
