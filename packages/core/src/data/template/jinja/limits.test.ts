import { describe, expect, test } from 'vitest'
import { limits } from './budget.js'
import { compileTemplate, fromJson, TemplateLimit, type Value } from './index.js'
import { countIn, firstIn, lastIn } from './search.js'

const render = (source: string, context: Readonly<Record<string, Value>> = {}) =>
  compileTemplate(source).render(new Map(Object.entries(context)))

/** Sets `x` to a text that doubles so many times. */
const doubled = (times: number, start = "'ab'") =>
  `{% set ns = namespace(x=${start}) %}{% for i in range(${times}) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}`
/** Sets `ns.x` to a value that holds the one before it twice, so many times. */
const nested = (times: number) =>
  `{% set ns = namespace(x=[1]) %}{% for i in range(${times}) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}`
const loops = (depth: number, body = '') =>
  '{% for i in range(1000) %}'.repeat(depth) + body + '{% endfor %}'.repeat(depth)

describe('a template is stopped', () => {
  test.each([
    // Work.
    ['loops', loops(5)],
    ['loops with conditions', '{% for a in range(99999) if range(99999) | sum %}{% endfor %}'],
    ['macros', '{% macro f(n) %}{{ f(n + 1) }}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}'],
    ['macros that do not return', '{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}'],
    ['callers', '{% macro f() %}{% call f() %}{{ caller() }}{% endcall %}{% endmacro %}{{ f() }}'],
    ['tests', loops(2, '{% if range(99999) == range(99999) %}{% endif %}')],
    ['unique', '{{ range(99999) | unique | list | length }}'],
    ['sort', loops(2, '{% set a = range(99999) | sort(reverse=true) %}')],
    ['in', loops(2, '{% set a = -1 in range(99999) %}')],
    [
      'paths',
      "{% set ns = namespace(x={}) %}{% for i in range(2000) %}{% set ns.x = {'a': ns.x} %}{% endfor %}" +
        `{{ ([ns.x] * 90000) | map(attribute='${'a.'.repeat(1998)}a') | list }}`,
    ],
    ['texts that are read', doubled(20) + loops(3, '{% if ns.x %}{% endif %}')],
    ['texts that are compared', doubled(20) + loops(3, "{% if ns.x == ns.x ~ '' %}{% endif %}")],
    ['texts that are changed', doubled(20) + loops(3, '{% set y = ns.x.upper() %}')],
    ['characters', doubled(20) + loops(3, '{% set y = ns.x[5] %}')],
    ['searches', doubled(19, "'aa'") + loops(3, "{% set y = ns.x.rfind('b' ~ ns.x[:2000]) %}")],
    ['pieces', doubled(19) + loops(3, "{% set y = ns.x.rsplit('a') %}")],
    // Texts.
    ['output', loops(3, 'abcdefghijklmnopqrstuvwxyz'.repeat(20))],
    ['repetition', "{{ 'a' * 1000000000 }}"],
    ['repetition of nothing', "{{ ('a' * 1000000000000000000000) }}"],
    ['concatenation', doubled(40)],
    ['+', doubled(40).replace('~', '+')],
    [
      'replace',
      "{% set ns = namespace(x='a') %}{% for i in range(40) %}{% set ns.x = ns.x | replace('a', 'aaaaaaaaaa') %}{% endfor %}",
    ],
    ['replace nothing', doubled(20) + "{{ ns.x.replace('', ns.x) }}"],
    ['replace by a long text', doubled(20) + "{{ ns.x.replace('a', ns.x) }}"],
    ['join', doubled(15) + '{{ range(90000) | join(ns.x) }}'],
    ['join of texts', doubled(15) + '{{ ns.x.join(ns.x) }}'],
    ['indent', doubled(15, "'a\\n'") + '{{ ns.x | indent(2000000000) }}'],
    ['indent by a text', doubled(20, "'a\\n'") + '{{ ns.x | indent(ns.x) }}'],
    ['center', "{{ 'a' | center(1000000000) }}"],
    ['ljust', "{{ 'a'.ljust(100000000000) }}"],
    ['zfill', "{{ 'a'.zfill(1000000000) }}"],
    ['format', "{{ '{:>1000000000}'.format('a') }}"],
    ['format of fields', doubled(20, "'{0}'") + '{{ ns.x.format(ns.x) }}'],
    ['%', "{{ '%999999999d' % 1 }}"],
    ['% of fields', doubled(16, "'%(a)s'") + "{{ ns.x % {'a': ns.x} }}"],
    ['tojson', nested(60) + '{{ ns.x | tojson }}'],
    ['tojson with blanks', nested(10) + '{{ ns.x | tojson(indent=100000000) }}'],
    ['str', nested(60) + '{{ ns.x }}'],
    ['equality', nested(60) + '{% set a = ns.x %}' + nested(60) + '{{ a == ns.x }}'],
    ['order', nested(60) + '{% set a = ns.x %}' + nested(60) + '{{ a < ns.x }}'],
    ['escape', doubled(22, "'<'") + '{{ ns.x | e }}'],
    [
      'macro',
      '{% macro f(n) %}{{ n }}{{ n }}{% endmacro %}' +
        "{% set ns = namespace(x='ab') %}{% for i in range(40) %}{% set ns.x = f(ns.x) %}{% endfor %}",
    ],
    [
      'blocks',
      "{% set ns = namespace(x='ab') %}{% for i in range(40) %}{% set y %}{{ ns.x }}{{ ns.x }}{% endset %}{% set ns.x = y %}{% endfor %}",
    ],
    // Lists and numbers.
    ['list', '{{ [1] * 100000000 }}'],
    [
      'lists',
      '{% set ns = namespace(x=[1]) %}{% for i in range(40) %}{% set ns.x = ns.x + ns.x %}{% endfor %}',
    ],
    ['slices', "{{ 'a' | slice(1000000000) | list }}"],
    ['batch', "{{ 'a' | batch(1000000000, 'b') | list }}"],
    ['sum of lists', '{{ ([range(99999)] * 1000) | sum(start=[]) }}'],
    ['list of characters', doubled(21) + '{{ ns.x | list | length }}'],
    ['powers', '{{ 2 ** 1000000000 }}'],
    ['powers of powers', '{{ ((10 ** 4000) ** 4000) ** 4000 }}'],
    [
      'products',
      '{% set ns = namespace(x=10) %}{% for i in range(60) %}{% set ns.x = ns.x * ns.x %}{% endfor %}',
    ],
    // The source.
    ['long source', 'a'.repeat(limits.source + 1)],
    ['white space', ' '.repeat(limits.blanks + 1)],
    ['brackets', `{{ ${'('.repeat(5000)}1${')'.repeat(5000)} }}`],
    ['lists within lists', `{{ ${'['.repeat(5000)}1${']'.repeat(5000)} }}`],
    ['signs', `{{ ${'not '.repeat(20_000)}1 }}`],
    ['sums', `{{ ${'1 + '.repeat(50_000)}1 }}`],
    ['blocks within blocks', '{% if 1 %}'.repeat(10_000) + '{% endif %}'.repeat(10_000)],
  ])('%s', (_, source) => {
    const started = performance.now()
    expect(() => render(source)).toThrow(TemplateLimit)
    expect(performance.now() - started).toBeLessThan(10_000)
  })

  test.each([
    ['%', '%(', '{{ x % 1 }}'],
    ['%', '%' + '0'.repeat(1000), '{{ x % 1 }}'],
    ['format', '{0' + '['.repeat(100), '{{ x.format(1) }}'],
    ['format', '{0:', '{{ x.format(1) }}'],
  ])('patterns of %s are linear: %s', (_, part, source) => {
    const started = performance.now()
    try {
      render(source, { x: part.repeat(2_000_000 / part.length) + '}' })
    } catch (error) {
      expect(error).toBeInstanceOf(Error)
    }
    expect(performance.now() - started).toBeLessThan(5000)
  })
})

test('a long conversation has more of everything', () => {
  const content = 'word '.repeat(1000)
  const messages = fromJson(Array.from({ length: 2000 }, () => ({ role: 'user', content })))
  const source = `{% for m in messages %}{% for other in messages[:loop.index0] if other.role == 'user' %}{% if loop.last %}{{ m.content | trim }}{% endif %}{% endfor %}{% endfor %}`
  expect(render(source, { messages })).toHaveLength(1999 * (content.length - 1))
})

test('what is rendered later has all of its steps', () => {
  const half = loops(2).replace('1000', '300')
  for (let i = 0; i < 10; i++) expect(render(half)).toBe('')
  expect(() => render(loops(5))).toThrow(TemplateLimit)
  expect(render(half)).toBe('')
})

test('searching finds what JavaScript finds', () => {
  let state = 1
  const random = (below: number) => (state = (state * 48271) % 2147483647) % below
  const textOf = (length: number) => Array.from({ length }, () => 'ab'[random(2)]).join('')
  for (let i = 0; i < 300; i++) {
    const unit = textOf(1 + random(5))
    const text = unit.repeat(40) + textOf(random(20)) + unit.repeat(40)
    const start = random(text.length)
    const part = random(2) ? text.slice(start, start + 33 + random(60)) : unit.repeat(20) + 'b'
    const from = random(text.length)
    expect(firstIn(text, part, from)).toBe(text.indexOf(part, from))
    expect(lastIn(text, part)).toBe(text.lastIndexOf(part))
    expect(countIn(text, part)).toBe(text.split(part).length - 1)
  }
})
