import { textOf } from '@ift/core/collection'

/** The number that a value is, or says; NaN for any other. */
export const numberOf = (value: unknown): number => Number(textOf(value) || NaN)
