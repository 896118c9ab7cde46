import { describe, expect, it } from 'vitest'
import { markdown, safeHref, type Block, type Inline } from './markdown-tree.js'
import { attacks } from './markdown.fixture.js'

const textOf = (nodes: readonly (Block | Inline)[]): string =>
  nodes
    .map((node) => {
      if ('text' in node) return node.text
      if ('children' in node) return textOf(node.children)
      if (node.kind === 'list') return node.items.map(({ children }) => textOf(children)).join('|')
      if (node.kind === 'table')
        return [node.head, ...node.rows]
          .flat()
          .map(({ children }) => textOf(children))
          .join('|')
      return ''
    })
    .join('')

const linksOf = (nodes: readonly (Block | Inline)[]): readonly string[] =>
  nodes.flatMap((node) => {
    const own = node.kind === 'link' ? [node.href] : []
    if ('children' in node) return [...own, ...linksOf(node.children)]
    if (node.kind === 'list') return node.items.flatMap(({ children }) => linksOf(children))
    if (node.kind === 'table')
      return [node.head, ...node.rows].flat().flatMap(({ children }) => linksOf(children))
    return own
  })

describe('Markdown', () => {
  it('is a tree', () => {
    const source =
      '# A\n\nb **c** *d* ~~e~~ `f<g>`\nh\n\n> q\n\n1. x\n2. y\n   - [x] z\n\n---\n\n```js x\nlet a\n```\n'
    const tree = markdown(source)
    expect(tree.map(({ kind }) => kind)).toEqual(['heading', 'paragraph', 'quote', 'list', 'rule', 'code'])
    expect(tree[1]).toEqual({
      kind: 'paragraph',
      children: [
        { kind: 'text', text: 'b ' },
        { kind: 'strong', children: [{ kind: 'text', text: 'c' }] },
        { kind: 'text', text: ' ' },
        { kind: 'em', children: [{ kind: 'text', text: 'd' }] },
        { kind: 'text', text: ' ' },
        { kind: 'del', children: [{ kind: 'text', text: 'e' }] },
        { kind: 'text', text: ' ' },
        { kind: 'code', text: 'f<g>' },
        { kind: 'break' },
        { kind: 'text', text: 'h' },
      ],
    })
    expect(tree[3]).toMatchObject({
      start: 1,
      items: [{ done: null }, { children: [{}, { items: [{ done: true }] }] }],
    })
    expect(tree[5]).toEqual({ kind: 'code', language: 'js', text: 'let a' })
  })

  it('has tables', () => {
    const [table] = markdown('| a | b |\n|:--|--:|\n| 1 | **2** |\n')
    expect(table).toMatchObject({ kind: 'table', head: [{ align: 'left' }, { align: 'right' }] })
    expect(textOf([table!])).toBe('a|b|1|2')
  })

  it('shows tags and references as the characters that they are', () => {
    expect(textOf(markdown('a <b>c</b> &lt;d&gt; &amp;amp; &#x4e2d; &#0;'))).toBe(
      'a <b>c</b> <d> &amp; 中 \ufffd',
    )
    expect(textOf(markdown('<div onclick="x">\nhello\n</div>'))).toBe('<div onclick="x">\nhello\n</div>')
  })

  it('shows where links lead', () => {
    const link = (source: string) =>
      (markdown(source)[0] as Extract<Block, { kind: 'paragraph' }>).children[0]
    expect(link('[here](https://example.org/a)')).toMatchObject({
      href: 'https://example.org/a',
      shown: 'https://example.org/a',
    })
    expect(link('https://example.org')).toMatchObject({ href: 'https://example.org/', shown: null })
    expect(link('![cat](https://example.org/cat.png)')).toMatchObject({
      kind: 'link',
      shown: 'https://example.org/cat.png',
    })
    expect(link('<me@example.org>')).toMatchObject({ href: 'mailto:me@example.org', shown: null })
  })

  it('reads half a text on its way', () => {
    const source = 'a **b** `c`\n\n```js\nlet x = "<"\n```\n\n| a |\n|---|\n| [d](https://e.org) |\n'
    for (let end = 0; end <= source.length; end++) expect(() => markdown(source.slice(0, end))).not.toThrow()
  })

  it('is done with texts that are nested without end', () => {
    const started = performance.now()
    for (const source of [
      '>'.repeat(5000),
      '- '.repeat(2000),
      '*a '.repeat(3000),
      '['.repeat(3000),
      '`'.repeat(5000),
    ])
      expect(textOf(markdown(source)).length).toBeLessThanOrEqual(source.length)
    expect(performance.now() - started).toBeLessThan(10_000)
  })
})

describe('hostile texts', () => {
  it.each(attacks)('%j leads nowhere but to http, https and mailto', (source) => {
    for (const href of linksOf(markdown(source))) expect(href).toMatch(/^(https?:\/\/|mailto:)/)
  })

  it.each([
    ...[
      'javascript:alert(1)',
      ' javascript:alert(1)',
      'java\nscript:alert(1)',
      'JAVASCRIPT:alert(1)',
      'java&#115;cript:alert(1)',
    ],
    ...[
      'data:text/html,x',
      'vbscript:x',
      'file:///etc/passwd',
      '//evil.example',
      '/api/runs',
      '#x',
      'https:',
      'https://',
      'ftp://x',
    ],
    ...['blob:https://x/y', 'https://a b', '\u0001javascript:x', 'mailto:'],
  ])('%j is no address to open', (href) => {
    expect(safeHref(href)).toBe(null)
  })
})
