import { attempt, type Work } from './with-timeout.js'

/** Each retry waits this many times longer than the one before. */
const backOff = 4

/** How a queue behaves. */
export interface QueueLimits {
  /** Pieces of work that may be unfinished at a time; a further one is dropped. */
  readonly maxQueued: number
  /** Attempts under way at a time. */
  readonly concurrency: number
  /** Attempts at one piece of work, the first included. */
  readonly attempts: number
  readonly firstRetryMs: number
  readonly maxRetryMs: number
  /** What an attempt may take before its place is given to the next. */
  readonly attemptTimeoutMs: number
}

/** Why work was not done: too much was waiting, or the queue closed first. */
export type DropReason = 'full' | 'closed'

/** What a queue tells about. Nothing these throw gets any further. */
export interface QueueReports<Label> {
  /** An attempt failed and there will be another. */
  onRetry?(label: Label, cause: unknown, attempts: number): void
  /** The last attempt failed, or one failed for good. */
  onFailed?(label: Label, cause: unknown, attempts: number): void
  /** `attempts` were made before it was dropped. */
  onDropped?(label: Label, reason: DropReason, attempts: number): void
}

/** Work of this process, off the path of any answer. */
export interface DeliveryQueue<Label> {
  /** Takes work on. Never throws and never waits; the first attempt begins after the current tick. */
  defer(label: Label, work: Work): void
  /** Resolves when nothing is unfinished, retries included. Keeps the process alive until then. */
  idle(): Promise<void>
  /**
   * Takes nothing further, tries at once what waits for a retry, and resolves when all is done, at the latest after
   * `drainMs`. What is unfinished then is reported as dropped. Work gets one more attempt from the moment of the call.
   */
  close(drainMs: number): Promise<void>
}

interface Item<Label> {
  readonly label: Label
  readonly work: Work
  attempts: number
  /** Begun after the queue was closed: there is no further attempt. */
  last: boolean
  retry?: NodeJS.Timeout | undefined
}

/** Whether an error says of itself that trying again is of no use. */
export const isPermanent = (cause: unknown): boolean =>
  (cause as { permanent?: unknown } | null | undefined)?.permanent === true

/** Somewhere between one and one and a half times the delay: what failed together is not tried again together. */
const withJitter = (milliseconds: number): number => milliseconds * (1 + Math.random() / 2)

/** A bounded queue with retries. Its timers keep no process alive, except while somebody waits for it. */
export function createDeliveryQueue<Label>(
  limits: QueueLimits,
  reports: QueueReports<Label> = {},
): DeliveryQueue<Label> {
  const { maxQueued, concurrency, attempts, firstRetryMs, maxRetryMs, attemptTimeoutMs } = limits
  const unfinished = new Set<Item<Label>>()
  const ready: Item<Label>[] = []
  const waiters = new Set<() => void>()
  const ended = new AbortController()
  let running = 0
  let scheduled = false
  let closing: Promise<void> | undefined

  const report = (tell: () => void) => {
    try {
      tell()
    } catch {
      // Whoever listens must not stop the queue.
    }
  }

  const finish = (item: Item<Label>) => {
    unfinished.delete(item)
    if (unfinished.size > 0) return
    for (const wake of waiters) wake()
    waiters.clear()
  }

  const schedule = () => {
    if (scheduled) return
    scheduled = true
    setImmediate(() => {
      scheduled = false
      while (running < concurrency) {
        const item = ready.shift()
        if (!item) return
        void run(item)
      }
    })
  }

  const makeReady = (item: Item<Label>) => {
    item.retry = undefined
    ready.push(item)
    schedule()
  }

  const failed = (item: Item<Label>, cause: unknown) => {
    // Given up by `close`, which has reported it.
    if (!unfinished.has(item)) return
    if (isPermanent(cause) || item.last || item.attempts >= attempts) {
      report(() => reports.onFailed?.(item.label, cause, item.attempts))
      finish(item)
      return
    }
    report(() => reports.onRetry?.(item.label, cause, item.attempts))
    if (closing) makeReady(item)
    else {
      const delayMs = withJitter(
        Math.min(maxRetryMs, firstRetryMs * backOff ** (item.attempts - 1)),
      )
      item.retry = setTimeout(() => makeReady(item), delayMs).unref()
    }
  }

  const run = async (item: Item<Label>) => {
    running++
    item.attempts++
    item.last = closing !== undefined
    try {
      await attempt(item.work, attemptTimeoutMs, { outer: ended.signal })
      if (unfinished.has(item)) finish(item)
    } catch (cause) {
      failed(item, cause)
    } finally {
      running--
      if (ready.length > 0) schedule()
    }
  }

  const idle = () =>
    new Promise<void>((resolve) => {
      if (unfinished.size === 0) {
        resolve()
        return
      }
      // The queue's own timers would let the process end in the meantime.
      const alive = setInterval(() => {}, 60_000)
      waiters.add(() => {
        clearInterval(alive)
        resolve()
      })
    })

  const drain = async (drainMs: number) => {
    for (const item of unfinished) {
      if (!item.retry) continue
      clearTimeout(item.retry)
      makeReady(item)
    }
    let bound: NodeJS.Timeout | undefined
    await Promise.race([
      idle(),
      new Promise<void>((resolve) => {
        bound = setTimeout(resolve, drainMs)
      }),
    ])
    clearTimeout(bound)
    ready.length = 0
    for (const item of [...unfinished]) {
      report(() => reports.onDropped?.(item.label, 'closed', item.attempts))
      finish(item)
    }
    ended.abort()
  }

  return {
    defer(label, work) {
      if (closing || unfinished.size >= maxQueued) {
        report(() => reports.onDropped?.(label, closing ? 'closed' : 'full', 0))
        return
      }
      const item: Item<Label> = { label, work, attempts: 0, last: false }
      unfinished.add(item)
      makeReady(item)
    },
    idle,
    close(drainMs) {
      // What is made ready in it begins in a later tick, and so knows that the queue is closed.
      closing ??= drain(drainMs)
      return closing
    },
  }
}
