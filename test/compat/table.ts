import { contract, further } from './contract.js'

/** The differences on purpose, as the migration guide shows them. */
export const differencesTable = (): string =>
  [
    '| CRUDAuth | fastify-crudauth | Details |',
    '| --- | --- | --- |',
    ...[...contract.flatMap(({ differs }) => differs ?? []), ...further].map(
      ({ crudauth, here, page }) => `| ${crudauth} | ${here} | [why](${page}) |`,
    ),
  ].join('\n')
