import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { Queue, QueueEvents, UnrecoverableError, Worker } from 'bullmq'
import Fastify from 'fastify'
import { memoryUsers } from '../../../src/index.js'
import type { DeliveryIntent, DeliveryJob } from '../../../src/ports/delivery-channel.js'
import type { EmailMessage, EmailSender } from '../../../src/ports/email-sender.js'
import { runExample } from '../../docs/load.js'
import { serverUrl } from '../../helpers/backends.js'
import { deferred, intent, secret, testDispatch } from '../../helpers/delivery.js'

const url = serverUrl('TEST_REDIS_URL')
const skip = url === undefined && 'needs Redis'

/** A BullMQ queue and worker as in docs/email.md, isolated from other tests. */
function bullmq(t: TestContext, deliver: (intent: DeliveryIntent) => unknown) {
  const connection = { url: url as string, maxRetriesPerRequest: null }
  const prefix = `t${randomBytes(6).toString('hex')}`
  const queue = new Queue<DeliveryJob>('delivery', { connection, prefix })
  const events = new QueueEvents('delivery', { connection, prefix })
  const enqueue = (job: DeliveryJob) =>
    queue.add('deliver', job, { jobId: job.id, attempts: 3, backoff: { type: 'fixed', delay: 10 } })
  const producer = testDispatch({
    channels: [{ name: 'email', deliver: () => assert.fail('here') }],
    enqueue,
  })
  const consumer = testDispatch({ channels: [{ name: 'email', deliver }] })
  const worker = new Worker<DeliveryJob>(
    'delivery',
    async ({ data }) => {
      try {
        await consumer.deliver(data)
      } catch (error) {
        const { permanent, message } = error as Error & { permanent?: boolean }
        throw permanent ? new UnrecoverableError(message) : error
      }
    },
    { connection, prefix, autorun: false },
  )
  worker.on('error', () => {})
  t.after(async () => {
    await worker.close()
    await events.close()
    await queue.obliterate({ force: true })
    await queue.close()
  })
  return { queue, worker, events, producer, enqueue }
}

/** Everything that Redis stores about the jobs. */
const stored = async (queue: Queue<DeliveryJob>): Promise<string> =>
  JSON.stringify((await queue.getJobs()).map((job) => job.toJSON()))

test('BullMQ: the worker retries a message, and Redis stores no token or address in plain text', {
  skip,
}, async (t) => {
  const got: DeliveryIntent[] = []
  const { queue, worker, events, producer } = bullmq(t, (one) => {
    got.push(one)
    if (got.length < 3) throw new Error(`550 <${one.recipient}> ${one.token}`)
  })
  producer.dispatch(intent)
  await producer.idle()
  const [job] = await queue.getJobs()
  assert.ok(job)
  await events.waitUntilReady()
  void worker.run()
  await job.waitUntilFinished(events)
  assert.deepEqual(got, [intent, intent, intent])
  const text = await stored(queue)
  for (const secret of [intent.token as string, 'ada@', 'reset_password'])
    assert.ok(!text.includes(secret), secret)
  assert.match(text, /550/, 'the failure is stored, without the secrets')
})

test('BullMQ: permanent failures and modified jobs are not retried', {
  skip,
}, async (t) => {
  let attempts = 0
  const { queue, worker, events, producer, enqueue } = bullmq(t, () => {
    attempts++
    throw Object.assign(new Error('no such user'), { permanent: true })
  })
  producer.dispatch(intent)
  await producer.idle()
  const [job] = await queue.getJobs()
  assert.ok(job)
  const { payload } = job.data
  const changed = await enqueue({
    id: 'changed',
    payload: `${payload.slice(0, -1)}${payload.endsWith('A') ? 'B' : 'A'}`,
  })
  await events.waitUntilReady()
  void worker.run()
  await assert.rejects(job.waitUntilFinished(events), /no such user/)
  await assert.rejects(changed.waitUntilFinished(events), /was modified/)
  assert.equal(attempts, 1)
  assert.deepEqual(
    (await queue.getJobs(['failed'])).map(({ attemptsMade }) => attemptsMade),
    [1, 1],
  )
})

test('BullMQ: enqueueing the same job twice stores it once', { skip }, async (t) => {
  const { queue, enqueue } = bullmq(t, () => {})
  const job = { id: 'abcdefghijklmnopqrst-_', payload: 'x' }
  await enqueue(job)
  await enqueue(job)
  assert.equal((await queue.getJobs()).length, 1)
})

test('BullMQ: the example in docs/email.md loses no message when the app closes', {
  skip,
}, async (t) => {
  const { REDIS_URL } = process.env
  process.env.REDIS_URL = url
  const left = new Queue<DeliveryJob>('delivery', { connection: { url: url as string } })
  t.after(async () => {
    if (REDIS_URL === undefined) delete process.env.REDIS_URL
    else process.env.REDIS_URL = REDIS_URL
    await left.obliterate({ force: true })
    await left.close()
  })
  const arrived = deferred<EmailMessage>()
  const app = Fastify()
  t.after(() => app.close())
  const kinds: string[] = []
  const sender: EmailSender = {
    send(message) {
      kinds.push(message.kind)
      arrived.resolve(message)
    },
  }
  await runExample(t, 'bullmq', { app, secret, users: memoryUsers(), sender })
  await app.ready()
  const ada = { email: 'ada@example.com', username: 'ada', password: 'correct horse battery' }
  const registered = await app.inject({ method: 'POST', url: '/register', payload: ada })
  assert.equal(registered.statusCode, 202, registered.body)
  const { kind, to, context } = await arrived.promise
  assert.deepEqual([kind, to], ['verify_email', ada.email])

  const token = new URL(context.link).searchParams.get('token')
  const confirmed = await app.inject({
    method: 'POST',
    url: '/email/verify-confirm',
    payload: { token },
  })
  assert.equal(confirmed.statusCode, 200, confirmed.body)

  // The app closes right after the response. It enqueues the message first, which stays in the
  // queue if the worker hasn't taken it.
  const requested = await app.inject({
    method: 'POST',
    url: '/password/reset-request',
    payload: { email: ada.email },
  })
  assert.equal(requested.statusCode, 202)
  await app.close()
  const sent = kinds.filter((one) => one === 'reset_password').length
  assert.equal(sent + (await left.getJobs(['waiting'])).length, 1)
})
