"""What is traded: coins, stablecoins, wrapped coins and national currencies, with where their prices start.

The figures are ours: round numbers of a plausible size, not a recording of any day. A wrapped coin names the asset it
follows. Made-up coins fill the lists beyond these.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Asset:
    """``price`` in US dollars at the opening, ``volume`` in dollars a day, ``follows``: whose walk it shares."""

    symbol: str
    slug: str
    name: str
    price: float
    supply: float
    volume: float
    volatility: float = 0.035
    max_supply: float | None = None
    follows: str = ""


# symbol, slug, name, price, supply, million dollars a day, deviation of a day, most there will ever be
_COINS = """
BTC|bitcoin|Bitcoin|95120|19950000|38000|.022|21000000
ETH|ethereum|Ethereum|3245|120700000|19000|.03|
USDT|tether|Tether|1.0003|184000000000|92000|.0004|
BNB|binancecoin|BNB|905|137700000|1900|.025|200000000
SOL|solana|Solana|141.2|562000000|4800|.038|
XRP|ripple|XRP|2.12|60600000000|3600|.035|100000000000
USDC|usd-coin|USDC|.9998|75600000000|11000|.0003|
DOGE|dogecoin|Dogecoin|.1423|152000000000|1400|.045|
TRX|tron|TRON|.2871|94700000000|650|.02|
ADA|cardano|Cardano|.4172|36500000000|700|.04|45000000000
LINK|chainlink|Chainlink|13.52|697000000|520|.042|1000000000
XLM|stellar|Stellar|.2453|32300000000|180|.038|50001786883.67
LTC|litecoin|Litecoin|83.1|76600000|410|.032|84000000
BCH|bitcoin-cash|Bitcoin Cash|561|19960000|330|.034|21000000
SUI|sui|Sui|1.61|3740000000|760|.05|10000000000
AVAX|avalanche-2|Avalanche|13.8|429000000|380|.044|715748719
SHIB|shiba-inu|Shiba Inu|.00000853|589240000000000|130|.045|589552695333683
DOT|polkadot|Polkadot|2.14|1650000000|170|.042|
TON|the-open-network|Toncoin|1.62|2450000000|110|.035|
UNI|uniswap|Uniswap|5.71|630000000|250|.05|1000000000
AAVE|aave|Aave|188.4|15300000|260|.045|16000000
PEPE|pepe|Pepe|.00000451|420690000000000|370|.06|420690000000000
NEAR|near|NEAR Protocol|1.73|1280000000|190|.05|
ETC|ethereum-classic|Ethereum Classic|13.2|154000000|95|.034|210700000
ICP|internet-computer|Internet Computer|3.42|541000000|110|.048|
APT|aptos|Aptos|1.74|744000000|120|.05|
TAO|bittensor|Bittensor|291|10500000|160|.055|21000000
ONDO|ondo-finance|Ondo|.472|3160000000|90|.05|10000000000
FIL|filecoin|Filecoin|1.46|720000000|140|.048|1958500000
ATOM|cosmos|Cosmos Hub|2.21|484000000|85|.042|
ARB|arbitrum|Arbitrum|.213|5620000000|110|.05|10000000000
VET|vechain|VeChain|.01253|85980000000|35|.042|86712634466
ALGO|algorand|Algorand|.1342|8830000000|55|.042|10000000000
BONK|bonk|Bonk|.00000988|82000000000000|150|.06|88000000000000
FET|artificial-superintelligence-alliance|Artificial Superintelligence Alliance|.2391|2300000000|95|.055|2714493896.67
GALA|gala|GALA|.00713|46300000000|60|.055|50000000000
THETA|theta-token|Theta Network|.362|1000000000|20|.045|1000000000
LUNA|terra-luna-2|Terra|.0841|687000000|15|.06|
GRT|the-graph|The Graph|.0452|10600000000|25|.045|
SAND|the-sandbox|The Sandbox|.1462|2570000000|35|.048|3000000000
MANA|decentraland|Decentraland|.1561|1920000000|25|.045|
AXS|axie-infinity|Axie Infinity|.962|168000000|20|.048|270000000
INJ|injective-protocol|Injective|5.31|100000000|70|.052|
OP|optimism|Optimism|.312|1900000000|85|.052|4294967296
LDO|lido-dao|Lido DAO|.613|896000000|65|.052|1000000000
CRV|curve-dao-token|Curve DAO|.392|1420000000|80|.05|3030303031.3
SEI|sei-network|Sei|.1311|6490000000|70|.052|10000000000
JUP|jupiter-exchange-solana|Jupiter|.2231|3160000000|35|.055|7000000000
WIF|dogwifcoin|dogwifhat|.3721|998800000|110|.065|998926392
FLOKI|floki|FLOKI|.0000441|9540000000000|45|.06|10000000000000
1INCH|1inch|1INCH|.1732|1400000000|20|.045|1500000000
SATS|sats-ordinals|SATS (Ordinals)|.0000000162|2100000000000000|18|.06|2100000000000000
BABYDOGE|baby-doge-coin|Baby Doge Coin|.00000000062|170000000000000000|9|.055|420000000000000000
XMR|monero|Monero|389|18440000|130|.035|
ZEC|zcash|Zcash|412|16400000|640|.075|21000000
DASH|dash|Dash|47.1|12500000|70|.05|18920000
XTZ|tezos|Tezos|.4621|1060000000|20|.04|
EOS|eos|EOS|.2012|1560000000|12|.04|
QTUM|qtum|Qtum|1.42|105900000|18|.04|107822406
IOTA|iota|IOTA|.0951|4190000000|14|.042|
NEO|neo|NEO|3.71|70500000|16|.038|100000000
KSM|kusama|Kusama|7.92|17300000|10|.042|
YFI|yearn-finance|yearn.finance|3862|33800|12|.04|36666
PAXG|pax-gold|PAX Gold|4193|372000|180|.009|
LUNC|terra-luna|Terra Luna Classic|.0000292|5490000000000|20|.055|
币安人生|bianrensheng|币安人生|.1325|1000000000|42|.09|1000000000
龙虾|longxia|龙虾|.0213|1000000000|8|.1|1000000000
哈基米|hajimi|哈基米|.0312|1000000000|11|.1|1000000000
123|one-two-three|123|4.2|10000000|.4|.05|
456|four-five-six|456|1.9|10000000|.3|.05|
FDUSD|first-digital-usd|First Digital USD|.9987|920000000|3900|.0006|
TUSD|true-usd|TrueUSD|.9981|494000000|35|.0008|
DAI|dai|Dai|.9999|5360000000|120|.0004|
USDE|ethena-usde|Ethena USDe|.9992|6900000000|140|.0006|
USD1|usd1-wlfi|USD1|.9996|2740000000|1100|.0005|
USDP|paxos-standard|Pax Dollar|.9979|60000000|2|.0009|
BUSD|binance-usd|BUSD|1.0001|53000000|3|.0008|
AEUR|anchored-coins-eur|Anchored Coins AEUR|1.162|30000000|.9|.005|
EURI|eurite|Eurite|1.163|42000000|3|.005|
"""

# symbol, slug, name, followed symbol, price as a part of it, supply, million dollars a day
_WRAPPED = """
WBTC|wrapped-bitcoin|Wrapped Bitcoin|BTC|.9985|125000|310
STETH|staked-ether|Lido Staked Ether|ETH|.9992|8570000|40
WETH|weth|WETH|ETH|1.0|2310000|540
WETH|l2-standard-bridged-weth-base|L2 Standard Bridged WETH (Base)|ETH|1.0004|262000|230
BETH|beth|Binance ETH|ETH|.9961|1200000|6
WBETH|wrapped-beacon-eth|Wrapped Beacon ETH|ETH|1.083|3260000|21
SOL|wrapped-solana|Wrapped SOL|SOL|.9999|16800000|1700
JITOSOL|jito-staked-sol|Jito Staked SOL|SOL|1.25|11400000|22
BNSOL|binance-staked-sol|Binance Staked SOL|SOL|1.09|9300000|14
USDC|bridged-usdc-polygon-pos-bridge|Polygon Bridged USDC (Polygon PoS)|USDC|1.0002|480000000|6
BSC-USD|binance-bridged-usdt-bnb-smart-chain|Binance Bridged USDT (BNB Smart Chain)|USDT|1.0001|8980000000|2400
FIGR_HELOC|figure-heloc|Figure Heloc|USDC|1.03|13700000000|2
RENBTC|renbtc|renBTC|BTC|.97|110|.01
1000SATS|1000-sats|1000*SATS|SATS|1000|2100000000000|18
1MBABYDOGE|1m-baby-doge|1M*BabyDoge|BABYDOGE|1000000|170000000000|9
"""

_LEVERAGED = "BTCUP BTCDOWN ETHUP ETHDOWN ETHBULL ETHBEAR BNBUP BNBDOWN"
# US dollars for one unit
_MONEY = {
    "EUR": 1.1635, "GBP": 1.331, "TRY": 0.02353, "BRL": 0.1853, "AUD": 0.6641, "JPY": 0.006421, "PLN": 0.2749,
    "RON": 0.2286, "ZAR": 0.05894, "UAH": 0.02371, "ARS": 0.000693, "MXN": 0.05482, "COP": 0.000262, "CZK": 0.04801,
    "RUB": 0.01301, "NGN": 0.000689, "IDRT": 0.00006,
}  # fmt: skip


def named_coins() -> list[Asset]:
    """The coins with real names and the wrapped ones, as a list of coins may show them; symbols may repeat."""
    coins = [_coin(*line.split("|")) for line in _COINS.split("\n") if line]
    prices = {coin.symbol: coin for coin in coins}
    return coins + [_wrapped(prices, *line.split("|")) for line in _WRAPPED.split("\n") if line]


def exchange_only() -> list[Asset]:
    """What is traded but is in no list of coins: leveraged tokens and national currencies."""
    tokens = [Asset(name, name.lower(), name, 8.5, 1e6, 2e5, 0.06) for name in _LEVERAGED.split()]
    return tokens + [Asset(name, name.lower(), name, rate, 1e12, 4e7, 0.004) for name, rate in _MONEY.items()]


def _coin(
    symbol: str, slug: str, name: str, price: str, supply: str, millions: str, deviation: str, most: str
) -> Asset:
    ceiling = float(most) if most else None
    return Asset(symbol, slug, name, float(price), float(supply), float(millions) * 1e6, float(deviation), ceiling)


def _wrapped(
    known: dict[str, Asset], symbol: str, slug: str, name: str, parent: str, part: str, supply: str, millions: str
) -> Asset:
    price, volume = known[parent].price * float(part), float(millions) * 1e6
    return Asset(symbol, slug, name, price, float(supply), volume, known[parent].volatility, follows=parent)
