import { htmlToMarkdown } from '@ift/core/collection'

const isHtml = (text: string): boolean => /^\s*<(?:div|p|pre|ol|ul|h[1-6])[\s>]/.test(text)

/** Text without what Markdown escapes, outside of code. */
const unescaped = (text: string): string =>
  text
    .split(/(```[\s\S]*?(?:```|$)|`[^`\n]*`)/)
    .map((part, i) => (i % 2 === 0 ? part.replace(/\\([_*])/g, '$1') : part))
    .join('')

/** An answer without the page that it was copied from: its HTML, and the words of its buttons. */
export const answer = (text: string): string =>
  isHtml(text)
    ? htmlToMarkdown(text)
    : unescaped(
        text
          .replace(/^(?:(?:Share Prompt|\d+ \/ \d+)\n)+/, '')
          .replace(/```\n?([\w+#.-]*)\n?Copy code\n?/g, '```$1\n'),
      )
