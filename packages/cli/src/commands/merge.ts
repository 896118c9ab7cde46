import { Ift, IftError, verb, type Combination } from '@ift/core'

const combinations = ['linear', 'cat', 'svd'] as const satisfies readonly Combination[]

export const merge = verb({
  name: 'merge',
  description:
    "Fold an adapter, or a sum of several, into its base and write the model in Hugging Face's layout.",
  example: 'npx ift merge ./merged --weights ./llama --adapter ./run/adapter',
  help: 'Several: npx ift merge ./sum --adapter a=./run-a/adapter --adapter b=./run-b/adapter --mix a=0.7,b=0.3 --as adapter',
  config: ['weights', 'adapter', 'quantize', 'dtype', 'device'],
  operands: { dir: { description: 'folder to write', required: true } },
  options: {
    mix: {
      type: 'string',
      value: 'name=weight,…',
      description: 'weights of several adapters, which are added up',
    },
    combination: {
      type: 'choice',
      value: 'how',
      choices: combinations,
      description: 'how they are added up: cat is exact, svd is cut to a rank, linear adds up the factors',
    },
    rank: { type: 'integer', min: 1, description: 'rank of an svd; the largest of the adapters when absent' },
    as: {
      type: 'choice',
      value: 'what',
      choices: ['model', 'adapter'],
      default: 'model',
      description: 'what is written of a sum: the merged model, or an adapter',
    },
  },
  run({ terminal, session, operands, options }) {
    return Ift.using(session, async (ift) => {
      const { mix, combination, rank } = options
      const sum = mix === undefined ? undefined : { weights: weightsOf(mix), combination, rank }
      if (options.as === 'adapter') {
        if (!sum)
          throw new IftError(
            'IFT_USAGE',
            '--as adapter is for a sum of several.',
            'Give weights: --mix a=1,b=1',
          )
        const { dir } = await ift.sumAdapters(operands.dir, sum)
        terminal.note(`adapter in ${dir}: ${mix}, ${combination ?? 'cat'}`)
        return 0
      }
      const { dir, quantize, dtype, logitDifference } = await ift.merge(operands.dir, sum)
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

/** `a=0.7,b=-0.3` */
function weightsOf(mix: string): Record<string, number> {
  const weights: Record<string, number> = Object.create(null) as Record<string, number>
  for (const part of mix.split(',')) {
    const [, name, number = ''] = /^\s*([^=\s]+)=(\S+)\s*$/.exec(part) ?? []
    const weight = Number(number)
    if (name === undefined || number === '' || !Number.isFinite(weight) || name in weights)
      throw new IftError(
        'IFT_USAGE',
        `--mix: expected a name and a number, each name once, found "${part}".`,
        '--mix a=0.7,b=0.3',
      )
    weights[name] = weight
  }
  return weights
}
