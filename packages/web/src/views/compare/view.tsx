import { TopBar } from '../../components/top-bar.js'
import type { ViewProps } from '../index.js'

export function CompareView(_: ViewProps) {
  return <TopBar title="Compare" />
}
