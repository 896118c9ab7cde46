"""Makes fixtures/parquet: one table as its writers compress, encode and cut it, with pages so small that rows lie in many of them, and what
pyarrow finds in it.

    pip install pyarrow==26.0.1 duckdb==2.0.1
    python scripts/reference/make_parquet.py
"""

import json
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

FOLDER = Path(__file__).parents[2] / 'fixtures' / 'parquet'
ROWS = 260


def row(i: int) -> dict:
    return {
        'instruction': f'frage {i} 漢字' if i % 5 else None,
        'kind': ['faq', 'chat', 'code'][i % 3],
        'count': i * 10_000_000_007,
        'score': i / 8 if i % 7 else None,
        'ok': i % 2 == 0,
        'messages': None if i % 11 == 0 else [
            {'role': 'user' if j % 2 == 0 else 'assistant', 'content': None if (i + j) % 13 == 0 else f'{i}.{j} ' + 'x' * (j * 5)}
            for j in range(i % 6)
        ],
        'tags': [[f't{i}', None], [], ['a'] * (i % 3)][: i % 4],
        'meta': None if i % 9 == 0 else {'source': f's{i % 4}', 'lines': {'from': i, 'to': None if i % 2 else i + 1}},
        'labels': {f'k{j}': j if j % 2 else None for j in range(i % 3)},
    }


SCHEMA = pa.schema([
    ('instruction', pa.string()),
    ('kind', pa.string()),
    ('count', pa.int64()),
    ('score', pa.float64()),
    ('ok', pa.bool_()),
    ('messages', pa.list_(pa.struct([('role', pa.string()), ('content', pa.string())]))),
    ('tags', pa.list_(pa.list_(pa.string()))),
    ('meta', pa.struct([('source', pa.string()), ('lines', pa.struct([('from', pa.int32()), ('to', pa.int32())]))])),
    ('labels', pa.map_(pa.string(), pa.int32())),
])

FORMS = {
    'snappy': {'compression': 'snappy'},
    'zstd-v2': {'compression': 'zstd', 'data_page_version': '2.0'},
    'gzip-plain': {'compression': 'gzip', 'use_dictionary': False},
    'brotli-groups': {'compression': 'brotli', 'row_group_size': 100},
    'lz4-index': {'compression': 'lz4', 'write_page_index': True},
    'none-delta': {
        'compression': 'none',
        'use_dictionary': False,
        'column_encoding': {'instruction': 'DELTA_BYTE_ARRAY', 'kind': 'DELTA_LENGTH_BYTE_ARRAY', 'count': 'DELTA_BINARY_PACKED', 'score': 'BYTE_STREAM_SPLIT'},
    },
}


def absent(value):
    """Fields that are null are not there; in lists and maps null is a value."""
    if isinstance(value, dict):
        return {key: absent(entry) for key, entry in value.items() if entry is not None}
    return [absent(entry) for entry in value] if isinstance(value, list) else value


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    rows = [row(i) for i in range(ROWS)]
    arrow_table = pa.Table.from_pylist([{**one, 'labels': list(one['labels'].items())} for one in rows], schema=SCHEMA)
    for name, options in FORMS.items():
        pq.write_table(arrow_table, FOLDER / f'{name}.parquet', **{'data_page_size': 512, 'write_batch_size': 16, **options})
    duckdb.sql(f"COPY (SELECT * FROM arrow_table) TO '{FOLDER / 'duckdb.parquet'}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 2048)")
    found = pq.read_table(FOLDER / 'snappy.parquet').to_pylist(maps_as_pydicts='strict')
    lines = []
    for one in found:
        labels = one.pop('labels')
        # The top has every column, null or not.
        lines.append(json.dumps({**{key: absent(value) for key, value in one.items()}, 'labels': labels}, ensure_ascii=False))
    (FOLDER / 'rows.jsonl').write_text('\n'.join(lines) + '\n')


if __name__ == '__main__':
    main()
