import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { datasetFolders } from '../datasets.mjs'
import { root } from '../workspace.mjs'

// Traps of published instruction data, each with what tries it: a record of a fixture, of which the package's golden test says what it
// gives, or a test by its title. The table is checked: a fixture that loses the record, or a test that goes, fails here.

const datasets = join(root, 'packages/datasets')
const text = (path: string) => readFileSync(path, 'utf8')

/** A file of a package's fixtures, and the text in it that is the trap; without one, the file itself is. */
const record = (set: string, file: string, shows?: RegExp) => ({ set, file, shows })
/** A test by its file, from `packages`, and its title. */
const tested = (file: string, title: string) => ({ test: file, title })
/** What the card warns of. */
const warned = (set: string, warning: RegExp) => ({ card: set, warning })
type Cover = ReturnType<typeof record> | ReturnType<typeof tested> | ReturnType<typeof warned>

const core = 'core/src/data'
const converters = `${core}/collection/converters.test.ts`
const collection = 'core/src/plugin/collection.test.ts'
const lines = /^\{.*\}\r?\n\{/

const traps: Readonly<Record<string, readonly Cover[]>> = {
  'JSON Lines under the name .json': [
    record('belle', 'raw/Belle_open_source_1M.json', lines),
    record('coig', 'raw/human_value_alignment_instructions_part2.invented.json', lines),
    record('prosocial', 'raw/train.invented.json', lines),
    record('pclue', 'raw/datasets/pCLUE_train_9.json', lines),
    record('moss', 'raw/en_helpfulness.invented.json', lines),
    tested(
      `${core}/read/read.test.ts`,
      'JSONL under the name .json, pretty-printed values in a row, one object that holds the records',
    ),
  ],
  'an object keyed by id': [
    record('tabular', 'raw/data/tabmwp/problems_train.json', /^\{\s+"33": \{/),
    record(
      'tabular',
      'raw/collected_data/r1_training_all.invented.json',
      /^\{"2-1859269-1\.html\.csv": \[\[/,
    ),
    tested(`${core}/read/keyed.test.ts`, 'records by their ids, indented by %s'),
  ],
  'an object that wraps the list': [
    record(
      'gaokao',
      'raw/Data/Objective_Questions/2010-2022_Physics_MCQs.json',
      /^\{\s+"keywords".*\s+"example": \[/,
    ),
    record('auto-cot', 'raw/demos/multiarith_auto', /^\{\s+"demo": \[/),
    tested(`${core}/read/keyed.test.ts`, 'an object that holds its records in a list, beside facts'),
  ],
  'a list of pairs': [
    record('oig', 'raw/small_instruction_set/a.invented.json', /^\[\s+\[\s+"/),
    tested(collection, 'lists in the place of records, and files whose names do not tell what they are'),
  ],
  'many small files, in an archive or in folders': [
    record('camel', 'raw/ai_society_chat.invented.zip'),
    record('camel', 'raw/physics.invented.zip'),
    record('camel', 'raw/math/2.invented.json'),
    record('coig', 'raw/counterfactural_correction_multi_round_chat.invented.tar.gz'),
    record('moss', 'raw/moss-003-sft-with-tools-text2image.invented.zip'),
    record('moss', 'raw/calculator/calculator_plugin_conversation_1.json'),
    record('natural-instructions', 'raw/tasks/task900_made_up.invented.json'),
    tested('datasets/tabular/src/options.test.ts', 'TabMCQ: its archive, packed'),
  ],
  'text in GBK': [
    record('chinese-medical', 'raw/Data_数据/IM_内科/内科5000-33000.csv', /\uFFFD/),
    tested(`${core}/read/read.test.ts`, 'GBK is read when it is named, and named when it is found'),
  ],
  'a field that has another name in a mirror or an earlier version': [
    record('belle', 'raw/Belle_open_source_0.5M.invented.json', /"target"/),
    record('gpteacher', 'raw/Instruct/gpt4-instruct-dedupe-only-dataset.invented.json', /"output"/),
    record('code-alpaca', 'raw/data/code_alpaca_20k.json', /"prompt": .*\s+"completion"/),
    record('camel', 'raw/biology/2.invented.json', /"topic;"/),
    record('alpaca-gpt4', 'raw/data/alpaca_gpt4_data_zh.invented.json', /"instruction_zh"/),
    record('alpaca-gpt4', 'raw/data/alpaca_gpt4_data_zh.invented.json', /"指令"/),
    record('natural-instructions', 'raw/tasks/task062_bigbench_repeat_copy_logic.json', /"Definition": "/),
    record('natural-instructions', 'raw/tasks/task900_made_up.invented.json', /"Definition": \[/),
    record('moss', 'raw/moss-003-sft-data.invented.jsonl', /"conversation": \[\{"human"/),
  ],
  'null, NaN and objects where text is due': [
    record('coig', 'raw/exam_instructions.invented.jsonl', /"textbox_q_context":NaN/),
    record('coig', 'raw/exam_instructions.invented.jsonl', /"textbox_answer_analysis": null/),
    record('gpt4all', 'raw/gpt4all.invented.jsonl', /"prompt": \{"value"/),
    record('sharegpt', 'raw/sg_90k_part2.invented.json', /"value": \{/),
    record('tabular', 'raw/data/tabmwp/problems_train.json', /"table_title": null/),
  ],
  'numbers where text is due, and text where numbers are': [
    record('gaokao', 'raw/Data/Objective_Questions/2010-2013_English_MCQs.invented.json', /"year": 2012/),
    record('gaokao', 'raw/Data/Objective_Questions/2010-2013_English_MCQs.invented.json', /"year": "2012"/),
    record('moss', 'raw/calculator/calculator_plugin_conversation_1.json', /"conversation_id": 1,/),
    record('moss', 'raw/other/honest_conversation_1.invented.json', /"conversation_id": "7"/),
    record('tabular', 'raw/dataset_raw/tatqa_dataset_train.json', /"answer": 2,/),
    record('tabular', 'raw/train/train.invented.json', /"conds": \[\[1, 0, "2"\]\]/),
    record('tabular', 'raw/data/train.tables.invented.jsonl', /"1,200"/),
    record('auto-cot', 'raw/dataset/SVAMP/SVAMP.json', /"Answer": 51\.0/),
    tested(converters, 'numbers have the digits of the file, lists are joined'),
  ],
  'words for no input': [
    record('alpaca', 'raw/alpaca_data_cleaned.json', /"<noinput>"/),
    record('alpaca-gpt4', 'raw/data/alpaca_gpt4_data.invented.json', /"No input"/),
    record('alpaca-gpt4', 'raw/data/alpaca_gpt4_data.invented.json', /"N\/A"/),
    record(
      'alpaca-gpt4',
      'raw/data/alpaca_gpt4_data.invented.json',
      /"instruction": ("[^"]+"),\s+"input": \1/,
    ),
    tested(converters, 'the input %j is none'),
  ],
  'marks to cut': [
    ...['eoh', 'eot', 'eoc', 'eor', 'eom'].map((mark) =>
      record('moss', 'raw/calculator/calculator_plugin_conversation_1.json', new RegExp(`<${mark}>`)),
    ),
    record('moss', 'raw/en_helpfulness.invented.json', /<eoa>/),
    record('baize', 'raw/data/quora_chat_data.invented.json', /\[\|Human\|\]/),
    record('gpt4all', 'raw/gpt4all.invented.jsonl', /<\/s> \\n/),
    record('camel', 'raw/code_chat/003.invented.json', /CAMEL_TASK_DONE/),
    record('gsm8k', 'raw/train.jsonl', /<<48\/2=24>>.*#### /),
    record('auto-cot', 'raw/demos/multiarith_auto', /"Q: .*\\nA:"/),
    tested('datasets/gsm8k/src/solution.test.ts', 'the number behind the last mark, where there is one'),
    tested(converters, 'marks'),
  ],
  'an open mark at the end': [
    record('baize', 'raw/data/quora_chat_data.invented.json', /\[\|Human\|\] "/),
    record('belle', 'raw/multiturn_chat_0.8M.invented.json', /\\nAssistant:"/),
    tested(converters, 'baize: a head, an open mark at the end'),
  ],
  'a first or last turn of the wrong role, an odd number of turns': [
    record('sharegpt', 'raw/sg_90k_part2.invented.json', /"conversations": \[\s+\{\s+"from": "gpt"/),
    record('sharegpt', 'raw/sg_90k_part2.invented.json', /"from": "human",\s+"value": "Bye"\s+\}\s+\]/),
    record('ultrachat', 'raw/train_0.invented.jsonl', /"And another\?"\]/),
    record('oig', 'raw/unified_chip2.invented.jsonl', /"text": "<bot>: /),
    record('oig', 'raw/unified_chip2.invented.jsonl', /<human>: No"/),
    tested(converters, 'repair joins neighbours and cuts both ends'),
    tested(converters, 'alternating: a last question goes'),
  ],
  'line breaks written as two characters': [
    record('cot', 'raw/aqua_train.tsv', /\\nOptions:\\n/),
    record('belle', 'raw/Belle_open_source_0.5M.invented.json', /话。\\\\n"/),
    record('cot', 'raw/Chain-of-Thought/CoT_Chinese_data.json', /\\\\n选项：\\\\n/),
  ],
  'line breaks at the end of a field, or in front of it': [
    record('csl', 'converted/CSL/csl.json', /\\n"/),
    record('news-commentary', 'raw/news_commentary/news_commentary.json', /"翻译成英文。\\n"/),
    record('belle', 'raw/school_math_0.25M.json', /"output": "\\n/),
  ],
  HTML: [
    record('sharegpt', 'raw/sg_90k_part2.invented.json', /<div class=/),
    record('gpt4all', 'raw/gpt4all.invented.jsonl', /<pre><code>.*&lt;/),
    // Of the boxes of InfoTabs the JSON is read, whose HTML holds hidden text.
    record('tabular', 'raw/data/tables/json/T1769.json'),
  ],
  'the same records in several files of a set': [
    warned('gpteacher', /gpteacher-codegen is new_codealpaca\.json of Code Alpaca/),
    // Each of these files lies beside its twin, and the golden test has its records once, or not at all.
    record('oig', 'raw/unified_rallio_soda_upgraded_2048.invented.jsonl'),
    record('guanaco', 'raw/guanaco_non_chat.invented.json'),
    record('tabular', 'raw/data/random-split-1-train.invented.tsv'),
    record('sharegpt', 'raw/sg_90k_part1.json'),
    warned('sharegpt', /same conversations/),
    tested(collection, 'a file that is found under two names is read once'),
  ],
  'escapes that JSON has not, and CRLF': [
    record('instinwild', 'v2/data_v2/user_2.invented.jsonl', /\\\(x.*\\'.*\}\r\n/),
    tested(
      'datasets/instinwild/src/index.test.ts',
      'the second release, of questions alone, is refused with the files that are answered',
    ),
    tested(`${core}/read/read.test.ts`, 'counts lines over CRLF, blank lines and a byte order mark'),
  ],
  'a set larger than memory or disk': [
    warned('xp3', /fetches every language/),
    warned('stack-exchange', /set a limit or a cap/),
    warned('oig', /Larger than most disks/),
    tested(
      collection,
      'some records of each file, chosen by the seed, with the choices that they have among all',
    ),
    tested('../test/data/mixtures.test.ts', 'a set of more than a million records among others needs a cap'),
    tested(`${core}/read/parquet.test.ts`, 'reading ends early'),
  ],
  'offensive text on purpose': [
    warned('hh-rlhf', /offensive/),
    warned('prosocial', /offensive/),
    warned('moss', /offensive/),
    warned('coig', /Values of China/),
  ],
}

const cards = datasetFolders().map((folder) => folder.split('/').at(-1)!)

describe.each(Object.entries(traps))('%s', (_trap, covers) => {
  test.each(covers.map((cover) => [Object.values(cover).slice(0, 2).join(' '), cover] as const))(
    '%s',
    (_name, cover) => {
      if ('card' in cover) {
        const { warnings } = JSON.parse(text(join(datasets, cover.card, 'card.json'))) as {
          warnings: string[]
        }
        expect(warnings.join('\n')).toMatch(cover.warning)
      } else if ('test' in cover)
        expect(text(join(root, 'packages', cover.test))).toMatch(
          new RegExp(`(?:test|it)(?:\\.each)?[\\s\\S]{0,2000}?\\(\\s*['"\`]${escaped(cover.title)}`),
        )
      else {
        expect(cards).toContain(cover.set)
        const file = join(datasets, cover.set, 'fixtures', cover.file)
        expect(existsSync(file), file).toBe(true)
        if (cover.shows) expect(text(file)).toMatch(cover.shows)
        // What the file gives is tried by the kit, whose test says it for every dataset of the package.
        expect(text(join(datasets, cover.set, 'src/index.test.ts'))).toContain(
          'of collectionConformance(plugin',
        )
      }
    },
  )
})

function escaped(title: string): string {
  return title.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
