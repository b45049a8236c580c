"""The OpenAPI document, generated from the routes themselves, and the pages that show it.

``documented`` puts a description beside each route: shapes as the msgspec structs that are encoded and decoded there,
query parameters as the objects that read them, and the errors by status. ``document`` walks the application's routes
and joins these descriptions; ``shapes`` turns structs into JSON Schema; ``failures`` knows what each error status
means; ``pages`` serves ``/openapi.json``, ``/docs`` and ``/redoc``.
"""
