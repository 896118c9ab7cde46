import { words } from '../../app/language.js'

export const text = words({
  en: {
    rows: (count: string, from: number, to: number) => `${count} rows of ${from} to ${to - 1} tokens`,
    histogram: (name: string) => `${name}. Drag or click to filter the list.`,
  },
  zh: {
    rows: (count: string, from: number, to: number) => `${from} 到 ${to - 1} 词元：${count} 行`,
    histogram: (name: string) => `${name}。拖动或点击可筛选列表。`,
  },
})
