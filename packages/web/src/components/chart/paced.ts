/** Clock and timer of a page; tests have their own. */
export interface Timing {
  now(): number
  /** Calls back after so many milliseconds; returns how to call it off. */
  after(milliseconds: number, call: () => void): () => void
}

const page: Timing = {
  now: () => performance.now(),
  after: (milliseconds, call) => {
    const timer = setTimeout(call, milliseconds)
    return () => {
      clearTimeout(timer)
    }
  },
}

/** Something done at most once in `milliseconds`, the last call always. */
export interface Paced {
  ask(): void
  stop(): void
}

/** Charts redraw at most four times a second. */
export const redrawEvery = 250

export function paced(call: () => void, milliseconds = redrawEvery, timing = page): Paced {
  let last = -Infinity
  let callOff: (() => void) | null = null
  const run = () => {
    callOff = null
    last = timing.now()
    call()
  }
  return {
    ask() {
      if (callOff !== null) return
      const wait = last + milliseconds - timing.now()
      if (wait <= 0) run()
      else callOff = timing.after(wait, run)
    },
    stop() {
      callOff?.()
      callOff = null
    },
  }
}
