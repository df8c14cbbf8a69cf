/**
 * What fragments in the documentation take for granted, by the name in their comment (`<!-- with: app -->`). Nothing is
 * imported, so that a fragment may import what it likes.
 */
export const preambles: Readonly<Record<string, string>> = {
  app: `declare const app: import('fastify').FastifyInstance`,
  secret: `declare const secret: string`,
  users: `declare const users: import('fastify-crudauth').UserStore`,
  sender: `declare const sender: import('fastify-crudauth').EmailSender`,
  db: `declare const db: import('kysely').Kysely<any>`,
}
