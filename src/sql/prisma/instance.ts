/**
 * A Prisma client, typed by its shape: the client is generated in the app, in a folder of the app's
 * choice.
 */
export interface PrismaInstance {
  // biome-ignore lint/suspicious/noExplicitAny: overloads of the generated client
  $transaction(...steps: any[]): unknown
  // biome-ignore lint/suspicious/noExplicitAny: the same
  $queryRaw(...query: any[]): unknown
}

/** Names of the models of a client: `account` for `model Account`. */
export type PrismaModel<Client> = Exclude<keyof Client & string, `$${string}` | `_${string}`>

/** The rows of a model, as the client returns them. */
export type PrismaRow<Client, Model extends keyof Client> = Client[Model] extends {
  [key: symbol]: { types: { payload: { scalars: infer Row extends Record<string, unknown> } } }
}
  ? Row
  : Record<string, unknown>
