/** A stretch of code of one colour. */
export interface Stretch {
  readonly kind: 'plain' | 'comment' | 'string' | 'number' | 'keyword'
  readonly text: string
}

const keywords = {
  script:
    'abstract as async await break case catch class const continue debugger default delete do else enum export extends false finally for from function get if implements import in instanceof interface let new null of private protected public readonly return set static super switch this throw true try type typeof undefined var void while with yield',
  python:
    'False None True and as assert async await break case class continue def del elif else except finally for from global if import in is lambda match nonlocal not or pass raise return self try while with yield',
  system:
    'as async auto await bool break case catch char class const constexpr continue crate default delete do double dyn else enum export extern false final finally float fn for func go goto if impl import in include inline int interface let long loop map match mod move mut namespace new nil null nullptr operator override package private protected pub public range return self short signed sizeof static std string struct super switch template this throw trait true try type typedef typename union unsafe unsigned use using var virtual void volatile where while',
  shell:
    'case cd do done echo elif else esac exit export fi for function if in local return set shift source then until while',
  sql: 'ALTER AND AS ASC BETWEEN BY CASE CREATE DELETE DESC DISTINCT DROP ELSE END EXISTS FROM GROUP HAVING IN INDEX INNER INSERT INTO IS JOIN LEFT LIKE LIMIT NOT NULL ON OR ORDER OUTER PRIMARY RIGHT SELECT SET TABLE THEN UNION UPDATE VALUES VIEW WHEN WHERE WITH',
  data: 'true false null yes no',
} as const

type Family = keyof typeof keywords

const families: Readonly<Record<string, Family>> = {
  ...{
    js: 'script',
    javascript: 'script',
    jsx: 'script',
    ts: 'script',
    typescript: 'script',
    tsx: 'script',
    mjs: 'script',
  },
  ...{ py: 'python', python: 'python', ruby: 'python', rb: 'python' },
  ...{
    c: 'system',
    cpp: 'system',
    'c++': 'system',
    h: 'system',
    cs: 'system',
    csharp: 'system',
    cuda: 'system',
    go: 'system',
  },
  ...{
    java: 'system',
    kotlin: 'system',
    rs: 'system',
    rust: 'system',
    swift: 'system',
    php: 'system',
    scala: 'system',
  },
  ...{
    sh: 'shell',
    bash: 'shell',
    shell: 'shell',
    zsh: 'shell',
    console: 'shell',
    dockerfile: 'shell',
    makefile: 'shell',
  },
  ...{ sql: 'sql', json: 'data', jsonl: 'data', yaml: 'data', yml: 'data', toml: 'data', ini: 'data' },
}

const strings = String.raw`"(?:\\[^]|[^"\\\n])*"?|'(?:\\[^]|[^'\\\n])*'?`
const number = String.raw`\b(?:0[xX][\da-fA-F_]+|\d[\d_]*(?:\.\d+)?(?:[eE][-+]?\d+)?)\b`
const word = String.raw`[A-Za-z_$][\w$]*`
const slashes = String.raw`\/\/[^\n]*|\/\*[^]*?(?:\*\/|$)`

/** Comments, strings, numbers and words of a family, in groups of this order. */
const rules: Readonly<Record<Family, RegExp>> = {
  script: rule(slashes, `\`(?:\\\\[^]|[^\`\\\\])*\`?|${strings}`),
  python: rule('#[^\\n]*', `"""[^]*?(?:"""|$)|'''[^]*?(?:'''|$)|${strings}`),
  system: rule(slashes, strings),
  shell: rule('#[^\\n]*', strings),
  sql: rule('--[^\\n]*|\\/\\*[^]*?(?:\\*\\/|$)', strings),
  data: rule('#[^\\n]*', strings),
}

function rule(comment: string, quoted: string): RegExp {
  return new RegExp(`(${comment})|(${quoted})|(${number})|(${word})`, 'g')
}

const kinds = ['comment', 'string', 'number'] as const

/** Code beyond this is not coloured. */
const most = 50_000

/** Colours of code, by a lexer of comments, strings, numbers and keywords; other languages and long code are plain. */
export function highlight(code: string, language: string): readonly Stretch[] {
  const family = families[language.toLowerCase()]
  if (family === undefined || code.length > most) return code === '' ? [] : [{ kind: 'plain', text: code }]
  const known = new Set<string>(keywords[family].split(' '))
  const isKnown = (name: string) => known.has(family === 'sql' ? name.toUpperCase() : name)
  const found: { kind: Stretch['kind']; text: string }[] = []
  const add = (kind: Stretch['kind'], text: string) => {
    const last = found[found.length - 1]
    if (text === '') return
    if (last?.kind === kind) last.text += text
    else found.push({ kind, text })
  }
  let at = 0
  for (const match of code.matchAll(rules[family])) {
    add('plain', code.slice(at, match.index))
    const group = kinds.find((_, i) => match[i + 1] !== undefined)
    add(group ?? (isKnown(match[0]) ? 'keyword' : 'plain'), match[0])
    at = match.index + match[0].length
  }
  add('plain', code.slice(at))
  return found
}
