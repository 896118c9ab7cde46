import { defineCollection, oneOf, type Read } from '@ift/core/collection'
import { about, dialog, label } from './turns.js'

const labels = 'casual, possibly needs caution, probably needs caution, needs caution, needs intervention'
const safety = `Does the last message need caution? Answer with one of: ${labels}.`
const rule = 'Say a rule of thumb that applies to the last message.'

const part = (read: Read) => ({ files: ['train.json'], lists: 'records', group: 'dialogue_id', read })

/** Dialogs, and two questions about each message of their users. */
export const plugin = defineCollection(new URL('../card.json', import.meta.url), {
  prosocial: { ...part(dialog), converted: ['prosocial-dialog/dialog/train.json'] },
  'prosocial-safety': {
    ...part(about(safety, label)),
    converted: ['prosocial-dialog/dialog_safety/train.json'],
  },
  'prosocial-rots': part(about(rule, oneOf('rots'))),
})
