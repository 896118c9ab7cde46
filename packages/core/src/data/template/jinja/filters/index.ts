import { bind, intOf, textOf } from '../arguments.js'
import { repeatText } from '../budget.js'
import { formatPercent } from '../format.js'
import { attributeOf } from '../lookup.js'
import { visible } from '../marks.js'
import { capitalized, lengthOf, replaced, strip } from '../strings.js'
import { asGiven, asText, itemsOf, str, TemplateError, truth, Tuple, Undefined } from '../values.js'
import { isTrue, type Filter } from './shared.js'

import {
  batches,
  dictsort,
  extreme,
  firstOf,
  groupby,
  items,
  length,
  map,
  reverse,
  selecting,
  slices,
  sort,
  unique,
} from './sequences.js'
import { absolute, round, sum, toFloat, toInt } from './numbers.js'
import { escape, indent, join, text, title, tojson, truncate } from './texts.js'

// Jinja2's filters (https://jinja.palletsprojects.com/en/stable/templates/#builtin-filters), with `tojson` as chat templates
// have it.

const otherwise: Filter = (value, args, keywords) => {
  const { default_value = '', boolean } = bind('default', ['default_value', 'boolean'], args, keywords)
  return value instanceof Undefined || (isTrue(boolean, false) && !truth(value)) ? default_value : value
}

const known: Record<string, Filter> = {
  abs: absolute,
  attr: (value, [name = null]) => attributeOf(value, visible(textOf('attr', name))),
  batch: batches,
  bool: (value) => truth(value),
  capitalize: text(capitalized),
  center: text((seen, [width]) => {
    const missing = Math.max(0, intOf('center', width, 80) - lengthOf(seen))
    return repeatText(' ', Math.floor(missing / 2)) + seen + repeatText(' ', Math.ceil(missing / 2))
  }),
  count: length,
  d: otherwise,
  default: otherwise,
  dictsort,
  e: text(escape),
  escape: text(escape),
  first: (value) => firstOf(itemsOf(asGiven(value)), 'No first item, sequence was empty.'),
  float: toFloat,
  format: (value, args, keywords) =>
    formatPercent(textOf('format', value), keywords.size > 0 ? new Map(keywords) : Tuple.with(...args)),
  groupby,
  indent,
  int: toInt,
  items,
  join,
  last: (value) => firstOf(itemsOf(asGiven(value)).slice(-1), 'No last item, sequence was empty.'),
  length,
  list: (value) => [...itemsOf(value)],
  lower: text((seen) => seen.toLowerCase()),
  map: (value, args, keywords) => map(filterOf)(value, args, keywords),
  max: extreme(1),
  min: extreme(-1),
  reject: selecting('reject', false, false),
  rejectattr: selecting('rejectattr', false, true),
  replace: text((seen, args, keywords) => {
    const { old, new: by, count } = bind('replace', ['old', 'new', 'count'], args, keywords)
    return replaced(seen, str(old ?? null), str(by ?? null), intOf('replace', count, -1))
  }),
  reverse,
  round,
  safe: (value) => value,
  select: selecting('select', true, false),
  selectattr: selecting('selectattr', true, true),
  slice: slices,
  sort,
  string: (value) => str(value),
  sum,
  title: text(title),
  tojson,
  trim: text((seen, [chars = null]) =>
    strip(seen, chars === null ? null : textOf('trim', chars), true, true),
  ),
  truncate,
  unique,
  upper: text((seen) => seen.toUpperCase()),
  urlencode: text((seen) => encodeURIComponent(visible(seen)).replaceAll('%2F', '/')),
  wordcount: (value) => (visible(str(asText(value))).match(/[\p{L}\p{N}_]+/gu) ?? []).length,
}

const filters: ReadonlyMap<string, Filter> = new Map(Object.entries(known))

export function filterOf(name: string): Filter {
  const filter = filters.get(name)
  if (!filter) throw new TemplateError(`No filter named '${name}'.`)
  return filter
}
