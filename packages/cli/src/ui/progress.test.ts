import type { VerbTerminal } from '@ift/core'
import { expect, test } from 'vitest'
import { Progress } from './progress.js'

test('a line has loss, speed, memory and what is left, and the penalty of a method that has one', () => {
  const lines: string[] = []
  const terminal = {
    interactive: false,
    err: (text: string) => lines.push(text),
  } as unknown as VerbTerminal
  const show = (values: Readonly<Record<string, number>>) => {
    new Progress(terminal, 4, 0, () => 2 ** 20).show({ step: 1, kind: 'train', values })
  }
  show({ loss: 1.5, tokensPerSecond: 10 })
  show({ loss: 1.75, penalty: 0.25, tokensPerSecond: 10 })
  expect(lines[0]).toMatch(/^step 1\/4 {2}loss 1\.5000 {2}10 tok\/s {2}1\.00? MiB/)
  expect(lines[1]).toContain('loss 1.7500  penalty 0.2500  10 tok/s')
})
