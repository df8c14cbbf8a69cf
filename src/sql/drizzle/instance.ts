/**
 * A Drizzle table, typed by its shape. In a CommonJS app, the types come from another build of
 * Drizzle, whose class TypeScript treats as a different one.
 */
export interface DrizzleTable {
  readonly $inferSelect: Record<string, unknown>
}

/** A Drizzle database or transaction, typed by its shape. */
export interface DrizzleInstance {
  select(...fields: never[]): unknown
  // biome-ignore lint/suspicious/noExplicitAny: only tables of the dialect fit
  insert(table: any): unknown
  // biome-ignore lint/suspicious/noExplicitAny: the same
  update(table: any): unknown
  // biome-ignore lint/suspicious/noExplicitAny: the same
  delete(table: any): unknown
}
