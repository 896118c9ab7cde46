import { alternating, defineCollection, transcript } from '@ift/core/collection'

/** Files of the set. That of soda is there twice upstream, the newer one with several dialogs in a record: it is not read. */
const names = (
  'abstract_infill basic canadian_parliament chip2 conv_finqa cuad essays flan' +
  ' grade_school_math_instructions hc3_human image_prompts_instructions mathqa_flanv2_kojma_cot merged_code_xp3 multi_news multi_sum ni' +
  ' nq openai_summarize_tldr oscar_en_sample_dialog p3 plot_screenplay_books_dialog poetry_2_song rallio_safety_and_prosocial' +
  ' soda_dialog sqlv1 sqlv2 squad_v2 squad_v2_more_neg ul2_plus_oscar_en_sample_dialog unifiedskg_instructions unnatural_instructions xp3_sample'
).split(' ')

const files = (name: string) => [`unified_${name}.jsonl`, `unified_${name}.jsonl.gz`]

const dialog = (assistant: readonly string[]) =>
  transcript('text', {
    user: '<human>:',
    assistant,
    anchored: false,
    head: 'system',
    repair: true,
    meta: ['metadata.source'],
  })
const read = dialog(['<bot>:'])

/** Dialogs as one text with marks, and a few pairs of prompt and response. */
export const plugin = defineCollection(new URL('../card.json', import.meta.url), {
  oig: {
    files: [
      ...names.map(files),
      { names: files('joke_explanations'), read: dialog(['<bot>:', 'Rosey:']) },
      { names: 'small_instruction_set/*.json', read: alternating('pair') },
    ],
    some: true,
    lists: 'pair',
    converted: ['OIG/*.json'],
    read,
  },
  'oig-chip2': { files: [files('chip2')], read },
})
