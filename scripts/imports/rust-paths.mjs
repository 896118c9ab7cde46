// What a file of Rust uses of its own crate. Paths are read as rustc reads them, in `use` and anywhere else: those that begin
// with `crate`, `self` or `super`. A path that begins with a name leads to a child or to another crate.

/** A file's text with comments and literals blanked; lines stay where they are. */
function code(text) {
  const opening =
    /\/\/[^\n]*|\/\*|\bb?r(#*)"[^]*?"\1|b?"(?:\\[^]|[^"\\])*"|b?'(?:\\(?:u\{[^}]*\}|x..|.)|[^'\\\n])'/gu
  let out = ''
  let at = 0
  for (let found; (found = opening.exec(text)); opening.lastIndex = at) {
    const end = found[0] === '/*' ? endOfComment(text, opening.lastIndex) : opening.lastIndex
    out += text.slice(at, found.index) + text.slice(found.index, end).replace(/[^\n]/g, ' ')
    at = end
  }
  return out + text.slice(at)
}

/** Where a block comment ends whose inside begins at `from`. They nest. */
function endOfComment(text, from) {
  const edge = /\/\*|\*\//g
  edge.lastIndex = from
  for (let depth = 1; depth > 0;) {
    const found = edge.exec(text)
    if (!found) return text.length
    depth += found[0] === '/*' ? 1 : -1
  }
  return edge.lastIndex
}

/** The words and signs of a file, and where they stand. */
const tokensOf = (text) =>
  [...code(text).matchAll(/[A-Za-z_]\w*|::|[^\s\w]/g)].map(({ 0: token, index }) => ({ text: token, index }))

/** The paths of a use tree that begins at a token: `a::{b, c::{self, d as e}, f::*}` gives four, each with its name. */
function useTree(tokens, from) {
  const leaves = []
  let at = from
  const is = (sign) => tokens[at]?.text === sign
  const tree = (head) => {
    const path = [...head]
    while (at < tokens.length) {
      if (is('{')) {
        for (at++; at < tokens.length && !is('}'); at += is(',') ? 1 : 0) tree(path)
        at++
        return
      }
      const { text: token } = tokens[at++]
      if (token !== '::') path.push(token)
      if (token === '::' || is('::')) continue
      const renamed = is('as') ? tokens[at + 1]?.text : undefined
      if (renamed) at += 2
      if (path.length > 1 && path.at(-1) === 'self') path.pop()
      leaves.push({ path, name: renamed ?? path.at(-1) })
      return
    }
  }
  tree([])
  return { leaves, end: at }
}

/**
 * Every path of a file that leads into its crate, from the crate's root, and the line it stands in. Inline modules named
 * `tests` are left out.
 * @param {string} text
 * @param {string[]} module the path of the file's module
 * @returns {{ path: string[], line: number }[]}
 */
export function usesOf(text, module) {
  const tokens = tokensOf(text)
  const uses = []
  const add = (path, here, index) => {
    const whole = absolute(path, here)
    if (whole) uses.push({ path: whole, line: text.slice(0, index).split('\n').length })
  }
  /** Inline modules around a token, with the depth of their braces. */
  const inside = []
  let depth = 0
  for (let at = 0; at < tokens.length; at++) {
    const { text: token, index } = tokens[at]
    if (token === '{') depth++
    else if (token === '}') {
      depth--
      if (inside.at(-1)?.depth === depth) inside.pop()
    } else if (token === 'mod' && tokens[at + 2]?.text === '{')
      inside.push({ name: tokens[at + 1].text, depth })
    if (inside.some(({ name }) => name === 'tests')) continue
    const here = [...module, ...inside.map(({ name }) => name)]
    if (token === 'use') {
      const { leaves, end } = useTree(tokens, at + 1)
      for (const { path } of leaves) add(path, here, index)
      at = end - 1
    } else if (/^(crate|super|self)$/.test(token) && tokens[at + 1]?.text === '::') {
      const path = [token]
      while (tokens[at + 1]?.text === '::' && /^\w/.test(tokens[at + 2]?.text ?? '')) {
        path.push(tokens[at + 2].text)
        at += 2
      }
      add(path, here, index)
    }
  }
  return uses
}

/** What lib.rs and the macros of a file pass on at the root: each name, and the path it stands for. */
export function passedOnBy(text, module) {
  const tokens = tokensOf(text)
  const macros = [...code(text).matchAll(/#\[macro_export[^\]]*\]\s*macro_rules!\s*(\w+)/g)]
  const names = macros.map(([, name]) => [name, module])
  if (module.length) return names
  const leaves = tokens.flatMap(({ text: token }, at) =>
    token === 'use' ? useTree(tokens, at + 1).leaves : [],
  )
  return [...names, ...leaves.map(({ path, name }) => [name, absolute(path, []) ?? path])]
}

/** A path from the root of the crate; null where it begins with another crate or with what the file has in scope. */
function absolute(path, here) {
  const [first, ...rest] = path
  if (first === 'crate') return rest
  if (first === 'self') return rest[0] === 'super' ? absolute(rest, here) : [...here, ...rest]
  if (first !== 'super') return null
  const ups = path.findIndex((part) => part !== 'super')
  return [...here.slice(0, -ups), ...path.slice(ups)]
}
