import { permutation } from './random.js'

/** Which samples of a source an epoch has, and in which order. The same epoch and seed give the same on every machine. */
export interface Epochs {
  /** Whether every epoch has the same samples, and whether at least as many of each part. */
  readonly whole: boolean
  readonly steady: boolean
  /** Samples of an epoch. */
  size(epoch: number): number
  /** Their numbers in a seeded order, another one every epoch, or without a seed in the order of the data. */
  order(epoch: number, seed: number | null): Int32Array
}

/** Every sample once in each epoch. */
export const eachOnce = (count: number): Epochs => ({
  whole: true,
  steady: true,
  size: () => count,
  order: (epoch, seed) =>
    seed === null
      ? Int32Array.from({ length: count }, (_, i) => i)
      : permutation(count, 'order', seed, epoch),
})
