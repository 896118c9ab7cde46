import { values, type Start } from '@ift/core/peft'
import type { PeftContext } from '@ift/core'
import { random } from '@ift/tensor'

/** N(0, std²) within two deviations, by drawing again what lies outside; `stream` tells its numbers from others'. */
export const truncatedNormal = (
  std: number,
  shape: readonly number[],
  { backend, seed }: Pick<PeftContext, 'backend' | 'seed'>,
  stream: number,
): Start =>
  values(async () => {
    const draw = async (count: number, round: number) => {
      const drawn = random(backend, [count], 'normal', { seed, stream: stream + round })
      try {
        return await drawn.read()
      } finally {
        drawn.release()
      }
    }
    const outside = (value: number) => Math.abs(value) > 2
    const result = await draw(
      shape.reduce((a, b) => a * b, 1),
      0,
    )
    let open: number[] = []
    for (const [at, value] of result.entries()) {
      if (outside(value)) open.push(at)
      result[at] = value * std
    }
    for (let round = 1; open.length > 0; round++) {
      const drawn = await draw(open.length, round)
      for (const [i, at] of open.entries()) result[at] = drawn[i]! * std
      open = open.filter((_, i) => outside(drawn[i]!))
    }
    return result
  })
