import { expect, it } from 'vitest'
import { paced } from './paced.js'

it('calls at once, then at most every 250 ms, and never misses the last', () => {
  let now = 0
  let timers: { at: number; call: () => void }[] = []
  const timing = {
    now: () => now,
    after: (wait: number, call: () => void) => {
      const timer = { at: now + wait, call }
      timers.push(timer)
      return () => {
        timers = timers.filter((other) => other !== timer)
      }
    },
  }
  const calls: number[] = []
  const draw = paced(() => calls.push(now), 250, timing)
  const until = (end: number) => {
    for (; now <= end; now++) {
      const due = timers.filter(({ at }) => at <= now)
      timers = timers.filter(({ at }) => at > now)
      for (const { call } of due) call()
      if (now % 10 === 0 && now < 1000) draw.ask()
    }
  }
  until(2000)
  expect(calls).toEqual([0, 250, 500, 750, 1000])
  draw.ask()
  draw.ask()
  draw.stop()
  until(3000)
  expect(calls).toHaveLength(6)
})
