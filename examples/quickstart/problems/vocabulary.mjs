// @ts-check

/** @typedef {{ name: string, pronoun: string }} Person pronoun: how a sentence goes on about the person; '' in Chinese */
/**
 * @typedef {{ word: string, measure: string, made: boolean }} Noun
 * English nouns are plural and have no measure word. `made`: a thing that a person makes or bakes.
 */

/** @param {string} women @param {string} men @returns {Person[]} */
const people = (women, men) => {
  const she = women.split(' ').map((name) => ({ name, pronoun: 'She' }))
  const he = men.split(' ').map((name) => ({ name, pronoun: 'He' }))
  return she.flatMap((person, i) => [person, /** @type {Person} */ (he[i])])
}

/** 40 first names, women and men in turn. */
export const ENGLISH_PEOPLE = people(
  'Anna Mia Rose Zoe Kate Eva Jane Vera Lucy Sara Nina Ella Ruth Lily Clara Emma Alice Maya Grace Helen',
  'Paul Luke Dan Max Hugo Finn Leo Ben Tom Omar Jack Sam Adam Noah Ivan Peter Oscar Felix David Victor',
)

/** 30 names. Chinese sentences leave the subject out where English has a pronoun. */
export const CHINESE_PEOPLE = (
  '小明 小红 小刚 小芳 小丽 阿杰 小华 小军 小美 周杰 李雷 王芳 张伟 小雨 小强 ' +
  '陈晨 小兰 刘洋 小林 赵平 小燕 大伟 小玲 阿明 孙丽 小波 小梅 吴刚 小东 何静'
)
  .split(' ')
  .map((name) => ({ name, pronoun: '' }))

const MADE_IN_ENGLISH = new Set(['cakes', 'cookies', 'cards', 'toys', 'candies'])

/** @type {Noun[]} */
export const ENGLISH_NOUNS = (
  'apples pears oranges lemons candies cakes cookies eggs coins stamps keys books pens cards toys balls shells ' +
  'stones flowers tickets'
)
  .split(' ')
  .map((word) => ({ word, measure: '', made: MADE_IN_ENGLISH.has(word) }))

const MADE_IN_CHINESE = new Set(['蛋糕', '饼干', '卡片', '玩具', '帽子'])

/** @type {Noun[]} */
export const CHINESE_NOUNS = (
  '个苹果 个橙子 个鸡蛋 个蛋糕 个玩具 个皮球 个杯子 块饼干 块石头 颗糖果 枚硬币 枚邮票 本书 本本子 张票 张卡片 把钥匙 ' +
  '支铅笔 朵花 顶帽子'
)
  .split(' ')
  .map((text) => ({
    word: text.slice(1),
    measure: text.slice(0, 1),
    made: MADE_IN_CHINESE.has(text.slice(1)),
  }))

export const ENGLISH_CONTAINERS = ['bags', 'boxes', 'baskets', 'shelves', 'drawers', 'jars']
/** All of them are counted with 个. */
export const CHINESE_CONTAINERS = ['袋子', '盒子', '篮子', '书架', '抽屉', '箱子']

export const ENGLISH_PLACES = 'park school market garden library kitchen station river beach farm'.split(' ')
export const CHINESE_PLACES = '公园 学校 市场 花园 图书馆 厨房 车站 河边 海边 农场'.split(' ')

/**
 * The names that only test problems use: every fifth one, 8 in English, 6 in Chinese.
 * @param {readonly Person[]} all @returns {Person[]}
 */
export const heldOutPeople = (all) => all.filter((_, i) => i % 5 === 4)

/** @param {readonly Person[]} all @returns {Person[]} the names that only training problems use */
export const trainingPeople = (all) => all.filter((_, i) => i % 5 !== 4)
