import { blanks } from './blanks.js'

/** How BLEU cuts texts; the names are those of sacreBLEU. */
export type BleuTokenizer = '13a' | 'zh' | 'char' | 'none'

const endBlanks = new RegExp(`${blanks.source}$`, 'u')
const startBlanks = new RegExp(`^${blanks.source}`, 'u')

/** The rules of mteval-v13a for Western languages: punctuation stands alone, a point or comma within a number does not. */
const western = (line: string) =>
  line
    .replace(/[{-~[-` -&(-+:-@/]/g, ' $& ')
    .replace(/([^0-9])([.,])/gu, '$1 $2 ')
    .replace(/([.,])([^0-9])/gu, ' $1 $2')
    .replace(/([0-9])(-)/g, '$1 $2 ')

/**
 * What sacreBLEU takes as Chinese. Its two ranges beyond U+FFFF are written with four digits and end up as U+2001–U+2A6D and
 * U+2F81–U+2FA1; scores of others are only met with the same.
 */
const chinese =
  /[\u2001-\u2a6d\u2e80-\u2fdf\u2ff0-\u303f\u3100-\u312f\u31a0-\u31bf\u31c0-\u31ef\u3200-\u33ff\u3400-\u4db5\u4e00-\u9fbb\uf900-\ufa2d\ufa30-\ufa6a\ufa70-\ufad9\ufe10-\ufe1f\ufe30-\ufe4f\uff00-\uffef]/gu

function cut(line: string, tokenizer: BleuTokenizer): string {
  switch (tokenizer) {
    case '13a': {
      const text = line
        .replaceAll('<skipped>', '')
        .replaceAll('-\n', '')
        .replaceAll('\n', ' ')
        .replaceAll('&quot;', '"')
        .replaceAll('&amp;', '&')
        .replaceAll('&lt;', '<')
        .replaceAll('&gt;', '>')
      return western(` ${text} `)
    }
    case 'zh':
      return western(line.replace(startBlanks, '').replace(chinese, ' $& '))
    case 'char':
      return Array.from(line).join(' ')
    case 'none':
      return line
  }
}

/** The tokens of a text. */
export const bleuTokens = (text: string, tokenizer: BleuTokenizer): string[] =>
  cut(text.replace(endBlanks, ''), tokenizer)
    .split(blanks)
    .filter((token) => token !== '')
