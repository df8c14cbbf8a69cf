import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { memoryUsers, type UserStore } from '../../src/index.js'

/** In-memory users that count the calls of each method. */
export function countingUsers(inner: UserStore = memoryUsers()) {
  const calls = { findById: 0, findBy: 0, create: 0, update: 0, compareAndSet: 0 }
  const counted = <A extends unknown[], R>(name: keyof typeof calls, verb: (...args: A) => R) => {
    return (...args: A): R => {
      calls[name]++
      return verb(...args)
    }
  }
  const store: UserStore = {
    fields: inner.fields,
    findById: counted('findById', inner.findById),
    findBy: counted('findBy', inner.findBy),
    create: counted('create', inner.create),
    update: counted('update', inner.update),
    compareAndSet: counted('compareAndSet', inner.compareAndSet),
  }
  return { store, calls, writes: () => calls.create + calls.update + calls.compareAndSet }
}

/** Mounts `POST /by-hand/:username`, which signs in without a password, like an OAuth callback. */
export function mountHandLogin(app: FastifyInstance): void {
  app.post('/by-hand/:username', async (request: FastifyRequest, reply: FastifyReply) => {
    const { username } = request.params as { username: string }
    const user = await app.crudAuth.users.findBy('username', username)
    if (!user) return reply.code(404).send({})
    const session = await app.crudAuth.sessions.create(request, user)
    app.crudAuth.sessions.setCookies(request, reply, session)
    return { csrf_token: session.csrfToken }
  })
}

export type Verb = 'findById' | 'findBy' | 'create' | 'compareAndSet'

/** In-memory users whose methods a test can replace, for example to throw. */
export function breakableUsers() {
  const inner = memoryUsers()
  const broken: Partial<Record<Verb, () => unknown>> = {}
  const verb = (name: Verb) =>
    ((...args: never[]) =>
      (broken[name] ?? (() => (inner[name] as (...given: never[]) => unknown)(...args)))()) as never
  const store: UserStore = {
    ...inner,
    findById: verb('findById'),
    findBy: verb('findBy'),
    create: verb('create'),
    compareAndSet: verb('compareAndSet'),
  }
  return { store, inner, broken }
}
