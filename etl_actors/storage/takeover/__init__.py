"""Taking over a database that the original made: its tables become ``*_v0``, their rows are copied into ours.

``recognising`` decides, from the ``catalogue``, whose database it is. ``renaming`` sets the original's tables aside in
one transaction that also opens the ``ledger``. After the migrations ``copying`` moves the rows in slices, each in one
transaction with its progress, so that a takeover that was killed anywhere goes on where it was. ``targets`` says which
columns become which, ``conversions`` how a value of one type becomes another, ``statements`` puts a slice into one SQL
statement, ``history`` cuts the years that the rows span into a few partitions, and ``planning`` makes them.
"""
