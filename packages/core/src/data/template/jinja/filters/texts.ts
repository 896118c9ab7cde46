import { bind, intOf, textOf } from '../arguments.js'
import { checkText, joinTexts, repeatText } from '../budget.js'
import { dumps } from '../json.js'
import { visible } from '../marks.js'
import { capitalized } from '../strings.js'
import {
  asGiven,
  asText,
  itemsOf,
  str,
  TemplateError,
  Undefined,
  type Keywords,
  type Value,
} from '../values.js'
import { isTrue, getter, type Filter } from './shared.js'

// Filters that give texts. They take any value: they make a text of it first.

export const text =
  (change: (text: string, args: readonly Value[], keywords: Keywords) => string): Filter =>
  (value, args, keywords) =>
    change(str(asText(value)), args, keywords)

export const indent: Filter = (value, args, keywords) => {
  const { width, first, blank } = bind('indent', ['width', 'first', 'blank'], args, keywords)
  const by = typeof width === 'string' ? width : repeatText(' ', intOf('width', width, 4))
  const lines = str(asText(value)).split('\n')
  checkText(lines.length * by.length)
  return lines
    .map((line, i) => {
      const skipped = i === 0 ? !isTrue(first, false) : !isTrue(blank, false) && visible(line) === ''
      return skipped ? line : by + line
    })
    .join('\n')
}

export const join: Filter = (value, args, keywords) => {
  const { d = '', attribute: path } = bind('join', ['d', 'attribute'], args, keywords)
  const get = getter(path)
  const source = typeof value === 'string' ? value : asGiven(value)
  return joinTexts(
    itemsOf(source).map((item) => str(get(item))),
    str(d),
  )
}

export const truncate: Filter = (value, args, keywords) => {
  const names = ['length', 'killwords', 'end', 'leeway'] as const
  const { length: size, killwords, end = '...', leeway } = bind('truncate', names, args, keywords)
  const whole = Array.from(visible(str(asText(value))))
  const [most, tail] = [intOf('truncate', size, 255), visible(textOf('truncate', end))]
  if (whole.length <= most + intOf('truncate', leeway, 5)) return str(asText(value))
  const kept = whole.slice(0, Math.max(0, most - Array.from(tail).length)).join('')
  if (isTrue(killwords, false)) return kept + tail
  const at = kept.lastIndexOf(' ')
  return (at < 0 ? kept : kept.slice(0, at)) + tail
}

export const escape = (value: string): string =>
  value
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll("'", '&#39;')
    .replaceAll('"', '&#34;')

/** `title`: every word behind white space, a hyphen or a bracket. */
export const title = (value: string): string =>
  value
    .split(/([-\s({[<]+)/u)
    .map((part) => capitalized(part))
    .join('')

export const tojson: Filter = (value, args, keywords) => {
  if (value instanceof Undefined) throw new TemplateError('Object of type Undefined is not JSON serializable')
  const { ensure_ascii, indent, separators, sort_keys } = bind(
    'tojson',
    ['ensure_ascii', 'indent', 'separators', 'sort_keys'],
    args,
    keywords,
  )
  const parts = separators === undefined || separators === null ? null : itemsOf(separators)
  return dumps(value, {
    ensureAscii: isTrue(ensure_ascii, false),
    sortKeys: isTrue(sort_keys, false),
    indent:
      indent === undefined || indent === null
        ? null
        : typeof indent === 'string'
          ? indent
          : repeatText(' ', intOf('indent', indent, 0)),
    ...(parts && { separators: [textOf('separators', parts[0]), textOf('separators', parts[1])] as const }),
  })
}
