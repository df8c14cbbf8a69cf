import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { memoryUsers, type UserStore } from '../../src/index.js'

/** Memory users that count what is asked of them. */
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

/** Mounts `POST /by-hand/:username`: signs that user in without a password, as an OAuth callback would. */
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

/** Memory users, each verb of which can be made to do something else. */
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
