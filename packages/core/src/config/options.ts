/**
 * What options are declared with: the parts of zod that the config and the methods of this project use. They are in the build
 * of this package, because a start that loads all of zod (100 files, a language each among them) takes 20 ms longer. A plugin
 * may declare its options with zod itself.
 */
export {
  array,
  boolean,
  custom,
  enum,
  literal,
  looseObject,
  number,
  prettifyError,
  record,
  strictObject,
  string,
  toJSONSchema,
  union,
} from 'zod'
export type { core, input, output, ZodRawShape, ZodType } from 'zod'
