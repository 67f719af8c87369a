"""Which model each value of a store is of, and when it was written.

That stands in two tables of their own, because stores of earlier versions have the table of values alone, and because
earlier versions go on to read and write a store that has these tables too. A value without a row here is of unknown
origin.
"""

TABLES = (
    "CREATE TABLE IF NOT EXISTS models (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
    "CREATE TABLE IF NOT EXISTS origins "
    "(key BLOB PRIMARY KEY, model INTEGER NOT NULL, written INTEGER NOT NULL) WITHOUT ROWID",
)
NOTE = ""  # stands for the model of values that are no results, such as the provider's id of a batch


def make_tables(connection):
    """Make the two tables where a store has none."""
    for table in TABLES:
        connection.execute(table)


def sign(connection, signed):
    """Note of which model values are and when they were written, as (key, model, time)."""
    make_tables(connection)
    models = {model for _, model, _ in signed}
    connection.executemany("INSERT OR IGNORE INTO models (name) VALUES (?)", ((model,) for model in models))
    number = dict(connection.execute("SELECT name, id FROM models"))
    connection.executemany(
        "INSERT OR REPLACE INTO origins VALUES (?, ?, ?)",
        ((key, number[model], int(written)) for key, model, written in signed),
    )
