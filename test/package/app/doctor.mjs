/** An app for the command `doctor`. */
import { randomBytes } from 'node:crypto'
import Fastify from 'fastify'
import crudAuth, { memoryUsers } from 'fastify-crudauth'

export async function build() {
  const app = Fastify()
  await app.register(crudAuth, { secret: randomBytes(48), users: memoryUsers() })
  return app
}
