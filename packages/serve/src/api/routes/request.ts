import type * as z from 'zod'
import { check, IftError } from '@ift/core'
import { HttpError, invalid } from '../../wire/errors.js'

/** The body of a request by its schema; 400 with the field that is wrong. */
export function bodyOf<S extends z.ZodType>(schema: S, body: unknown): z.output<S> {
  try {
    return check(schema as never, body, 'The body')
  } catch (error) {
    if (!(error instanceof IftError)) throw error
    throw new HttpError(400, 'invalid_value', error.message.replace(/^.*\n\s*- /s, ''), { cause: error })
  }
}

/** A whole number of the address, between bounds. */
export function numberOf(name: string, given: string | undefined, usual: number, most: number): number {
  if (given === undefined) return usual
  const value = /^\d{1,9}$/.test(given) ? Number(given) : NaN
  if (value <= most) return value
  throw invalid(
    name,
    `${name}: expected a whole number up to ${most}, found ${JSON.stringify(given.slice(0, 40))}.`,
  )
}
