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

/** The sign of a momentum (Chen et al. 2023, arXiv:2302.06675), with decoupled weight decay. */
export interface Lion {
  n: number
  lr: number
  /** Share of the momentum in the direction of the step; the rest is the gradient's. */
  beta1: number
  /** Decay of the momentum. */
  beta2: number
  weightDecay: number
  /** dtype of `param`; gradient, momentum and master are f32. */
  dtype: FloatDType
}

/** A second moment by rows and columns (Shazeer & Stern 2018, arXiv:1804.04235), with decoupled weight decay. */
export interface Adafactor {
  rows: number
  cols: number
  lr: number
  /** Decay of the first moment, where there is one. */
  beta1: number
  /** Decay of the second moment at this step. */
  beta2: number
  /** Added to the squared gradient. */
  epsilon1: number
  /** `lr` is multiplied by the root mean square of the parameter, which counts as at least this; by nothing when null. */
  epsilon2: number | null
  /** An update of a greater root mean square is scaled down to it. */
  clipThreshold: number
  weightDecay: number
  /** dtype of `param`; all else is f32. */
  dtype: FloatDType
}
