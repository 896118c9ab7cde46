"""MinHash as ift computes it, for datasketch: the same units, shingles and permutations, by the definitions.

packages/core/src/data/duplicates has the other side. Texts are taken to be normalised: lower case, one space between words.
"""

import re

MASK = 0xFFFFFFFF


class DataRandom:
    """xoshiro128** seeded by SplitMix32 over a key, as packages/core/src/data/random.ts."""

    def __init__(self, *key):
        self.hash = 0x9E3779B9
        for part in key:
            if isinstance(part, int):
                self._mix(part & MASK)
                self._mix(part >> 32)
            else:
                for character in part:
                    self._mix(ord(character))
                self._mix(len(part))
        self.state = []
        for i in range(4):
            self._mix(i)
            self.state.append(self.hash)

    def _mix(self, value):
        z = ((self.hash ^ value) + 0x9E3779B9) & MASK
        z = ((z ^ (z >> 16)) * 0x85EBCA6B) & MASK
        z = ((z ^ (z >> 13)) * 0xC2B2AE35) & MASK
        self.hash = z ^ (z >> 16)

    def bits(self):
        s = self.state
        product = (s[1] * 5) & MASK
        result = ((((product << 7) | (product >> 25)) & MASK) * 9) & MASK
        shifted = (s[1] << 9) & MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= shifted
        s[3] = ((s[3] << 11) | (s[3] >> 21)) & MASK
        return result


def permutations(count):
    """Multipliers and summands of x -> a x + b mod 2^32."""
    random = DataRandom('minhash', count)
    multipliers = [random.bits() | 1 for _ in range(count)]
    return multipliers, [random.bits() for _ in range(count)]


# Words, and single characters of the scripts that the generators here use.
UNIT = re.compile(r'[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]|[^\s\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]+')
_known = {}


def _fnv(unit):
    found = _known.get(unit)
    if found is None:
        found = 0x811C9DC5
        for i in range(0, 2 * len(unit), 2):
            code = int.from_bytes(unit.encode('utf-16-le')[i : i + 2], 'little')
            found = ((found ^ code) * 0x01000193) & MASK
        _known[unit] = found
    return found


def shingles(text, size=5):
    """The set of 32-bit hashes of runs of units, before they are mixed, which datasketch does itself."""
    hashes = [_fnv(unit) for unit in UNIT.findall(text)]
    runs = set()
    for i in range(max(1, len(hashes) - size + 1) if hashes else 0):
        value = 0
        for one in hashes[i : i + size]:
            value = (value * 0x915F77F5 + one) & MASK
        runs.add(value)
    return runs


def jaccard(a, b):
    union = len(a | b)
    return len(a & b) / union if union else 0.0
