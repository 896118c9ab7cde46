import { expect, it } from 'vitest'
import { commandParts, commandText, fileParts } from './command.js'

const lines = [
  'npx ift train',
  '  --weights a',
  '  --train.epochs 2 --train.learningRate 3e-1',
  '  --maxLength 512',
]

it('joins lines for a shell', () => {
  expect(commandText(['npx ift train', '  --weights a'])).toBe('npx ift train \\\n  --weights a')
})

it('marks the values of wrong options, and nothing else', () => {
  const parts = commandParts(lines, [{ path: 'train.learningRate' }])
  expect(parts.filter(({ wrong }) => wrong)).toEqual([{ text: '3e-1', wrong: true }])
  expect(parts.map(({ text }) => text).join('')).toBe(commandText(lines))
  expect(commandParts(lines, [{ path: 'train.epochs' }]).filter(({ wrong }) => wrong)).toEqual([
    { text: '2', wrong: true },
  ])
  expect(commandParts(lines, [{ path: 'maxLength' }]).at(-1)).toEqual({ text: '512', wrong: true })
  expect(commandParts(lines, [{ path: '' }])).toEqual([{ text: commandText(lines), wrong: false }])
  expect(commandParts(lines, [])).toHaveLength(1)
})

it('marks values in a config file', () => {
  const file = '{\n  "train": {\n    "learningRate": 0.3\n  },\n  "maxLength": 512\n}\n'
  const parts = fileParts(file, [{ path: 'train.learningRate' }])
  expect(parts.filter(({ wrong }) => wrong)).toEqual([{ text: '0.3', wrong: true }])
  expect(parts.map(({ text }) => text).join('')).toBe(file)
})
