import { defineConstraint, definePlugin } from '@ift/core'
import { choices, lark, regex, schema } from './kinds.js'

export { choices, lark, regex, schema }

/** Registers the kinds of constraints. */
export const plugin = definePlugin('constraints', (ift) => {
  for (const kind of [schema, regex, choices, lark]) ift.use(defineConstraint(kind))
})
