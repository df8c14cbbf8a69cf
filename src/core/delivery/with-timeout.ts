/** An attempt exceeded its time limit. */
class AttemptTimeoutError extends Error {
  readonly code = 'CRUDAUTH_DELIVERY_TIMEOUT'

  constructor(milliseconds: number) {
    super(`not finished within ${milliseconds} ms`)
    this.name = 'AttemptTimeoutError'
  }
}

/** The work of one attempt. `signal` is aborted when its result is no longer needed. */
export type Work = (signal: AbortSignal) => unknown

/**
 * Runs one attempt with a time limit. Late results are ignored, also late rejections: an unhandled
 * one would end the process.
 * @param keepAlive whether the timer keeps the process alive, for work that a caller waits for
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
      // Work that never ends would leak its listener.
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
