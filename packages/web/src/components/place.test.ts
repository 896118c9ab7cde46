import { describe, expect, it } from 'vitest'
import { place } from './place.js'

const window = { width: 1000, height: 800 }
const at = (left: number, top: number) => ({ left, right: left + 40, top, bottom: top + 20 })

describe('places of popovers', () => {
  it('is below where there is room', () => {
    expect(place(at(100, 100), { width: 280, height: 300 }, window)).toMatchObject({
      left: 100,
      top: 126,
      isBelow: true,
    })
  })

  it('is above where there is none, and never covers the line', () => {
    const { top, isBelow } = place(at(100, 700), { width: 280, height: 300 }, window)
    expect(isBelow).toBe(false)
    expect(top + 300).toBeLessThanOrEqual(700)
  })

  it('stays in the window', () => {
    expect(place(at(950, 100), { width: 280, height: 100 }, window).left).toBe(712)
    expect(place(at(10, 100), { width: 280, height: 100 }, { ...window, right: true }).left).toBe(8)
  })

  it('takes what room there is', () => {
    expect(place(at(100, 500), { width: 280, height: 2000 }, window)).toMatchObject({
      isBelow: false,
      room: 486,
      top: 8,
    })
  })
})
