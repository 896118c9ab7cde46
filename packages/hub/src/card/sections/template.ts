import type { CardFacts } from '../facts.js'
import { fence } from '../names.js'

/** How a conversation is written for the model. */
export function templateSection({ example }: CardFacts): string | null {
  if (!example) return null
  return [
    '## Prompts',
    `The template is \`${example.template}\`. A question with its answer is written as`,
    fence(example.text, 'text'),
    `and this part of it is learned: ${fenceInline(example.learned)}`,
  ].join('\n\n')
}

/** A line of code that nothing in it can end; line breaks are shown as such. */
function fenceInline(text: string): string {
  const shown = text.replaceAll('\n', '⏎')
  const longest = Math.max(0, ...[...shown.matchAll(/`+/g)].map(([ticks]) => ticks.length))
  const ticks = '`'.repeat(longest + 1)
  const blank = longest > 0 ? ' ' : ''
  return `${ticks}${blank}${shown}${blank}${ticks}`
}
