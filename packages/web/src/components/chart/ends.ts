/**
 * Heights of labels beside the ends of lines: as near to their ends as `gap` between neighbours lets them be, between `top` and `bottom`.
 * In the order given.
 */
export function spread(wanted: readonly number[], gap: number, top: number, bottom: number): number[] {
  const order = wanted.map((_, i) => i).sort((a, b) => wanted[a]! - wanted[b]! || a - b)
  // Labels that touch are a block, which lies where its members want to be in the mean.
  interface Block {
    readonly members: number[]
    first: number
  }
  const firstOf = (members: readonly number[]) => {
    const mean =
      members.reduce((sum, member, i) => sum + wanted[member]! - i * gap, 0) / Math.max(1, members.length)
    const most = bottom - (members.length - 1) * gap
    return Math.max(top, Math.min(mean, most))
  }
  const blocks: Block[] = []
  for (const member of order) {
    let block: Block = { members: [member], first: firstOf([member]) }
    for (let before = blocks.at(-1); before; before = blocks.at(-1)) {
      if (before.first + before.members.length * gap <= block.first) break
      blocks.pop()
      const members = [...before.members, ...block.members]
      block = { members, first: firstOf(members) }
    }
    blocks.push(block)
  }
  const places = new Array<number>(wanted.length)
  for (const { members, first } of blocks)
    members.forEach((member, i) => {
      places[member] = first + i * gap
    })
  return places
}
