import {
  behindVirtualTokens,
  forwardInput,
  noGrad,
  promptsOf,
  scope,
  withInvariantRows,
  zeros,
  type FloatDType,
} from '@ift/tensor'
import type { AdapterRecord } from './model-files.js'
import type { OpenModel } from './open-model.js'
import { positionsLeft, virtualLength } from '../data/virtual-tokens.js'

/** A merged model on disk, and how far it is from the adapter on its base. */
export interface Merged {
  /** The folder. */
  readonly dir: string
  /** Format of the base that the adapter was folded into. */
  readonly quantize: NonNullable<AdapterRecord['quantize']>
  /** Type of the merged weights. */
  readonly dtype: FloatDType
  /** The largest difference of a logit before and after, over a short text. */
  readonly logitDifference: number
}

/** Read for its logits alone: more than a handful of tokens, of several kinds. */
const text =
  'Below is an instruction that describes a task. Write a response that completes it.\n' +
  'List 3 prime numbers above 100, and say why 91 = 7 * 13 is none of them.'

/** The tokens of a short text, as many as a model reads. */
export async function probeIds(open: Pick<OpenModel, 'peft' | 'tokenizer' | 'shape'>): Promise<Int32Array> {
  const { peft, tokenizer, shape } = open
  const { ids } = await tokenizer.encode(text)
  return ids.subarray(0, Math.min(64, positionsLeft(virtualLength(peft), shape) ?? 64))
}

/**
 * Logits of tokens, [tokens, vocab]; of `probeIds` when absent. Rows are invariant, as in generation: then an int8 base is multiplied without
 * rounding activations too, and its values written out give the same.
 */
export async function probeLogits(
  open: Pick<OpenModel, 'backend' | 'model' | 'peft' | 'tokenizer' | 'shape'>,
  given?: Int32Array,
): Promise<Float32Array> {
  const { backend, model, peft } = open
  const ids = given ?? (await probeIds(open))
  const logits = withInvariantRows(backend, () =>
    noGrad(() =>
      scope(() => {
        const whole = { ids, lengths: [ids.length], prompts: promptsOf(model, [ids]) }
        const hidden = model.call(
          forwardInput(backend, behindVirtualTokens(backend, model, peft?.prefix, whole)),
        )
        const to = zeros(backend, [hidden.dim(0), model.lmHead.outFeatures], 'f32')
        return model.lmHead.call(hidden, to)
      }),
    ),
  )
  try {
    return await logits.read()
  } finally {
    logits.release()
  }
}
