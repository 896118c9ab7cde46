import { expect, it } from 'vitest'
import { clock, duration, moment } from './time.js'

it('writes durations by their size', () => {
  expect(duration(51.4)).toBe('0:51')
  expect(duration(216)).toBe('3:36')
  expect(duration(3599.6)).toBe('1 h 00')
  expect(duration(8340)).toBe('2 h 19')
  expect(duration(273_600)).toBe('3 d 4 h')
  expect(duration(-3)).toBe('0:00')
  expect(duration(null)).toBe('—')
  expect(duration(Infinity)).toBe('—')
})

it('writes moments by their distance', () => {
  const now = new Date(2026, 10, 30, 19, 36, 5)
  expect(clock(now)).toBe('19:36')
  expect(clock(now, true)).toBe('19:36:05')
  expect(moment(new Date(2026, 10, 30, 8, 1), now, 'en')).toBe('08:01')
  expect(moment(new Date(2026, 10, 28, 8, 1), now, 'en')).toBe('28 Nov')
  expect(moment(new Date(2026, 10, 28, 8, 1), now, 'zh')).toBe('11月28日')
  expect(moment(new Date(2024, 2, 3), now, 'en')).toBe('3 Mar 2024')
  expect(moment(new Date('no date'), now, 'en')).toBe('—')
})
