"""The OpenAPI document, generated from the routes themselves, and the pages that show it.

``documented`` puts a description beside each route: shapes as the msgspec structs that are encoded and decoded there,
query parameters as the objects that read them, and the errors by status. ``routes`` walks the application, and
``document`` joins what it finds to what ``preface`` says of the whole; ``shapes`` turns structs into JSON Schema;
``failures`` knows what each error status means; ``pages`` serves ``/openapi.json``, ``/docs`` and ``/redoc``.
"""
