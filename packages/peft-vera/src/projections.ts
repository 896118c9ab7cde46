import { mt19937, uniformValues } from './mt19937.js'

/** A [r, in] and B [out, r], row-major. */
export interface Projections {
  readonly a: Float32Array
  readonly b: Float32Array
}

/**
 * The frozen projections of an adapter, from its key: one generator, A first, each U(±√(6 / columns)), which is Kaiming-uniform
 * (He et al. 2015). The same numbers as Hugging Face PEFT's on a CPU, bit for bit.
 */
export function projections(key: number, r: number, inputs: number, outputs: number): Projections {
  const next = mt19937(key)
  const bound = (columns: number) => Math.sqrt(3) * (Math.SQRT2 / Math.sqrt(columns))
  return { a: uniformValues(next, r * inputs, bound(inputs)), b: uniformValues(next, outputs * r, bound(r)) }
}
