export function NewRunRail() {
  return null
}
