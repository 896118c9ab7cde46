// @ts-check
// Rows of instruction data of some 840 bytes: English words by their frequency in docs/, new words, numbers, other alphabets, lists and lines.
import { once } from 'node:events'
import { createWriteStream, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Makes rows, the same ones in the same order each time. */
export function rowMaker() {
  const docs = fileURLToPath(new URL('../docs', import.meta.url))
  const text = readdirSync(docs)
    .filter((name) => name.endsWith('.md'))
    .map((name) => readFileSync(join(docs, name), 'utf8'))
    .join('\n')
  /** @type {Map<string, number>} */
  const counts = new Map()
  for (const word of text.match(/\p{L}+/gu) ?? []) counts.set(word, (counts.get(word) ?? 0) + 1)
  const words = [...counts].sort((a, b) => b[1] - a[1]).map(([word]) => word)
  const syllables = 'ba ti ko re lan ster min tion al ge pro con ver ith sul mar en ou dra fel'.split(' ')
  const others = ['naïve', 'café', '“yes”', '—', '10 €', 'Zürich']
  let state = 7
  const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32
  const below = (/** @type {number} */ n) => Math.floor(random() * n)
  const of = (/** @type {string[]} */ list) => list[below(list.length)] ?? ''
  const word = () => {
    const kind = below(100)
    if (kind < 3) return Array.from({ length: 2 + below(3) }, () => of(syllables)).join('')
    if (kind < 5) return String(below(3000))
    if (kind < 6) return of(others)
    // A word of rank r is as frequent as 1/r.
    return words[Math.floor(Math.exp(random() * Math.log(words.length)))] ?? 'the'
  }
  const sentence = () => `${Array.from({ length: 5 + below(16) }, word).join(below(4) ? ' ' : ', ')}.`
  const paragraph = (/** @type {number} */ length) => {
    let written = ''
    while (written.length < length)
      written += (written && (below(5) ? ' ' : '\n\n')) + (below(8) ? '' : `${1 + below(9)}. `) + sentence()
    return written
  }
  return () => ({
    instruction: paragraph(20 + below(80)),
    input: below(5) < 3 ? '' : paragraph(20 + below(150)),
    output: paragraph(100 + below(1000)),
  })
}

/** Writes so many rows as JSONL. */
export async function writeRows(/** @type {string} */ path, /** @type {number} */ count) {
  const row = rowMaker()
  const file = createWriteStream(path)
  for (let i = 0; i < count; i++) if (!file.write(`${JSON.stringify(row())}\n`)) await once(file, 'drain')
  file.end()
  await once(file, 'close')
}
