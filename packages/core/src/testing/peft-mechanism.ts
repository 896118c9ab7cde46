import type { PeftMethod } from '../contract/peft.js'
import { PeftBench, type PeftConformanceOptions, type PeftModel } from './peft-bench.js'
import { refusal } from './peft-training.js'

/** How a method acts on a model. */
export type PeftMechanism =
  'weight update' | 'branch' | 'input rows' | 'key/value prefix' | 'whole parameters'

/** The mechanism of a method, as it shows on a model; null where the method refuses the model. */
export async function peftMechanism(
  method: PeftMethod,
  model: PeftModel,
  options: Omit<PeftConformanceOptions, 'models'> = {},
): Promise<PeftMechanism | null> {
  const bench = new PeftBench(method, model, options)
  if ((await refusal(bench)) !== null) return null
  return bench.withBase(async (base) => {
    const paths = () => [...base.model.namedParameters()].map(([path]) => path).join()
    const before = paths()
    const peft = await bench.attach(base)
    const { prefix, merge } = peft
    const isWhole = paths() === before
    peft.release()
    if (prefix) return 'keysAndValues' in prefix ? 'key/value prefix' : 'input rows'
    if (isWhole) return 'whole parameters'
    return merge === null ? 'branch' : 'weight update'
  })
}
