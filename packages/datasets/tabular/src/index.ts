import { defineCollection } from '@ift/core/collection'
import { aitQa } from './ait-qa.js'
import { fetaqa } from './fetaqa.js'
import { infotabs } from './infotabs.js'
import { nl2sql } from './nl2sql.js'
import { tabfact } from './tabfact.js'
import { tabmcq } from './tabmcq.js'
import { tabmwp } from './tabmwp.js'
import { tatQa } from './tat-qa.js'
import { wikisql } from './wikisql.js'
import { wtq } from './wtq.js'

/** Tables with questions or statements about them. */
export const plugin = defineCollection(new URL('../card.json', import.meta.url), {
  wtq,
  'ait-qa': aitQa,
  tabmcq,
  fetaqa,
  'tat-qa': tatQa,
  wikisql,
  nl2sql,
  tabmwp,
  tabfact,
  infotabs,
})
