import { describe, expect, it } from 'vitest'
import type { SchemaField } from '../../api/types.js'
import { fieldText, readField } from './read-field.js'

const field = (kind: SchemaField['kind'], more: Partial<SchemaField> = {}): SchemaField => ({
  path: 'x',
  label: { en: 'x', zh: 'x' },
  help: { en: '', zh: '' },
  kind,
  choices: [],
  default: null,
  min: null,
  max: null,
  above: false,
  below: false,
  common: true,
  optional: true,
  ...more,
})

describe('readField', () => {
  it('reads numbers as they are typed, in their bounds', () => {
    const rate = field('number', { min: 0, max: 0.1, above: true })
    expect(readField(rate, '3e-4')).toEqual({ kind: 'value', value: 3e-4 })
    expect(readField(rate, ' 5 % ')).toEqual({ kind: 'value', value: 0.05 })
    const bounds = { kind: 'bounds', min: 0, max: 0.1, above: true, below: false }
    expect(readField(rate, '3e-1')).toEqual({ kind: 'wrong', found: '0.3', expected: bounds })
    expect(readField(rate, '0')).toEqual({ kind: 'wrong', found: '0', expected: bounds })
    expect(readField(rate, 'fast')).toEqual({ kind: 'wrong', found: 'fast', expected: { kind: 'number' } })
  })

  it('wants whole numbers where there are only those', () => {
    const size = field('integer', { min: 1 })
    expect(readField(size, '1k')).toEqual({ kind: 'value', value: 1000 })
    expect(readField(size, '1.5').kind).toBe('wrong')
    expect(readField(size, '0').kind).toBe('wrong')
  })

  it('has the default hold where nothing stands', () => {
    expect(readField(field('number', { default: 3, optional: false }), ' ')).toEqual({ kind: 'absent' })
    expect(readField(field('text', { optional: false }), '').kind).toBe('wrong')
  })

  it('reads lists, choices and JSON', () => {
    expect(readField(field('list'), 'a, b\nc,')).toEqual({ kind: 'value', value: ['a', 'b', 'c'] })
    expect(readField(field('choice', { choices: ['a'] }), 'b').kind).toBe('wrong')
    expect(readField(field('json'), '{"near": 0.9}')).toEqual({ kind: 'value', value: { near: 0.9 } })
    expect(readField(field('json'), 'true')).toEqual({ kind: 'value', value: true })
    expect(readField(field('json'), 'exact')).toEqual({ kind: 'value', value: 'exact' })
    expect(readField(field('json'), '{near: 0.9}').kind).toBe('wrong')
  })

  it('shows values in the way that it reads them', () => {
    for (const [kind, value] of [
      ['number', 3e-4],
      ['list', ['a', 'b']],
      ['json', { near: 0.9 }],
      ['text', 'x'],
    ] as const)
      expect(readField(field(kind), fieldText(field(kind), value))).toEqual({ kind: 'value', value })
    expect(fieldText(field('text'), undefined)).toBe('')
  })
})
