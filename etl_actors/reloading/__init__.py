"""Takes over what changes in the config folder while the service runs: the difference, and nothing else.

``watching.py`` says that something may have changed, ``hangup.py`` that somebody says so (SIGHUP), ``sight.py`` what
can be seen of the files without reading them, and ``settling.py`` when nobody writes any more. ``reloader.py`` then
reads the folder, ``checking.py`` finds every mistake there is (one is enough, and nothing is changed),
``difference.py`` says what has to change, ``applying.py`` changes it, with ``limits.py`` and ``symbols.py`` for what
connectors share.
``live.py`` knows which settings of the service itself can be changed; ``joining.py`` joins all of it to what runs.
"""

from .hangup import hangups
from .joining import make_reloader, run_reloading
from .reloader import Reloader

__all__ = ["Reloader", "hangups", "make_reloader", "run_reloading"]
