import { expect, it } from 'vitest'

import { at, close, onEachInstructionSet, sequence } from './kernels.fixture.js'

onEachInstructionSet(({ backend, put, empty, get }) => {
  it('dropout and random numbers are Philox of the element index', async () => {
    const n = 1003
    const [seed, stream] = [2 ** 40 + 12345, 9]
    const words = Array.from({ length: n }, (_, i) => philox(Math.floor(i / 4), seed, stream)[i % 4] ?? NaN)
    const y = empty(n, 'f32')
    backend.random(y, n, 'uniform', seed, stream, 'f32')
    expect(await get(y, n, 'f32')).toEqual(words.map((word) => Math.fround(word / 2 ** 32)))
    backend.random(y, n, 'normal', seed, stream, 'f32')
    const normal = words.map((_, i) => {
      const [w0, w1] = [at(words, i - (i % 2)), philox(Math.floor(i / 4), seed, stream)[(i % 4) | 1] ?? NaN]
      const r = Math.sqrt(-2 * Math.log((w0 + 1) / 2 ** 32))
      const angle = (2 * Math.PI * w1) / 2 ** 32
      return r * (i % 2 === 0 ? Math.cos(angle) : Math.sin(angle))
    })
    close(await get(y, n, 'f32'), normal, 'f32')
    const x = sequence(n, 30)
    const buf = put(x, 'f32')
    backend.dropout(buf, buf, n, 0.3, seed, stream, 'f32')
    const kept = Array.from(x, (v, i) => (at(words, i) >= Math.floor(0.3 * 2 ** 32) ? v / 0.7 : 0))
    close(await get(buf, n, 'f32'), kept, 'f32')
  })
})

/** One block of Philox4x32-10 in BigInt arithmetic. */
function philox(index: number, seed: number, stream: number): number[] {
  const mask = 0xffff_ffffn
  let c = [BigInt(index), 0n, BigInt(stream), 0n] as [bigint, bigint, bigint, bigint]
  let [k0, k1] = [BigInt(seed) & mask, BigInt(seed) >> 32n]
  for (let i = 0; i < 10; i++) {
    const [p0, p1] = [0xd251_1f53n * c[0], 0xcd9e_8d57n * c[2]]
    c = [(p1 >> 32n) ^ c[1] ^ k0, p1 & mask, (p0 >> 32n) ^ c[3] ^ k1, p0 & mask]
    k0 = (k0 + 0x9e37_79b9n) & mask
    k1 = (k1 + 0xbb67_ae85n) & mask
  }
  return c.map(Number)
}
