"""Files that people upload: how they are read, what is wrong in them, and where they lie.

From the bytes up: ``encoding`` (bytes to text), ``lines`` (text to lines, none too long), ``dialect`` and ``csv_rows``,
``json_values`` and ``json_rows`` (text to rows), ``recognition`` (which of them a file is), ``names``, ``kinds`` and
``profile`` (what a column holds), ``processing`` (rows with clean names and types). All of that is synchronous, reads a
file once from its beginning, and holds one row at a time. ``folder`` is the disk: unfinished files, safe names, what a
killed service left. ``desk``, ``arrival`` and ``slices`` join them with storage, in threads; the desk is what the web
room talks to.
"""
