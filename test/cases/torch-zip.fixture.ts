const int = (value: number, bytes: 2 | 4) => {
  const buffer = Buffer.alloc(bytes)
  buffer.writeUIntLE(value, 0, bytes)
  return buffer
}

/** An archive as `torch.save` writes it, with any pickle inside: entries are stored as they are, without checksums. */
export function torchZip(entries: Readonly<Record<string, Uint8Array>>): Buffer {
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let at = 0
  for (const [name, content] of Object.entries(entries)) {
    const path = Buffer.from(`archive/${name}`)
    const sizes = [int(content.length, 4), int(content.length, 4), int(path.length, 2), int(0, 2)]
    const about = Buffer.concat([int(20, 2), int(0, 2), int(0, 2), int(0, 4), int(0, 4), ...sizes])
    directory.push(
      Buffer.concat([
        int(0x02014b50, 4),
        int(20, 2),
        about,
        int(0, 4),
        int(0, 2),
        int(0, 4),
        int(at, 4),
        path,
      ]),
    )
    parts.push(int(0x04034b50, 4), about, path, Buffer.from(content))
    at += 4 + about.length + path.length + content.length
  }
  const whole = Buffer.concat(directory)
  const counts = [
    int(0, 4),
    int(directory.length, 2),
    int(directory.length, 2),
    int(whole.length, 4),
    int(at, 4),
    int(0, 2),
  ]
  return Buffer.concat([...parts, whole, int(0x06054b50, 4), ...counts])
}
