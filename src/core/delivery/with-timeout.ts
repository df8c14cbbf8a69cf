/** An attempt took longer than it may. */
class AttemptTimeoutError extends Error {
  readonly code = 'CRUDAUTH_DELIVERY_TIMEOUT'

  constructor(milliseconds: number) {
    super(`not finished within ${milliseconds} ms`)
    this.name = 'AttemptTimeoutError'
  }
}

/** What is done in one attempt; `signal` is aborted when nobody waits for it any more. */
export type Work = (signal: AbortSignal) => unknown

/**
 * One attempt within its time. What comes later is dropped, a late rejection too: unhandled it would end the process.
 * @param keepAlive whether the timer keeps the process alive, for what somebody waits for
 * @throws what the work throws, or AttemptTimeoutError
 */
export function attempt(
  work: Work,
  timeoutMs: number,
  { outer, keepAlive = false }: { readonly outer?: AbortSignal; readonly keepAlive?: boolean } = {},
): Promise<void> {
  const controller = new AbortController()
  return new Promise<void>((resolve, reject) => {
    const settled = () => {
      clearTimeout(timer)
      outer?.removeEventListener('abort', onOuter)
    }
    const stop = (cause: unknown) => {
      // Work that never ends would leave its listener behind.
      settled()
      reject(cause)
      controller.abort(cause)
    }
    const onOuter = () => stop(outer?.reason)
    const timer = setTimeout(() => stop(new AttemptTimeoutError(timeoutMs)), timeoutMs)
    if (!keepAlive) timer.unref()
    outer?.addEventListener('abort', onOuter, { once: true })
    const run = async () => {
      await work(controller.signal)
    }
    run().then(
      () => {
        settled()
        resolve()
      },
      (cause) => {
        settled()
        reject(cause)
      },
    )
  })
}
