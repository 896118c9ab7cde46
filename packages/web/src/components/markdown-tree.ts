import { Lexer, type Token, type Tokens } from 'marked'

/** A part of a line. */
export type Inline =
  | { readonly kind: 'text' | 'code'; readonly text: string }
  | { readonly kind: 'strong' | 'em' | 'del'; readonly children: readonly Inline[] }
  /** `shown`: the address, where the text of the link does not say it. */
  | {
      readonly kind: 'link'
      readonly href: string
      readonly shown: string | null
      readonly children: readonly Inline[]
    }
  | { readonly kind: 'break' }

/** A part of a text. */
export type Block =
  | { readonly kind: 'paragraph'; readonly children: readonly Inline[] }
  | { readonly kind: 'heading'; readonly depth: number; readonly children: readonly Inline[] }
  | { readonly kind: 'code'; readonly language: string; readonly text: string }
  | { readonly kind: 'quote'; readonly children: readonly Block[] }
  | { readonly kind: 'list'; readonly start: number | null; readonly items: readonly ListItem[] }
  | { readonly kind: 'rule' }
  | {
      readonly kind: 'table'
      readonly head: readonly Cell[]
      readonly rows: readonly (readonly Cell[])[]
    }

export interface ListItem {
  /** Null where it is no task. */
  readonly done: boolean | null
  readonly children: readonly Block[]
}

export interface Cell {
  readonly align: 'left' | 'right' | 'center' | null
  readonly children: readonly Inline[]
}

/** Blocks inside of blocks; what is deeper is text. */
const deepest = 24

/**
 * Markdown (GitHub's) as a tree. Nothing of it becomes HTML: tags are text, images are links, and links lead to http, https and mailto alone.
 */
export function markdown(source: string): readonly Block[] {
  try {
    return blocks(new Lexer({ gfm: true, breaks: true }).lex(source), 0)
  } catch {
    // Nested deeper than the lexer can go.
    return [{ kind: 'paragraph', children: [{ kind: 'text', text: source }] }]
  }
}

function blocks(tokens: readonly Token[], depth: number): Block[] {
  return tokens.flatMap((token) => block(token, depth) ?? [])
}

function block(token: Token, depth: number): Block | null {
  if (depth > deepest) return plain(token.raw)
  switch (token.type) {
    case 'space':
    case 'def':
      return null
    case 'heading':
      return {
        kind: 'heading',
        depth: (token as Tokens.Heading).depth,
        children: inlines(token.tokens, depth),
      }
    case 'code': {
      const { lang = '', text } = token as Tokens.Code
      return { kind: 'code', language: lang.trim().split(/\s/)[0] ?? '', text }
    }
    case 'blockquote':
      return { kind: 'quote', children: blocks(token.tokens ?? [], depth + 1) }
    case 'list': {
      const { ordered, start, items } = token as Tokens.List
      return {
        kind: 'list',
        start: ordered ? Number(start) || 1 : null,
        items: items.map(({ task, checked, tokens }) => ({
          done: task ? checked === true : null,
          children: blocks(tokens, depth + 1),
        })),
      }
    }
    case 'hr':
      return { kind: 'rule' }
    case 'table': {
      const { header, rows, align } = token as Tokens.Table
      const cell = ({ tokens }: Tokens.TableCell, i: number): Cell => ({
        align: align[i] ?? null,
        children: inlines(tokens, depth),
      })
      return { kind: 'table', head: header.map(cell), rows: rows.map((row) => row.map(cell)) }
    }
    case 'checkbox':
      return null
    case 'paragraph':
    case 'text':
      return {
        kind: 'paragraph',
        children: token.tokens ? inlines(token.tokens, depth) : text(token as Tokens.Text),
      }
    default:
      return plain(token.raw)
  }
}

const plain = (source: string): Block => ({
  kind: 'paragraph',
  children: [{ kind: 'text', text: source.replace(/\n+$/, '') }],
})

function inlines(tokens: readonly Token[] | undefined, depth: number): readonly Inline[] {
  return (tokens ?? []).flatMap((token) => inline(token, depth + 1))
}

function inline(token: Token, depth: number): readonly Inline[] {
  if (depth > deepest * 2) return [{ kind: 'text', text: token.raw }]
  switch (token.type) {
    case 'strong':
    case 'em':
    case 'del':
      return [{ kind: token.type, children: inlines(token.tokens, depth) }]
    case 'codespan':
      return [{ kind: 'code', text: (token as Tokens.Codespan).text }]
    case 'br':
      return [{ kind: 'break' }]
    case 'link': {
      const { href: written, tokens } = token as Tokens.Link
      return link(written, inlines(tokens, depth), token.raw)
    }
    case 'image': {
      // Loading one would tell its host what is read here.
      const { href: written, text: name } = token as Tokens.Image
      return link(written, [{ kind: 'text', text: decoded(name) || written }], token.raw)
    }
    case 'checkbox':
      return []
    case 'text':
    case 'escape':
      return text(token as Tokens.Text)
    default:
      return [{ kind: 'text', text: token.raw }]
  }
}

const text = ({ text: written, tokens }: Tokens.Text): readonly Inline[] =>
  tokens ? inlines(tokens, 0) : [{ kind: 'text', text: decoded(written) }]

function link(written: string, children: readonly Inline[], raw: string): readonly Inline[] {
  const href = safeHref(written)
  if (href === null) return [{ kind: 'text', text: raw }]
  const name = words(children).trim()
  const bare = (address: string) => address.replace(/^(https?:\/\/|mailto:)/, '').replace(/\/$/, '')
  return [{ kind: 'link', href, shown: bare(name) === bare(href) ? null : href, children }]
}

const words = (children: readonly Inline[]): string =>
  children
    .map((child) => ('text' in child ? child.text : 'children' in child ? words(child.children) : ' '))
    .join('')

/** An address that may be opened: http, https or mailto; null for any other, and for those without a scheme. */
export function safeHref(written: string): string | null {
  const address = decoded(written).trim()
  // As browsers do before they read a scheme.
  if (!/^(https?:\/\/|mailto:)[^\s\u0000-\u001f]+$/i.test(address)) return null
  try {
    const { href, protocol } = new URL(address)
    return ['http:', 'https:', 'mailto:'].includes(protocol) ? href : null
  } catch {
    return null
  }
}

const named: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: '\u00a0',
}

/** References to characters, which Markdown knows from HTML. */
export const decoded = (written: string): string =>
  written.replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|([a-z]{2,4}));/gi, (whole, decimal, hex, name) => {
    if (typeof name === 'string') return named[name] ?? whole
    const code = Number.parseInt((decimal ?? hex) as string, decimal === undefined ? 16 : 10)
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : '\ufffd'
  })
