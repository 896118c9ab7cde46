"""Parquet files whose columns are typed, as sets on the hub are stored: fixtures/cases/{12-parquet-null-arguments,02-big-numbers,rel-38-numbers-change}.

    python scripts/reference/make_parquet_cases.py

Written with pyarrow 26.0.1; what a reader must find in them stands in the tests of these cases.
"""

import datetime
import decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

root = Path(__file__).parents[2] / "fixtures" / "cases"
nulls = root / "12-parquet-null-arguments"
numbers = root / "02-big-numbers"


def text(value):
    return {"role": "user", "content": value}


def call(**arguments):
    return {"type": "function", "function": {"name": "weather", "arguments": arguments}}


pq.write_table(
    pa.table(
        {
            "messages": pa.array(
                [
                    [text("Weather in Oslo?"), {"role": "assistant", "tool_calls": [call(city="Oslo")]}],
                    [
                        text("In Rome, in F?"),
                        {"role": "assistant", "tool_calls": [call(city="Rome", unit="F", place={"lat": 1.5})]},
                    ],
                    [
                        text("And in these?"),
                        {"role": "assistant", "tool_calls": [call(cities=["Rome", None], place={"lon": None})]},
                    ],
                ]
            ),
            "tools": pa.array([None, [{"name": "weather"}], None]),
        }
    ),
    nulls / "nested.parquet",
)
pq.write_table(
    pa.table(
        {
            "struct": pa.array([None, {"a": None, "b": 1}, {"a": {"c": None}, "b": None}]),
            "list": pa.array([[None, "x"], None, []], pa.list_(pa.string())),
            "structs": pa.array([[{"a": 1, "b": None}, None], None, []]),
            "map": pa.array([[("k", None), ("l", 2)], None, []], pa.map_(pa.string(), pa.int64())),
            "nothing": pa.array([None, None, None]),
        }
    ),
    nulls / "nulls.parquet",
)
micro = datetime.datetime(2024, 5, 6, 7, 8, 9, 123456)
pq.write_table(
    pa.table(
        {
            "instruction": ["long", "unsigned", "decimal"],
            "output": pa.array([9007199254740993, -9223372036854775808, 7], pa.int64()),
            "unsigned": pa.array([18446744073709551615, 1, None], pa.uint64()),
            "decimal": pa.array(
                [decimal.Decimal("12345678901234567.80"), decimal.Decimal("-0.05"), None], pa.decimal128(30, 2)
            ),
            "small": pa.array(
                [decimal.Decimal("1.50"), decimal.Decimal("-99.99"), decimal.Decimal("0.00")], pa.decimal128(5, 2)
            ),
            "nested": pa.array([{"n": 9007199254740993}, {"n": 2}, None]),
            "time": pa.array([micro, micro.replace(microsecond=123000), None], pa.timestamp("us")),
        }
    ),
    numbers / "numbers.parquet",
)

# One flipped bit in the footer, in the number of rows of the only row group: 0 there, 1 for the file.
whole = pa.BufferOutputStream()
pq.write_table(pa.table({"instruction": ["a"], "output": ["b"]}), whole)
flipped = bytearray(whole.getvalue().to_pybytes())
footer = len(flipped) - 8 - int.from_bytes(flipped[-8:-4], "little")
flipped[footer + 219] ^= 2
(root / "rel-38-numbers-change" / "no-rows.parquet").write_bytes(flipped)
