/**
 * Says when a test ends. The context of a `node:test` test has it; with Vitest pass
 * `{ after: onTestFinished }`, with Jest `{ after: afterAll }`.
 */
export interface TestEnd {
  after(work: () => unknown): unknown
}
