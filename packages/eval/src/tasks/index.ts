import type { TaskDefinition } from '@ift/core'
import { belleEval } from './belle-eval.js'
import { bleu } from './bleu.js'
import { ceval } from './ceval.js'
import { cmmlu } from './cmmlu.js'
import { exact } from './exact.js'
import { gsm8k } from './gsm8k.js'
import { loss } from './loss.js'
import { mmcu } from './mmcu.js'
import { mmlu } from './mmlu.js'
import { pairs } from './pairs.js'
import { regex } from './regex.js'
import { rouge } from './rouge.js'
import { tabFact } from './tabfact.js'
import { tabMwp } from './tabmwp.js'
import { wikiSql } from './wikisql.js'

/** The tasks of this package, each in a file of its own. */
export const tasks: readonly TaskDefinition[] = [
  belleEval,
  bleu,
  ceval,
  cmmlu,
  exact,
  gsm8k,
  loss,
  mmcu,
  mmlu,
  pairs,
  regex,
  rouge,
  tabFact,
  tabMwp,
  wikiSql,
]
