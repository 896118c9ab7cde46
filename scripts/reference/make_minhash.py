"""Writes fixtures/minhash.json: signatures and near duplicates by datasketch, for the permutations of ift.

    python scripts/reference/make_minhash.py
"""

import json
import random
from pathlib import Path

import datasketch
import numpy as np
from datasketch import MinHash, MinHashLSH
from minhash_reference import jaccard, permutations, shingles

PERMUTATIONS, BANDS, THRESHOLD = 128, 16, 0.8

rng = random.Random(24)
words = [''.join(rng.choices('abcdefghijklmnop', k=rng.randint(2, 8))) for _ in range(300)]
characters = [chr(rng.randrange(0x4E00, 0x9FA5)) for _ in range(200)]


def changed(units, vocabulary):
    """The units with up to one in 25 replaced."""
    copy = list(units)
    for _ in range(rng.randint(0, max(1, len(copy) // 25))):
        copy[rng.randrange(len(copy))] = rng.choice(vocabulary)
    return copy


texts = []
for vocabulary, joint in ((words, ' '), (characters, '')):
    for _ in range(7):
        units = rng.choices(vocabulary, k=rng.choice([3, 30, 60, 80, 120]))
        texts += [joint.join(units)] + [joint.join(changed(units, vocabulary)) for _ in range(4)]
rng.shuffle(texts)

a, b = permutations(PERMUTATIONS)
sets = [shingles(text) for text in texts]
lsh = MinHashLSH(num_perm=PERMUTATIONS, params=(BANDS, PERMUTATIONS // BANDS))
signatures = []
pairs = []
for i, values in enumerate(sets):
    sketch = MinHash(
        num_perm=PERMUTATIONS,
        hashfunc=int,
        scheme='affine32',
        permutations=np.array([a, b], dtype=np.uint32),
    )
    sketch.update_batch(values)
    signatures.append([int(value) for value in sketch.hashvalues])
    for j in sorted(lsh.query(sketch)):
        similarity = jaccard(values, sets[j])
        if similarity >= THRESHOLD:
            pairs.append([j, i, similarity])
    lsh.insert(i, sketch)

out = Path(__file__).parents[2] / 'fixtures' / 'minhash.json'
fixture = {
    'madeBy': f'scripts/reference/make_minhash.py, datasketch {datasketch.__version__}',
    'permutations': PERMUTATIONS,
    'bands': BANDS,
    'threshold': THRESHOLD,
    'texts': texts,
    'shingles': [len(values) for values in sets],
    'signatures': signatures[:6],
    'pairs': pairs,
}
out.write_text(json.dumps(fixture, ensure_ascii=False, separators=(',', ':')) + '\n', encoding='utf-8')
print(out, len(texts), 'texts', len(pairs), 'pairs')
