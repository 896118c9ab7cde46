import { backend } from './backend.js'
import { constraint } from './constraint.js'
import { dataset } from './dataset.js'
import { exportFormat } from './export.js'
import { model } from './model.js'
import { optimizer } from './optimizer.js'
import { peft } from './peft.js'
import type { PluginNoun } from './plugin-noun.js'
import { task } from './task.js'
import { template } from './template.js'
import { tokenizer } from './tokenizer.js'
import { verb } from './verb.js'

export type { PluginNames, PluginNoun } from './plugin-noun.js'

/** Everything that a plugin can bring, as often as people write one. */
export const nouns: readonly PluginNoun[] = [
  dataset,
  model,
  peft,
  template,
  optimizer,
  verb,
  exportFormat,
  task,
  constraint,
  tokenizer,
  backend,
]
