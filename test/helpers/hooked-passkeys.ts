import { memoryPasskeys, type PasskeyStore } from '../../src/index.js'

type Method = Exclude<keyof PasskeyStore, 'verifySchema'>

/** Passkeys that count their calls, and whose methods a test can interrupt or break. */
export function hookedPasskeys(inner: PasskeyStore = memoryPasskeys()) {
  const hooked = {
    calls: [] as Method[],
    /** Run before and after each call. They may throw. */
    before: (_method: Method): unknown => undefined,
    after: (_method: Method): unknown => undefined,
    store: {} as PasskeyStore,
  }
  const methods = Object.keys(inner) as Method[]
  for (const method of methods) {
    const call = inner[method] as (...args: unknown[]) => Promise<unknown>
    const replaced = async (...args: unknown[]) => {
      hooked.calls.push(method)
      await hooked.before(method)
      const result = await call(...args)
      await hooked.after(method)
      return result
    }
    Object.assign(hooked.store, { [method]: replaced })
  }
  return hooked
}

/** Runs `work` at the first call of a method, after it. */
export function once(
  hooked: ReturnType<typeof hookedPasskeys>,
  method: Method,
  work: () => unknown,
): void {
  let isDone = false
  hooked.after = async (called) => {
    if (isDone || called !== method) return
    isDone = true
    await work()
  }
}
