import { IftError, type PeftContext, type Tokenizer } from '@ift/core'
import { noGrad, ops, random, scope, tensor, type Backend, type CausalLM } from '@ift/tensor'

/** Ids of a text with the tokens that its tokenizer puts around it, cut to `count` or repeated until there are as many. */
export async function textIds(
  tokenizer: Tokenizer | undefined,
  text: string,
  count: number,
): Promise<Int32Array> {
  if (!tokenizer)
    throw new IftError(
      'IFT_PEFT_OPTIONS',
      'peft.init: text needs the tokenizer of the model: expected one, found none.',
      'Give attach a context with a tokenizer, or leave out peft.init.',
    )
  const { ids } = await tokenizer.encode(text, { specials: true })
  const { frame, addBos, addEos, bosId, eosId } = tokenizer
  const one = (added: boolean, id: number | null) => (added && id !== null ? [id] : [])
  const before = frame?.before ?? one(addBos, bosId)
  const after = frame?.after ?? one(addEos, eosId)
  const all = [...before, ...ids, ...after]
  if (all.length === 0)
    throw new IftError(
      'IFT_PEFT_OPTIONS',
      `peft.initText: expected a text with tokens, found ${JSON.stringify(text)}, which has none.`,
      'Write a text of the task.',
    )
  return Int32Array.from({ length: count }, (_, i) => all[i % all.length]!)
}

/** Ids drawn from the whole vocabulary, by the seed. */
export async function sampledIds(
  { backend, seed }: PeftContext,
  vocab: number,
  count: number,
): Promise<Int32Array> {
  const drawn = random(backend, [count], 'uniform', { seed })
  try {
    return Int32Array.from(await drawn.read(), (u) => Math.min(vocab - 1, Math.floor(u * vocab)))
  } finally {
    drawn.release()
  }
}

/** The rows that the model makes of ids, [ids, hidden] as f32: scaled where its embedding scales. */
export function tokenRows(
  { embeddings }: CausalLM,
  backend: Backend,
  ids: Int32Array,
): Promise<Float32Array> {
  const outside = ids.find((id) => id >= embeddings.count)
  if (outside !== undefined)
    throw new IftError(
      'IFT_PEFT_OPTIONS',
      `peft.initText: the tokenizer makes id ${outside} of it, expected ids below ${embeddings.count}, the rows of the embedding.`,
      'Is the tokenizer that of the model?',
    )
  return scope(() =>
    noGrad(() => ops.cast(embeddings.call(tensor(backend, ids, [ids.length], 'i32')), 'f32').read()),
  )
}
