"""What exists in the invented game: worlds, items, currencies, prices, countries, addresses."""

from __future__ import annotations

import numpy as np

PRODUCTION = ("1401", "1402", "1403", "1404", "1405", "1406", "1501", "2101")
# Two of them hold the letters `140`, which an older pipeline took for the mark of production.
TEST_WORLDS = ("9140", "14099", "dev-1")
WORLD_NAMES = (
    "Amberfall",
    "Brackenmoor",
    "Cinderhold",
    "Duskmere",
    "Eversong Quay",
    "Frostgate",
    "Gullwing",
    "Harrowdeep",
)
WORLDS = PRODUCTION + TEST_WORLDS
IS_PRODUCTION = np.array([world in PRODUCTION for world in WORLDS])

KEY_ITEMS = (
    "500200010",
    *("510100011", "510100014", "510100021", "510100032", "510100041", "510100132"),
    *("510200001", "510200003", "510600003", "510600004", "511000013"),
    *("511100002", "511100004", "511100006", "511100008", "512000007", "518500001"),
    *("528500002", "528500003", "528500006", "528500007"),
    *(str(548500000 + n) for n in (*range(1, 11), *range(18, 26))),
    *("550200005", "558300001", "558300002", "558300003", "558300004"),
    *("610100001", "610340009", "610340010", "610340011", "610340013", "930000017"),
)
# Beside them items that no report is about; three differ from a key item in one digit only.
OTHER_ITEMS = (
    "548500011",
    "610340012",
    "930000018",
    *(str(700100000 + 7 * n) for n in range(37)),
)
ITEMS = KEY_ITEMS + OTHER_ITEMS
GAIN_REASONS = ("101", "102", "103", "110", "115", "120")  # drop, quest, craft, shop, mail, trade
SPEND_REASONS = ("201", "202", "205", "210", "220")  # enhance, craft, use, sell, trade

GOLD, DIAMONDS = "900000001", "900000002"
# The last two end in 2 and begin with 9, as the diamonds do, and are none.
MONEY = (GOLD, DIAMONDS, "900000012", "910000002")
MONEY_GAIN_REASONS = ("301", "302", "303", "310", "320")
MONEY_SPEND_REASONS = ("401", "402", "405", "410")

COUNTRIES = ("TH", "VN", "ID", "PH", "SG", "MY", "US", "LA", "KH", None)
COUNTRY_SHARES = (0.30, 0.24, 0.14, 0.11, 0.05, 0.06, 0.03, 0.02, 0.02, 0.03)
COUNTRY_CURRENCY = ("THB", "VND", "IDR", "PHP", "SGD", "MYR", "USD", "LAK", "KHR", "USD")
PLATFORMS = ("android", "ios", "pc", None)
PLATFORM_SHARES = (0.62, 0.27, 0.09, 0.02)

CURRENCIES = ("VND", "USD", "THB", "IDR", "PHP", "SGD", "MYR", "LAK", "KHR")
PENNY_CURRENCY = "LAK"  # its rate of 1.25 makes halves of the fourth digit
GAP_CURRENCY = "KHR"  # has no rate in the first month, in which nothing that counts is paid in it
# Price lists in units of 1/10000, from the smallest pack to the largest.
PRICES = {
    "VND": (241_300, 490_012_500, 990_000_000, 2_490_000_000, 4_990_000_000, 12_500_012_500, 24_990_000_000),
    "USD": (9_900, 49_900, 99_900, 200_000, 400_000, 999_900, 9_999_900),
    "THB": (350_000, 1_790_000, 3_590_000, 6_990_000, 13_900_000, 34_900_000, 349_000_000),
    "IDR": (
        150_000_000,
        790_005_000,
        1_590_000_000,
        3_190_000_000,
        6_390_000_000,
        15_990_000_000,
        159_900_000_000,
    ),
    "PHP": (490_000, 2_790_000, 5_590_000, 11_200_000, 22_400_000, 55_900_000, 559_000_000),
    "SGD": (12_900, 68_800, 129_800, 269_800, 538_800, 1_298_000, 12_980_000),
    "MYR": (45_000, 229_000, 449_000, 899_000, 1_799_000, 4_490_000, 44_900_000),
    "LAK": (2, 6, 250_000_002, 990_000_006, 4_390_000_014, 8_780_000_000, 87_800_000_000),
    "KHR": (41_000_000, 205_000_000, 410_000_000, 820_000_000, 1_640_000_000, 4_100_000_000, 41_000_000_000),
}
PRICE_TABLE = np.array([PRICES[currency] for currency in CURRENCIES])
# What one unit is worth in VND about, in units of 1/1000000; the month moves all but VND and LAK.
RATES = {
    "VND": 1_000_000,
    "USD": 25_400_000_000,
    "THB": 741_350_000,
    "IDR": 1_571_235,
    "PHP": 435_127_500,
    "SGD": 18_790_450_000,
    "MYR": 5_690_215_000,
    "LAK": 1_250_000,
    "KHR": 6_312_550,
}
PAYMENT_WAYS = ("25", "1", "2", "11", None, "250", "025")  # only exactly `25` is Web
PAYMENT_SHARES = (0.28, 0.33, 0.25, 0.06, 0.05, 0.015, 0.015)
ORDER_STATES = ("completed", "pending", "failed", "cancelled", None)
ORDER_SHARES = (0.93, 0.03, 0.02, 0.015, 0.005)

CLAN_WORDS = (
    "Ánh Trăng",
    "Rồng Đỏ",
    "Night Tide",
    "มังกร",
    "Iron Lotus",
    "O'Hara & Sons",
    "Silver, Ltd",
    "Kraken",
)
ROLE_WORDS = (
    "Aru",
    "Bex",
    "Cori",
    "Daan",
    "Elin",
    "Fay",
    "Gor",
    "Hue",
    "Ivo",
    "Jun",
    "Kha",
    "Lir",
    "Mai",
    "Nox",
)

# Addresses: net cafés and carriers lie inside the allow-list, farms beside it, some at its very edge.
ALLOWED = ("192.0.2.0/24", "198.18.0.0/16", "203.0.113.7/32", "203.0.113.128/25", "100.64.0.0/10")
CAFES = ("203.0.113.7", "203.0.113.128", "198.18.255.255", "192.0.2.255", "192.0.2.0")
FARMS = (
    "203.0.113.71",
    "198.19.0.5",
    "198.51.100.9",
    "203.0.113.127",
    "192.0.3.1",
    "100.128.0.1",
    "203.0.113.8",
)
