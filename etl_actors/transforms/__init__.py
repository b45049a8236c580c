"""How an answer becomes items: pure synchronous code that is told everything it needs.

``documents`` decodes and encodes JSON without losing a digit, ``numbers`` and ``money`` read numbers out of what
providers write, ``functions`` are those a mapping may call, ``expressions`` compiles JMESPath, ``mapping`` makes items
of elements, ``complaints`` finds what a provider says when it refuses, ``symbols`` knows which pair is made of what.
"""
