import { HistoryRail } from '../chat/rail.js'
import { text } from './text.js'

export function CompareRail() {
  return <HistoryRail kind="compare" title={text().comparisons} none={text().none} />
}
