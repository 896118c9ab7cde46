export function CompareRail() {
  return null
}
