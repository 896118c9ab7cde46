"""Writes fixtures/eval/tabular.json: results of WikiSQL's database engine and answers as TabMWP's authors normalise them.

    git clone https://github.com/salesforce/WikiSQL && git clone https://github.com/lupantech/PromptPG
    python scripts/reference/make_tabular.py WikiSQL PromptPG

The engine of WikiSQL asks SQLite through the package `records`, in whose place stand some lines over Python's sqlite3.
"""

import ast
import json
import random
import re
import sqlite3
import sys
import types
from importlib.metadata import version
from pathlib import Path

wikisql, promptpg = map(Path, sys.argv[1:3])
rng = random.Random(32)


class Rows(list):
    def all(self):
        return self


class Database:
    def __init__(self, _url):
        self.connection = sqlite3.connect(':memory:')

    def get_connection(self):
        return self

    def query(self, text, **values):
        cursor = self.connection.execute(text, values)
        names = [column[0] for column in cursor.description]
        return Rows(types.SimpleNamespace(**dict(zip(names, row))) for row in cursor)


sys.modules['records'] = types.SimpleNamespace(Database=Database)
sys.path.insert(0, str(wikisql))
from lib.dbengine import DBEngine  # noqa: E402
from lib.query import Query  # noqa: E402

TABLES = [
    {
        'header': ['Player', 'No.', 'Goals', 'School/Club'],
        'types': ['text', 'text', 'real', 'text'],
        'rows': [
            ['Antonio Lang', '21', 12.0, 'Duke'],
            ['Voshon Lenard', '2', 7.5, 'Minnesota'],
            ['Martin Lewis', '32, 44', 12.0, 'Butler CC (KS)'],
            ['Brad Lohaus', '33', -3.0, 'Iowa'],
            ['Art Long', '42', 1200.0, 'CINCINNATI'],
            ['Élodie Ümit', '7', 0.0, 'duke'],
        ],
    },
    {
        'header': ['Year', 'Venue', 'Result'],
        'types': ['real', 'text', 'real'],
        'rows': [
            [1998.0, 'Helsinki, Finland', '1st'],
            [1999.0, 'Sydney', 3.0],
            ['2000', 'sydney', 'n/a'],
            [2001.0, None, 5.0],
            ['c. 2002', 'Åbo', None],
        ],
    },
    {'header': ['Empty', 'N'], 'types': ['text', 'real'], 'rows': []},
]
VALUES = {
    'text': ['duke', 'DUKE', 'Sydney', '21', 'helsinki, finland', 'élodie ümit', 'm', '', 'Åbo', 'ÅBO'],
    'real': ['12', '1,200', '7.5', 12, -3.0, 'about 3 of 5', '-3', '1999', '2000', 'none', '1e3', '.5', 0],
}


def stored(cell, kind):
    """Databases of WikiSQL hold texts in lower case."""
    return cell.lower() if isinstance(cell, str) else cell


engine = DBEngine('')
for i, table in enumerate(TABLES):
    columns = ', '.join(f'col{c} {kind}' for c, kind in enumerate(table['types']))
    engine.db.connection.execute(f'CREATE TABLE table_{i} ({columns})')
    for row in table['rows']:
        marks = ','.join('?' * len(row))
        engine.db.connection.execute(
            f'INSERT INTO table_{i} VALUES ({marks})', [stored(cell, kind) for cell, kind in zip(row, table['types'])]
        )

queries = []
for _ in range(600):
    i = rng.choices(range(len(TABLES)), [6, 5, 1])[0]
    table = TABLES[i]
    width = len(table['header'])
    conds = []
    for _ in range(rng.choices([0, 1, 2, 3], [2, 6, 3, 1])[0]):
        column = rng.randrange(width)
        own = [row[column] for row in table['rows'] if row[column] is not None]
        value = rng.choice(own) if own and rng.random() < 0.6 else rng.choice(VALUES[table['types'][column]])
        # A number for a column of texts is another text in Python (3.0) than in JSON (3).
        conds.append([column, rng.choices([0, 1, 2], [6, 2, 2])[0], str(value) if table['types'][column] == 'text' else value])
    query = {'sel': rng.randrange(width), 'agg': rng.randrange(6), 'conds': conds}
    try:
        result = engine.execute_query(f'table_{i}', Query.from_dict(query), lower=True)
    except IndexError:
        # A value without a number for a column of numbers.
        result = None
    queries.append({'table': i, 'query': query, 'result': result})

source = ast.parse((promptpg / 'run_gpt3' / 'run_gpt3.py').read_text(encoding='utf-8'))
function = next(node for node in source.body if isinstance(node, ast.FunctionDef) and node.name == 'normalize_answer')
scope = {'re': re}
exec(compile(ast.Module([function], []), 'run_gpt3.py', 'exec'), scope)
ANSWERS = [
    ('1,000', ''), ('123', ''), ('3/4', ''), ('56.456', ''), ('$56.4', '$'), ('-3', ''), ('-10.02', ''), ('-3/2', ''),
    ('$1,234.00', '$'), ('007', ''), ('+5', ''), ('5.', ''), ('5,', ''), ('2/3', ''), ('22/7', ''), ('0.0625', ''),
    ('0.1875', ''), ('2.0005', ''), ('1.0015', ''), ('-0.0625', ''), ('.5', ''), ('0.5', ''), ('100000000000000000001', ''),
    ('10 pounds', ' pounds'), ('10 pounds', 'pounds'), ('Shop A', ''), ('yes', ''), ('7:25 P.M.', ''), ('$3 per kilogram', 'per kilogram'),
    ('linear.', ''), ('12,5', ''), ('1,2,3', ''), ('-0', ''), ('12.50', ''),
]  # fmt: skip
normalised = [{'text': text, 'unit': unit, 'expected': scope['normalize_answer'](text, unit)} for text, unit in ANSWERS]

fixture = {
    'madeBy': f'scripts/reference/make_tabular.py, WikiSQL 7857cfd, PromptPG 7cf61b1, SQLite {sqlite3.sqlite_version}, babel {version("babel")}',
    'tables': TABLES,
    'queries': queries,
    'normalised': normalised,
}
out = Path(__file__).parents[2] / 'fixtures' / 'eval' / 'tabular.json'
out.parent.mkdir(exist_ok=True)
out.write_text(json.dumps(fixture, ensure_ascii=False, separators=(',', ':')) + '\n', encoding='utf-8')
print(out, out.stat().st_size, 'bytes', sum(query['result'] is None for query in queries), 'without a result')
