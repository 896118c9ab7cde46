export function DataRail() {
  return null
}
