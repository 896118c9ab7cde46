"""Near duplicates of a JSONL file of instruction, input, output with datasketch: MinHashLSH of 128 permutations in 16 bands of 8 rows.

    python bench/peers/datasketch_dedup.py rows.jsonl
    python bench/peers/datasketch_dedup.py rows.jsonl --same --pairs pairs.json

Plain: hash function, permutations and estimate of the similarity are datasketch's own, in bulk. With --same the shingles and permutations
are those of ift, and candidates are compared by their shingles, so that both must find the same pairs. A row that is near to an
earlier one that stays is left out. Prints one line of JSON.
"""

import argparse
import json
import re
import resource
import sys
import time
from itertools import islice
from pathlib import Path

import datasketch
import numpy as np
from datasketch import MinHash, MinHashLSH

sys.path.insert(0, str(Path(__file__).parents[2] / 'scripts' / 'reference'))
from minhash_reference import permutations, shingles  # noqa: E402

PERMUTATIONS, BANDS, THRESHOLD, SHINGLE = 128, 16, 0.8, 5
WORD = re.compile(r'\w+')

parser = argparse.ArgumentParser()
parser.add_argument('rows')
parser.add_argument('--same', action='store_true')
parser.add_argument('--pairs')
args = parser.parse_args()

started = time.perf_counter()


def texts():
    with open(args.rows, encoding='utf-8') as file:
        for line in file:
            row = json.loads(line)
            yield ' '.join(WORD.findall(f'{row["instruction"]} {row["input"]} {row["output"]}'.lower()))


def plain(text):
    words = text.split(' ')
    return [
        ' '.join(words[i : i + SHINGLE]).encode() for i in range(max(1, len(words) - SHINGLE + 1))
    ]


def sketches():
    """Each row's shingles as an array where they are compared, and its signature."""
    rows = texts()
    if not args.same:
        while batch := list(islice(rows, 1000)):
            for sketch in MinHash.bulk([plain(text) for text in batch], num_perm=PERMUTATIONS):
                yield None, sketch
        return
    template = MinHash(
        num_perm=PERMUTATIONS,
        hashfunc=int,
        scheme='affine32',
        permutations=np.array(permutations(PERMUTATIONS), dtype=np.uint32),
    )
    for text in rows:
        values = shingles(text, SHINGLE)
        sketch = template.copy()
        sketch.update_batch(values)
        yield np.fromiter(values, dtype=np.uint32, count=len(values)), sketch


def similarity(a, b):
    if a[0] is None:
        return a[1].jaccard(b[1])
    shared = len(np.intersect1d(a[0], b[0], assume_unique=True))
    return shared / (len(a[0]) + len(b[0]) - shared)


lsh = MinHashLSH(num_perm=PERMUTATIONS, params=(BANDS, PERMUTATIONS // BANDS))
kept = {}
pairs = []
rows = 0
for number, own in enumerate(sketches()):
    rows += 1
    for candidate in sorted(lsh.query(own[1])):
        if similarity(kept[candidate], own) >= THRESHOLD:
            pairs.append((candidate, number))
            break
    else:
        lsh.insert(number, own[1], check_duplication=False)
        kept[number] = own
seconds = time.perf_counter() - started
usage = resource.getrusage(resource.RUSAGE_SELF)
if args.pairs:
    Path(args.pairs).write_text(json.dumps(pairs))
print(
    json.dumps(
        {
            'engine': f'datasketch {datasketch.__version__}, numpy {np.__version__}',
            'same_hashes': args.same,
            'rows': rows,
            'pairs': len(pairs),
            'seconds': round(seconds, 2),
            'cpu_seconds': round(usage.ru_utime + usage.ru_stime, 2),
            'peak_rss_mib': round(usage.ru_maxrss / 1024),
        }
    )
)
