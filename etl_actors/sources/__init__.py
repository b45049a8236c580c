"""The transports: how an answer of a provider gets here, or why it did not.

``exchange.py`` is the one guard around every request; ``rest.py`` asks what a connector's settings say; ``pacing.py``
keeps us inside what a provider allows; ``backoff.py`` decides how long a failure waits. ``auth.py`` chooses how a
request proves who asks; ``draft.py`` is that request before it is sent, and ``verdict.py`` what a refusal means.
"""
