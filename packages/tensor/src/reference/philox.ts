const high = (a: number, b: number): number => {
  // The upper 32 bits of a 32 × 32 bit product, by 16-bit halves: doubles hold only 53 bits.
  const aLow = a & 0xffff
  const aHigh = a >>> 16
  const bLow = b & 0xffff
  const bHigh = b >>> 16
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16)
  const carried = aLow * bHigh + (middle & 0xffff)
  return (aHigh * bHigh + (middle >>> 16) + Math.floor(carried / 65536)) >>> 0
}

/**
 * Philox4x32-10 (Salmon et al. 2011): writes the four words of block `index` of (seed, stream), counter
 * (index, 0, stream, 0), key (seed low, seed high), to `out`.
 */
export function philox(out: Uint32Array, index: number, seed: number, stream: number): void {
  let c0 = index >>> 0
  let c1 = 0
  let c2 = stream >>> 0
  let c3 = 0
  let k0 = seed >>> 0
  let k1 = Math.floor(seed / 4294967296) >>> 0
  for (let round = 0; round < 10; round++) {
    const h0 = high(0xd2511f53, c0)
    const l0 = Math.imul(0xd2511f53, c0) >>> 0
    const h1 = high(0xcd9e8d57, c2)
    const l1 = Math.imul(0xcd9e8d57, c2) >>> 0
    c0 = (h1 ^ c1 ^ k0) >>> 0
    c1 = l1
    c2 = (h0 ^ c3 ^ k1) >>> 0
    c3 = l0
    k0 = (k0 + 0x9e3779b9) >>> 0
    k1 = (k1 + 0xbb67ae85) >>> 0
  }
  out[0] = c0
  out[1] = c1
  out[2] = c2
  out[3] = c3
}

/** Word of every element 0 .. n - 1: word i mod 4 of block i div 4. */
export function philoxWords(n: number, seed: number, stream: number): Uint32Array {
  const words = new Uint32Array(Math.ceil(n / 4) * 4)
  for (let block = 0; block * 4 < n; block++)
    philox(words.subarray(block * 4, block * 4 + 4), block, seed, stream)
  return words
}
