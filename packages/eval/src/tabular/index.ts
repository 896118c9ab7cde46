export { parseWikiSql } from './parse-wikisql.js'
export { saidAnswer } from './said.js'
export { tabFactLabel } from './tabfact.js'
export { tabMwpAnswer, tabMwpChoice, tabMwpNormalised, tabMwpScore, type TabMwpProblem } from './tabmwp.js'
export {
  executeWikiSql,
  sameResult,
  sameWikiSql,
  wikiSqlAggregates,
  wikiSqlOperators,
  type WikiSqlQuery,
  type WikiSqlTable,
} from './wikisql.js'
