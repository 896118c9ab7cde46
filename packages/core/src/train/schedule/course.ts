/**
 * Course of the learning rate behind the warm-up: the share of the peak that a step has, from 1 at the first one towards 0.
 * `step` counts from 0 behind the warm-up, of `steps` in all.
 */
export type Course = (step: number, steps: number) => number
