import { words } from '../../app/language.js'

export const text = words({
  en: {
    asTable: 'Show as table',
    asChart: 'Show as chart',
    empty: 'No values yet',
    tableOf: (name: string) => `${name}: points`,
    shown: (first: number, last: number, all: number) => `${first}–${last} of ${all}`,
    earlier: 'Earlier',
    later: 'Later',
    at: (name: string, x: string) => `at ${name} ${x}`,
    notFinite: 'not finite',
  },
  zh: {
    asTable: '显示为表格',
    asChart: '显示为图',
    empty: '还没有数值',
    tableOf: (name: string) => `${name}：数据点`,
    shown: (first: number, last: number, all: number) => `第 ${first}–${last} 个，共 ${all} 个`,
    earlier: '较早',
    later: '较新',
    at: (name: string, x: string) => `${name} ${x}`,
    notFinite: '非有限值',
  },
})
