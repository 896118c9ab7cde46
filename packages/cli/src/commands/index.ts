import type { Verb } from '@ift/core'
import { chat } from './chat.js'
import { data } from './data.js'
import { doctor } from './doctor.js'
import { generate } from './generate.js'
import { init } from './init.js'
import { inspect } from './inspect.js'
import { merge } from './merge.js'
import { plan } from './plan.js'
import { plugins } from './plugins.js'
import { predict } from './predict.js'
import { score } from './score.js'
import { train } from './train.js'

/** Verbs in the order of the help text. */
export const commands: readonly Verb[] = [
  init,
  train,
  plan,
  inspect,
  generate,
  chat,
  predict,
  score,
  merge,
  data,
  plugins,
  doctor,
]
