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
    const size = shape.reduce((a, b) => a * b, 1)
    const result = new Float32Array(size)
    let open = Array.from(result.keys())
    for (let round = 0; open.length > 0; round++) {
      const draw = random(backend, [open.length], 'normal', { seed, stream: stream + round })
      const drawn = await draw.read()
      draw.release()
      open = open.filter((at, i) => {
        result[at] = drawn[i]! * std
        return Math.abs(drawn[i]!) > 2
      })
    }
    return result
  })
