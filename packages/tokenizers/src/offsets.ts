/**
 * Offsets of the binding, in code points of the original text, as UTF-16 code units [n, 2].
 * A lone surrogate counts as one code point, as it is replaced by one U+FFFD on the way to the binding.
 */
export function utf16Offsets(text: string, offsets: readonly (readonly number[])[]): Int32Array {
  const out = new Int32Array(2 * offsets.length)
  for (let i = 0; i < offsets.length; i++) {
    const [start, end] = offsets[i] as readonly [number, number]
    out[2 * i] = start
    out[2 * i + 1] = end
  }
  if (!/[\ud800-\udbff][\udc00-\udfff]/.test(text)) return out
  const units = new Int32Array(text.length + 1)
  let points = 0
  for (let at = 0; at < text.length; points++) {
    units[points] = at
    at += text.codePointAt(at)! > 0xffff ? 2 : 1
  }
  units[points] = text.length
  for (let i = 0; i < out.length; i++) out[i] = units[out[i]!]!
  return out
}
