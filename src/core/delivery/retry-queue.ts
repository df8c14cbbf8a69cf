import { attempt, type Work } from './with-timeout.js'

/** Each retry waits this many times longer than the previous one. */
const backOff = 4

/** Limits of a queue. */
export interface QueueLimits {
  /** Maximum number of unfinished items. Further ones are dropped. */
  readonly maxQueued: number
  /** Maximum number of concurrent attempts. */
  readonly concurrency: number
  /** Attempts per item, the first one included. */
  readonly attempts: number
  readonly firstRetryMs: number
  readonly maxRetryMs: number
  /** Time limit of an attempt. Then the next item takes its slot. */
  readonly attemptTimeoutMs: number
}

/** Why an item was dropped: the queue was full, or it closed first. */
export type DropReason = 'full' | 'closed'

/** Callbacks of a queue. Errors that they throw are ignored. */
export interface QueueReports<Label> {
  /** An attempt failed and there will be another. */
  onRetry?(label: Label, cause: unknown, attempts: number): void
  /** The last attempt failed, or the error was permanent. */
  onFailed?(label: Label, cause: unknown, attempts: number): void
  /** The item was dropped after this many attempts. */
  onDropped?(label: Label, reason: DropReason, attempts: number): void
}

/** A queue of this process for work after the response. */
export interface DeliveryQueue<Label> {
  /** Adds work. Never throws and never waits; the first attempt starts after the current tick. */
  defer(label: Label, work: Work): void
  /** Resolves when all items are finished, retries included. Keeps the process alive until then. */
  idle(): Promise<void>
  /**
   * Accepts no further work, retries at once what waits for a retry, and resolves when all is done.
   * After `drainMs`, unfinished items are reported as dropped. Each item gets at most one more
   * attempt.
   */
  close(drainMs: number): Promise<void>
}

interface Item<Label> {
  readonly label: Label
  readonly work: Work
  attempts: number
  /** The attempt started after the queue was closed, so there is no further one. */
  last: boolean
  retry?: NodeJS.Timeout | undefined
}

/** Whether an error says that retrying is pointless. */
export const isPermanent = (cause: unknown): boolean =>
  (cause as { permanent?: unknown } | null | undefined)?.permanent === true

/** 1 to 1.5 times the delay, so that items that failed together are not retried together. */
const withJitter = (milliseconds: number): number => milliseconds * (1 + Math.random() / 2)

/**
 * Creates a bounded queue with retries. Its timers do not keep the process alive, except while a
 * caller waits for it.
 */
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
      // A failing listener must not stop the queue.
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
    // `close` has dropped it and reported that.
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
      // The queue's own timers do not keep the process alive while the caller waits.
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
      // Items that `drain` makes ready start in a later tick, so they see that the queue is
      // closing.
      closing ??= drain(drainMs)
      return closing
    },
  }
}
