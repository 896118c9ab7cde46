import type { SchemaField } from '../../api/types.js'

/** The label of a field; of one that has none, the words of its key: `peft.excludeModules` is `Exclude modules`. */
export function labelOf({ path, label }: Pick<SchemaField, 'path' | 'label'>, language: 'en' | 'zh'): string {
  if (label[language] !== path) return label[language]
  const words = path
    .split('.')
    .at(-1)!
    .replaceAll(/(?<=[a-z\d])(?=[A-Z])/g, ' ')
    .toLowerCase()
  return words.charAt(0).toUpperCase() + words.slice(1)
}
