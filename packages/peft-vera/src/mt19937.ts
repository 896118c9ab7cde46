/**
 * The 32-bit outputs of the Mersenne Twister MT19937 (Matsumoto and Nishimura 1998), seeded by `init_genrand` with the low 32 bits of
 * the key, as PyTorch's generator on the CPU is.
 */
export function mt19937(key: number): () => number {
  const [n, m] = [624, 397]
  const state = new Uint32Array(n)
  state[0] = Number(BigInt.asUintN(32, BigInt(key)))
  for (let i = 1; i < n; i++) {
    const before = state[i - 1]!
    state[i] = Math.imul(1812433253, before ^ (before >>> 30)) + i
  }
  let at = n
  const turn = () => {
    for (let i = 0; i < n; i++) {
      const joined = (state[i]! & 0x80000000) | (state[(i + 1) % n]! & 0x7fffffff)
      state[i] = state[(i + m) % n]! ^ (joined >>> 1) ^ (joined & 1 ? 0x9908b0df : 0)
    }
    at = 0
  }
  return () => {
    if (at === n) turn()
    let y = state[at++]!
    y ^= y >>> 11
    y ^= (y << 7) & 0x9d2c5680
    y ^= (y << 15) & 0xefc60000
    return (y ^ (y >>> 18)) >>> 0
  }
}

/**
 * `count` numbers of U(-bound, bound) as PyTorch's `uniform_` draws them in float32 on the CPU: 24 bits of each output, scaled in
 * double precision by the width of the interval in float32, and rounded once.
 */
export function uniformValues(next: () => number, count: number, bound: number): Float32Array {
  const low = Math.fround(-bound)
  const width = Math.fround(Math.fround(bound) - low)
  return Float32Array.from({ length: count }, () => (next() & 0xffffff) * 2 ** -24 * width + low)
}
