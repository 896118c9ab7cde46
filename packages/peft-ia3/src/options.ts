import * as z from '@ift/core/options'
import { besideOptions, targetOptions } from '@ift/core/peft'

/** Options of the method as a config writes them. */
export const ia3Options = z.strictObject({
  ...targetOptions,
  feedforwardModules: z
    .union([z.string(), z.array(z.string())])
    .optional()
    .describe(
      "Which of the adapted layers scale what goes into them: ends of names, a dot before them or not, or a regular expression as Python reads it; the family's layers out of the feed-forward network when absent.",
    ),
  modulesToSave: besideOptions.modulesToSave,
})

export type Ia3Options = z.output<typeof ia3Options>
