"""``python -m etl_actors`` is the command ``etl-actors``."""

from .cli import main

main()
