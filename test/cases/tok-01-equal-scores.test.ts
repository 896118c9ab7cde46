import { join } from 'node:path'
import { loadTokenizer } from '@ift/tokenizers'
import { afterAll, describe, expect, test } from 'vitest'
import { caseFolder, root } from './ift.fixture.js'
import { expectGoldenSaved, goldenOf } from './sentencepiece.fixture.js'

// Among pieces of equal score SentencePiece puts together the leftmost pair. ids by sentencepiece
// (scripts/reference/make_sentencepiece_cases.py).

const name = 'tok-01-equal-scores'
const folder = caseFolder(name)
afterAll(() => {
  folder.remove()
})

test('runs of blanks, as Mistral has them, get the ids of sentencepiece', () => {
  folder.output(
    'score',
    ...['--weights', './model', '--initialize', '--template', 'plain'],
    ...['--input', 'blanks.jsonl', '--output', 'out.jsonl'],
  )
  const expected = folder.lines('expected.jsonl') as { ids: number[] }[]
  const found = folder.lines('out.jsonl') as { ids: number[] }[]
  // bos stands in front.
  expect(found.map(({ ids }) => ids)).toEqual(expected.map(({ ids }) => [1, ...ids]))
})

describe.each(['added-words', 'one-score', 'repeated'])('%s', (kind) => {
  const model = join(root, 'fixtures/cases', name, kind)

  test('ids are those of sentencepiece, also when the tokenizer was saved and read again', () =>
    expectGoldenSaved(model))

  test('ranges of tokens lie end to end', async () => {
    const tokenizer = await loadTokenizer(model)
    for (const [text] of await goldenOf(model)) {
      const { ids, offsets } = await tokenizer.encode(text)
      for (const [i, id] of ids.entries()) {
        const piece = tokenizer.token(id)!
        const part = text.slice(offsets[2 * i], offsets[2 * i + 1])
        // The blank that SentencePiece puts in front stands for none of the text.
        if (!piece.startsWith('<0x') && !(i === 0 && piece === '▁'))
          expect(piece.replaceAll('▁', ' ').endsWith(part), `${text}: ${piece}`).toBe(true)
      }
    }
  })
})
