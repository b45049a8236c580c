"""The sandbox: the exchange that ``etl-actors demo`` and the tests talk to.

Real servers on loopback that answer as Binance, CoinGecko and CryptoCompare do and stream as Binance, Coinbase and
Kraken do, with moving prices, and that go wrong on request. It knows nothing of the rest of the package and nothing of
the rest knows its insides::

    sandbox = await nursery.start(partial(serve_sandbox, pairs=50))
    sandbox.origins["https://api.binance.com"]            # "http://127.0.0.1:43121"
    sandbox.origins["wss://stream.binance.com:9443"]      # "ws://127.0.0.1:43121"
    sandbox.set_fault("/api/v3/depth", "429", retry_after=5, count=1)
    sandbox.set_fault("/stream", "hang_up", count=1)
    sandbox.requests("/api/v3/depth")[-1].headers["user-agent"]
"""

from etl_actors.sandbox.exchange import Sandbox, serve_sandbox
from etl_actors.sandbox.faults import Fault
from etl_actors.sandbox.journal import SeenRequest
from etl_actors.sandbox.recorded import RecordedAnswers
from etl_actors.sandbox.switches import Switches

__all__ = ["Fault", "RecordedAnswers", "Sandbox", "SeenRequest", "Switches", "serve_sandbox"]
