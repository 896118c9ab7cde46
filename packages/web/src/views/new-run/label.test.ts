import { expect, it } from 'vitest'
import { labelOf } from './label.js'

it('makes a label of a key that has none', () => {
  const none = { path: 'peft.excludeModules', label: { en: 'peft.excludeModules', zh: '排除的层' } }
  expect(labelOf(none, 'en')).toBe('Exclude modules')
  expect(labelOf(none, 'zh')).toBe('排除的层')
})
