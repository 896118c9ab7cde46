import type { PeftMethod } from '../contract/peft.js'
import type { IftPlugin } from '../plugin/define.js'
import { PluginSession } from '../plugin/plugin-session.js'
import type { ConformanceCase } from './dataset.js'
import { options, planned, seeded, start, switching, trained } from './peft-attachment.js'
import { PeftBench, type PeftConformanceOptions } from './peft-bench.js'
import { decoding, scoring } from './peft-decoding.js'
import { refusals, saving } from './peft-files.js'
import { merging } from './peft-merging.js'
import {
  differences,
  gradients,
  halfPrecision,
  learning,
  memory,
  onHead,
  packing,
  quantised,
  randomness,
  recomputing,
  sharing,
} from './peft-training.js'

/** The methods that a plugin registers. */
export function peftsOf(plugin: IftPlugin): PeftMethod[] {
  const { peft } = new PluginSession(process.cwd()).use(plugin).hooks
  return peft.names().map((name) => peft.find(name)!)
}

/**
 * Requirements of every parameter-efficient method, as cases to run: `for (const { name, run } of peftConformance(…))
 * test(name, run)`.
 */
export function peftConformance(
  subject: IftPlugin | PeftMethod,
  { models, ...settings }: PeftConformanceOptions,
): ConformanceCase[] {
  const methods = 'apply' in subject ? peftsOf(subject) : [subject]
  return methods.flatMap((method) =>
    models.flatMap((model) => {
      const bench = new PeftBench(method, model, settings)
      const named = (name: string, run: (bench: PeftBench) => Promise<unknown>): ConformanceCase => ({
        name: `${method.name} on ${model.definition.name}: ${name}`,
        run: async () => {
          await run(bench)
        },
      })
      return [
        named('options of another method are refused by name', options),
        named('what is trained has names, and nothing else is trained', trained),
        named('virtual tokens are those that it names before', planned),
        named('the start leaves the logits as they are, or is said not to', start),
        named('the same seed gives the same start', seeded),
        named('all that is trained has a gradient, and nothing else', gradients),
        named('gradients agree with finite differences', differences),
        named('steps of training lower the loss', learning),
        named('random numbers are drawn in training only, where it says so', randomness),
        named('packed sequences equal one at a time', packing),
        named('a beginning that samples share is computed once', sharing),
        named('recomputed gradients equal kept ones bit for bit', recomputing),
        named('the memory plan is what training and a forward pass hold', memory),
        named('bf16 gives the same but for rounding, and learns', halfPrecision),
        named('on the head in bf16 it learns, or is refused with the reason', onHead),
        named('over nf4 and int8 it learns, or is refused with the reason', quantised),
        named('switched off, the model is the base bit for bit', switching),
        named('decoding with a cache equals whole passes: greedy, batch, beams', decoding),
        named('scores equal those of a forward pass', scoring),
        named('what is saved loads to the same bytes and logits', saving),
        named('missing, left over and misshapen tensors are named', refusals),
        named('merged weights give the same logits, or the reason is said', merging),
      ]
    }),
  )
}
