import { backendConformance } from '@ift/tensor/testing'
import { openDevice, type DeviceName } from './device.js'

/** Every case of the conformance suite whose name holds `filter`: how many passed, and what failed with its reason. */
export async function conformance(device: DeviceName, filter: string): Promise<object> {
  const failures: { name: string; reason: string }[] = []
  let passed = 0
  for (const { name, run } of backendConformance(() => openDevice(device))) {
    if (!name.includes(filter)) continue
    try {
      await run()
      passed++
    } catch (error) {
      failures.push({ name, reason: String(error).slice(0, 400) })
    }
  }
  return { passed, failed: failures.length, failures }
}
