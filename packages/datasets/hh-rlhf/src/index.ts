import { defineCollection, preferred, transcript } from '@ift/core/collection'

const dialog = (field: string) => ({
  read: transcript(field, { user: 'Human:', assistant: 'Assistant:', anchored: 'paragraph' }),
})

const read = preferred(dialog('chosen'), dialog('rejected'))

const part = (sets: readonly string[]) => ({
  files: sets.map((set) => [`${set}/train.jsonl.gz`, `${set}/train.jsonl`]),
  some: true,
  converted: [`hh-rlhf/{${sets.join(',')}}_chosen.json`],
  read,
})

const helpful = ['helpful-base', 'helpful-online', 'helpful-rejection-sampled']

/** The better answer is learned, the other one kept beside it. */
export const plugin = defineCollection(new URL('../card.json', import.meta.url), {
  'hh-rlhf': part(['harmless-base', ...helpful]),
  'hh-rlhf-helpful': part(helpful),
  'hh-rlhf-harmless': { ...part(['harmless-base']), converted: ['hh-rlhf/harmless-base_chosen.json'] },
})
