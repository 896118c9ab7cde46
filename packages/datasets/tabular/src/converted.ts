/** Where the original platform's converted files of a set lie; their names are not known, and those of test files are left out. */
export const converted = (task: 'Table-Question-Answering' | 'Table-Fact-Verification', name: string) => [
  `Tabular-LLM-Data/${task}/${name}/*.json`,
]
