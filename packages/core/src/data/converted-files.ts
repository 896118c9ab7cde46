/**
 * Files of the original platform's `data` folder by the names that its `--data` takes: each holds records of the Alpaca form,
 * converted and concatenated. The spelling is the original's.
 */
const files: Readonly<Record<string, string>> = {
  alpaca: 'alpaca_data_cleaned.json',
  belle: 'belle_data_cn.json',
  'alpaca-belle': 'alpaca_plus_belle_data.json',
  cot: 'CoT_data.json',
  'alpaca-cot': 'alcapa_plus_cot.json',
  'alpaca-belle-cot': 'alcapa_plus_belle_plus_cot.json',
  'belle1.5m': 'belle_data1.5M_cn.json',
  finance: 'finance_en.json',
  multiturn_chat: 'multiturn_chat_0.8M.json',
  CoT_Chinese_data: 'CoT_Chinese_data.json',
}

/** Path of the original's converted file of a dataset or composite, from the folder that training runs in. */
export const convertedFile = (name: string): string | undefined =>
  Object.hasOwn(files, name) ? `data/${files[name]!}` : undefined
