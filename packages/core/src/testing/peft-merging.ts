import { IftError } from '@ift/tensor'
import { claim, claimSame } from './claim.js'
import { disturb, type PeftBench } from './peft-bench.js'
import { logitsOfIds } from './peft-passes.js'

/**
 * Folded into the weights the method gives the same logits and is gone from the model; or it says why it cannot be
 * folded. Gives the reason, or null where it was folded.
 */
export function merging(bench: PeftBench): Promise<string | null> {
  return bench.withBase(async (base) => {
    const paths = () => [...base.model.namedParameters()].map(([path]) => path)
    const before = paths()
    const attached = { ...base, peft: await bench.attach(base) }
    const { peft } = attached
    await disturb(attached)
    peft.setTraining(false)
    const sequences = bench.sequences(base)
    const expected = await logitsOfIds(attached, sequences)
    const reason = peft.unmergeable ?? null
    claim(reason === null || reason.trim() !== '', 'unmergeable is empty: say why.')
    if (peft.merge !== null && reason !== null) {
      let found: unknown = null
      try {
        await peft.merge()
      } catch (error) {
        found = error
      }
      claim(
        found instanceof IftError && found.code === 'IFT_MERGE_IMPOSSIBLE',
        `unmergeable says "${reason}": expected IFT_MERGE_IMPOSSIBLE from merge(), found ${String(found)}.`,
      )
      claimSame('logits behind a refused merge', await logitsOfIds(attached, sequences), expected)
    } else if (peft.merge !== null) {
      await peft.merge()
      bench.near('logits of the merged model', await logitsOfIds(base, sequences), expected, 1e-4)
      const left = paths().filter((path) => !before.includes(path))
      // A head that was tied to a table which changed has a weight of its own.
      const foreign = left.filter((path) => path !== 'lm_head.weight')
      claim(foreign.length === 0, `${foreign.join(', ')} stay in the merged model.`)
      for (const path of before) claim(paths().includes(path), `${path} is gone from the merged model.`)
    }
    const folded = peft.merge !== null && reason === null
    peft.release()
    return folded ? null : (reason ?? 'The method has no form inside the weights.')
  })
}
