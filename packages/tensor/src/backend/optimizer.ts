import type { FloatDType } from '../dtype.js'

/** Decoupled weight decay (Loshchilov & Hutter 2019, arXiv:1711.05101); `step` counts from 1. */
export interface AdamW {
  n: number
  lr: number
  beta1: number
  beta2: number
  eps: number
  weightDecay: number
  step: number
  /** dtype of `param`; gradient, moments and master are f32. */
  dtype: FloatDType
}
