interface Element {
  readonly tag: string
  /** What stands behind the name in the tag. */
  readonly attributes: string
  readonly children: (Element | string)[]
}

const empty = new Set(['br', 'hr', 'img', 'input', 'wbr'])

/** Elements of which nothing is text for a reader. */
const skipped = new Set(['button', 'script', 'style', 'svg', 'template', 'input', 'wbr'])

/** Elements that begin and end a paragraph. */
const blocks = new Set(
  'p div section article main header footer figure table ul ol li blockquote pre hr h1 h2 h3 h4 h5 h6'.split(
    ' ',
  ),
)

const marks: Readonly<Record<string, string>> = { b: '**', strong: '**', i: '*', em: '*', del: '~~' }

const characters: Readonly<Record<string, string>> = {
  lt: '<',
  gt: '>',
  amp: '&',
  quot: '"',
  apos: "'",
  nbsp: ' ',
}

/** Elements inside each other that are followed; what lies deeper is read as if it had no tags of its own. */
const mostDepth = 100

const decoded = (text: string): string =>
  text.replace(
    /&(?:#x([\da-f]{1,6})|#(\d{1,7})|([a-z]{2,4}));/gi,
    (all, hex: string | undefined, decimal: string | undefined, name: string | undefined) => {
      if (name !== undefined) return characters[name.toLowerCase()] ?? all
      const code = hex === undefined ? Number(decimal) : parseInt(hex, 16)
      return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : all
    },
  )

/** An attribute with its value in quotes, or ''. */
function attribute({ attributes }: Element, name: string): string {
  const found = new RegExp(`\\s${name}=(?:"([^"]*)"|'([^']*)')`, 'i').exec(attributes)
  return decoded(found?.[1] ?? found?.[2] ?? '')
}

function parse(html: string): Element {
  const root: Element = { tag: '', attributes: '', children: [] }
  const open = [root]
  for (const [text, closing, name, attributes = ''] of html.matchAll(
    /<(\/?)([a-z][a-z\d]*)((?:\s(?:[^<>"']|"[^"<]*"|'[^'<]*')*)?)\/?>|[^<]+|</gi,
  )) {
    const top = open.at(-1)!
    const tag = name?.toLowerCase()
    if (tag === undefined) top.children.push(decoded(text))
    else if (closing) {
      const at = open.findLastIndex((one) => one.tag === tag)
      if (at > 0) open.length = at
    } else {
      const element: Element = { tag, attributes, children: [] }
      top.children.push(element)
      if (!empty.has(tag) && open.length < mostDepth) open.push(element)
    }
  }
  return root
}

const textIn = (node: Element | string): string =>
  typeof node === 'string' ? node : skipped.has(node.tag) ? '' : node.children.map(textIn).join('')

const codeIn = (node: Element | string): Element | undefined => {
  if (typeof node === 'string') return undefined
  if (node.tag === 'code') return node
  for (const child of node.children) {
    const found = codeIn(child)
    if (found) return found
  }
  return undefined
}

/** A mark that is longer than every row of it in a text, and no shorter than `least`. */
const fence = (text: string, least: number): string =>
  '`'.repeat(Math.max(least, ...[...text.matchAll(/`+/g)].map(([run]) => run.length + 1)))

function fenced(pre: Element): string {
  const code = codeIn(pre) ?? pre
  const text = textIn(code).replace(/^\n|\n$/g, '')
  const language = /(?:^|\s)language-([\w+#.-]+)/.exec(attribute(code, 'class'))?.[1] ?? ''
  const mark = fence(text, 3)
  return `${mark}${language}\n${text}\n${mark}`
}

function inline(node: Element | string): string {
  if (typeof node === 'string') return node.replace(/\s+/g, ' ')
  const { tag } = node
  if (skipped.has(tag)) return ''
  if (tag === 'br') return '\n'
  if (tag === 'img') {
    const src = attribute(node, 'src')
    return src === '' || src.startsWith('data:') ? '' : `![${attribute(node, 'alt')}](${src})`
  }
  if (tag === 'code') {
    const text = textIn(node)
    return text.trim() === '' ? text : `${fence(text, 1)}${text}${fence(text, 1)}`
  }
  const text = blocks.has(tag) ? paragraphs(node.children).join('\n') : node.children.map(inline).join('')
  const content = text.trim()
  const mark = marks[tag]
  if (content === '') return text
  if (mark !== undefined) return text.replace(content, () => `${mark}${content}${mark}`)
  const href = tag === 'a' ? attribute(node, 'href') : ''
  return href === '' || href === content ? text : `[${content}](${href})`
}

function list({ tag, attributes, children }: Element): string {
  const items = children.filter((child): child is Element => typeof child !== 'string' && child.tag === 'li')
  const start = Number(/\sstart="(\d{1,9})"/.exec(attributes)?.[1] ?? 1)
  return items
    .map((item, i) => {
      const mark = tag === 'ol' ? `${start + i}. ` : '- '
      return (
        mark +
        paragraphs(item.children)
          .join('\n')
          .replaceAll('\n', `\n${' '.repeat(mark.length)}`)
      )
    })
    .join('\n')
}

function table(element: Element): string {
  const rows: string[][] = []
  const collect = (node: Element): void => {
    for (const child of node.children)
      if (typeof child === 'string') continue
      else if (child.tag === 'tr')
        rows.push(
          child.children
            .filter((cell): cell is Element => typeof cell !== 'string' && /^t[dh]$/.test(cell.tag))
            .map((cell) =>
              cell.children.map(inline).join('').trim().replaceAll('|', '\\|').replaceAll('\n', ' '),
            ),
        )
      else collect(child)
  }
  collect(element)
  const lines = rows.map((cells) => `| ${cells.join(' | ')} |`)
  return lines.toSpliced(1, 0, ...(rows[0] ? [`|${' --- |'.repeat(rows[0].length)}`] : [])).join('\n')
}

/** Paragraphs of what stands in a block: runs of text between the blocks in it, and those blocks. */
function paragraphs(nodes: readonly (Element | string)[]): string[] {
  const made: string[] = []
  let run = ''
  const end = () => {
    const text = run
      .replace(/ {2,}/g, ' ')
      .replace(/ ?\n ?/g, '\n')
      .trim()
    if (text !== '') made.push(text)
    run = ''
  }
  for (const node of nodes) {
    if (typeof node === 'string' || !blocks.has(node.tag)) {
      run += inline(node)
      continue
    }
    end()
    const { tag, children } = node
    const level = /^h([1-6])$/.exec(tag)?.[1]
    if (level !== undefined) {
      const heading = children.map(inline).join('').trim()
      if (heading !== '') made.push(`${'#'.repeat(Number(level))} ${heading}`)
    } else if (tag === 'pre') made.push(fenced(node))
    else if (tag === 'hr') made.push('---')
    else if (tag === 'ul' || tag === 'ol') made.push(list(node))
    else if (tag === 'table') made.push(table(node))
    else if (tag === 'blockquote') made.push(paragraphs(children).join('\n\n').replace(/^/gm, '> '))
    else made.push(...paragraphs(children))
  }
  end()
  return made.filter((text) => text !== '')
}

/**
 * HTML as browsers write out what they show (well-formed, values of attributes in quotes) as Markdown: headings, lists, tables, quotes,
 * code with its language, emphasis, links. Buttons, scripts and unknown tags go, the text inside of the latter stays.
 */
export const htmlToMarkdown = (html: string): string => paragraphs(parse(html).children).join('\n\n')
