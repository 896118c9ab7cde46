import { Ift, verb } from '@ift/core'

export const merge = verb({
  name: 'merge',
  description: "Fold an adapter into its base and write the model in Hugging Face's layout.",
  example: 'npx ift merge ./merged --weights ./llama --adapter ./run/adapter',
  config: ['weights', 'adapter', 'quantize', 'dtype', 'device'],
  operands: { dir: { description: 'folder to write', required: true } },
  run({ terminal, session, operands }) {
    return Ift.using(session, async (ift) => {
      const { dir, quantize, dtype, logitDifference } = await ift.merge(operands.dir)
      const base =
        quantize === 'none'
          ? ''
          : `, onto the ${quantize} base that the adapter runs on (--quantize none: onto the original weights)`
      terminal.note(`merged model in ${dir}`)
      terminal.note(`added up in f32 and rounded to ${dtype}${base}`)
      terminal.note(
        `largest difference of a logit, merged against unmerged: ${logitDifference.toPrecision(2)}`,
      )
      return 0
    })
  },
})
