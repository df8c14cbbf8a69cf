/**
 * A `Kysely` or `Transaction`, typed by its shape. In a CommonJS app, the types come from another
 * build of Kysely, whose class TypeScript treats as a different one.
 */
export interface KyselyInstance {
  readonly isTransaction: boolean
  getExecutor(): unknown
  selectFrom(...from: never[]): unknown
  insertInto(...into: never[]): unknown
  updateTable(...tables: never[]): unknown
}
