import { TopBar } from '../../components/top-bar.js'
import type { ViewProps } from '../index.js'

export function ChatView(_: ViewProps) {
  return <TopBar title="Chat" />
}
