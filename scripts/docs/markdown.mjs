// @ts-check
// Reads the parts of Markdown that the tests of the docs ask for.

/**
 * @typedef {{ readonly target: string, readonly line: number }} Link
 * @typedef {{ readonly language: string, readonly note: string, readonly text: string, readonly line: number }} Fence
 */

const fenceMark = /^(`{3,})(\S*)\s*(.*)$/

/**
 * Fenced blocks in order. The rest of the opening line behind the language is `note`; `line` is that of the opening.
 * @param {string} page @returns {Fence[]}
 */
export function fences(page) {
  const found = []
  /** @type {{ mark: string, language: string, note: string, line: number, text: string[] } | null} */
  let open = null
  for (const [i, line] of page.split('\n').entries()) {
    if (open) {
      if (line === open.mark) {
        found.push({ ...open, text: open.text.map((one) => `${one}\n`).join('') })
        open = null
      } else open.text.push(line)
      continue
    }
    const match = fenceMark.exec(line)
    if (match)
      open = { mark: match[1] ?? '', language: match[2] ?? '', note: match[3] ?? '', line: i + 1, text: [] }
  }
  if (open) throw new Error(`line ${open.line}: a block that is never closed`)
  return found.map(({ language, note, text, line }) => ({ language, note, text, line }))
}

/** The lines of a page with fenced blocks and inline code blanked. @param {string} page */
function prose(page) {
  let inside = ''
  return page.split('\n').map((line) => {
    const mark = fenceMark.exec(line)?.[1]
    if (inside) {
      if (line === inside) inside = ''
      return ''
    }
    if (mark) {
      inside = mark
      return ''
    }
    return line.replaceAll(/(`+)(?!`).*?(?<!`)\1(?!`)/g, (code) => ' '.repeat(code.length))
  })
}

/** Targets of links and images outside of code. @param {string} page @returns {Link[]} */
export const links = (page) =>
  prose(page).flatMap((line, i) =>
    [...line.matchAll(/\]\(([^()\s]+(?:\([^()\s]*\))?)\)/g)].map(([, target]) => ({
      target: target ?? '',
      line: i + 1,
    })),
  )

/** Anchors of the headings, as GitHub makes them. @param {string} page @returns {Set<string>} */
export function anchors(page) {
  const seen = new Map()
  const headings = page.split('\n').filter((line, i) => /^#{1,6} /.test(line) && prose(page)[i] !== '')
  return new Set(
    headings.map((heading) => {
      const slug = heading
        .replace(/^#+ /, '')
        .trim()
        .toLowerCase()
        .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
        .replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, '')
        .replaceAll(' ', '-')
      const count = seen.get(slug) ?? 0
      seen.set(slug, count + 1)
      return count ? `${slug}-${count}` : slug
    }),
  )
}

/** The text of each section by its heading, without those below it. @param {string} page @returns {Map<string, string>} */
export function sections(page) {
  const plain = prose(page)
  const found = new Map()
  let heading = ''
  for (const [i, line] of page.split('\n').entries()) {
    const match = plain[i] === '' ? null : /^#{1,6} (.*)$/.exec(line)
    if (match) found.set((heading = match[1] ?? ''), '')
    else found.set(heading, `${found.get(heading) ?? ''}${line}\n`)
  }
  return found
}

/** Rows of tables, one list of cells each; an escaped bar is part of its cell. @param {string} text @returns {string[][]} */
export const cells = (text) =>
  text
    .split('\n')
    .filter((line) => /^\|.*\|$/.test(line) && !/^[|\s:-]+$/.test(line))
    .map((line) =>
      line
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim()),
    )
