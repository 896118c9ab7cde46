/**
 * The parts of zod that declare the options of the config and of the methods of this project. They are bundled into
 * this package, because loading all of zod (100 files, one for each of its languages) adds 20 ms to every start. A
 * plugin may declare its options with zod itself.
 */
export {
  array,
  boolean,
  custom,
  enum,
  int,
  literal,
  looseObject,
  never,
  nonnegative,
  number,
  prettifyError,
  record,
  regex,
  strictObject,
  string,
  toJSONSchema,
  union,
  unknown,
} from 'zod'
export type { core, input, output, ZodRawShape, ZodType } from 'zod'
