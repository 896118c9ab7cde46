export function ChatRail() {
  return null
}
