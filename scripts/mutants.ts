/** Mutations of the source that a test should detect. Each has a switch, so one build is enough. */
import ts from 'typescript'

/** One mutation that can be switched on. */
export interface Mutant {
  readonly id: number
  readonly path: string
  readonly line: number
  readonly what: string
}

const { SyntaxKind } = ts
const swapped = new Map<ts.SyntaxKind, ts.BinaryOperator>([
  [SyntaxKind.EqualsEqualsEqualsToken, SyntaxKind.ExclamationEqualsEqualsToken],
  [SyntaxKind.ExclamationEqualsEqualsToken, SyntaxKind.EqualsEqualsEqualsToken],
  [SyntaxKind.AmpersandAmpersandToken, SyntaxKind.BarBarToken],
  [SyntaxKind.BarBarToken, SyntaxKind.AmpersandAmpersandToken],
  [SyntaxKind.LessThanToken, SyntaxKind.GreaterThanEqualsToken],
  [SyntaxKind.GreaterThanEqualsToken, SyntaxKind.LessThanToken],
  [SyntaxKind.GreaterThanToken, SyntaxKind.LessThanEqualsToken],
  [SyntaxKind.LessThanEqualsToken, SyntaxKind.GreaterThanToken],
  [SyntaxKind.AsteriskToken, SyntaxKind.SlashToken],
  [SyntaxKind.MinusToken, SyntaxKind.PlusToken],
])

const isSwitch = 'globalThis.__crudauthMutant'

/**
 * Inserts all mutants of a source, each behind its switch `globalThis.__crudauthMutant(id)`.
 * @param found receives the mutants; their ids continue from its length
 */
export const mutating =
  (path: string, found: Mutant[]): ts.TransformerFactory<ts.SourceFile> =>
  (context) =>
  (file) => {
    const { factory } = context
    const switchFor = (node: ts.Node, what: string): ts.Expression => {
      const id = found.length
      const { line } = file.getLineAndCharacterOfPosition(node.getStart(file))
      found.push({ id, path, line: line + 1, what: `${what}: ${node.getText(file).slice(0, 90)}` })
      return factory.createCallExpression(factory.createIdentifier(isSwitch), undefined, [
        factory.createNumericLiteral(id),
      ])
    }
    const either = (node: ts.Node, what: string, changed: ts.Expression, same: ts.Expression) =>
      factory.createParenthesizedExpression(
        factory.createConditionalExpression(
          switchFor(node, what),
          undefined,
          changed,
          undefined,
          same,
        ),
      )
    const unless = (node: ts.Statement, what: string, same: ts.Statement) =>
      factory.createIfStatement(factory.createLogicalNot(switchFor(node, what)), same)

    const visit = (node: ts.Node): ts.Node => {
      if (ts.isTypeNode(node) || ts.isImportDeclaration(node) || ts.isExportDeclaration(node))
        return node
      const inner = ts.visitEachChild(node, visit, context)
      if (ts.isBinaryExpression(node) && ts.isBinaryExpression(inner)) {
        const operator = swapped.get(node.operatorToken.kind)
        if (operator !== undefined) {
          const changed = factory.createBinaryExpression(inner.left, operator, inner.right)
          return either(node, 'operator', changed, inner)
        }
      }
      if (
        ts.isPrefixUnaryExpression(node) &&
        ts.isPrefixUnaryExpression(inner) &&
        node.operator === SyntaxKind.ExclamationToken
      )
        return either(node, 'negation', inner.operand, inner)
      if (node.kind === SyntaxKind.TrueKeyword)
        return either(node, 'boolean', factory.createFalse(), inner as ts.Expression)
      if (node.kind === SyntaxKind.FalseKeyword)
        return either(node, 'boolean', factory.createTrue(), inner as ts.Expression)
      if (ts.isThrowStatement(node)) return unless(node, 'no throw', inner as ts.Statement)
      if (ts.isExpressionStatement(node) && /^(?:await |void )?[\w.?#]+\(/.test(node.getText(file)))
        return unless(node, 'no call', inner as ts.Statement)
      return inner
    }
    return ts.visitEachChild(file, visit, context)
  }
